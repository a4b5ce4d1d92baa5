"""Limits on guessing: how often a wrong password or code may be tried, for an account and from a network.

All processes and hosts count together, by rows and by the database's clock. An attempt is counted before it is checked
and forgiven if it was right, so that a hundred attempts at once are no more than a hundred in a row. From the sixth
wrong one on an account has to wait, twice as long each time, up to fifteen minutes; attempts in the meantime are not
even checked and do not prolong it.

Whoever guesses can therefore keep strangers from an account, but not its owner: a network that the user has signed in
from, or opened a link in a mail in, is counted by itself; sessions go on; and a passkey, which cannot be guessed, has
no limit. Names that do not exist are counted like others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from appliance import db
from appliance.accounts.models import User
from appliance.accounts.secret_digests import digest
from appliance.content.networks import network_of
from appliance.db import NOW
from appliance.errors import SignInRefused

Kind = Literal["password", "code", "link"]

#: Wrong attempts that have no consequence: on an account, and from a network, where many people may be.
_FREE_ACCOUNT, _FREE_NETWORK = 5, 30
#: Seconds to wait after the first attempt beyond those, and at most.
_FIRST, _LONGEST = 30.0, 900.0
#: Seconds for which an attempt counts.
WINDOW: Final = 3600.0
#: Seconds for which a network stays known.
KNOWN: Final = 90 * 86_400.0
#: Seconds that an attempt may seem to come from the future.
_AHEAD: Final = 60.0

_NETWORKS: Final = "SELECT network FROM known_network WHERE user_id = ?"
_COUNTED: Final = f"at > {NOW} - {WINDOW} AND at < {NOW} + {_AHEAD}"
_SUMS: Final = f"SELECT COUNT(*), MAX(at) - {NOW} FROM sign_in_failure WHERE"
_KNOWN: Final = "network IN (SELECT k.network FROM known_network k WHERE k.user_id = ?)"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was let through and counts as wrong until it is forgiven."""

    id: int
    account: str
    network: str


def account_of(who: User | str) -> str:
    """Return under what attempts are counted: a user, or the name or address that was typed.

    Passwords are counted under what was typed even if that is a user: if a name and an address were counted together,
    that would tell that they belong together, and that there is such a user.
    """
    return f"user {who.id}" if isinstance(who, User) else digest(who.strip().lower())


def begin(kind: Kind, account: str, address: str, user: User | None = None) -> Attempt:
    """Count an attempt. Never call it inside a transaction.

    Args:
        kind: what is tried.
        account: under what it is counted, see `account_of`.
        address: the network address that it comes from.
        user: whose known networks are counted by themselves.

    Raises:
        SignInRefused: there were too many; its `wait` tells for how long.
    """
    network = network_of(address)
    with db.write():
        db.acquire_lock("sign-in")  # attempts of all processes are counted one after the other
        wait = max(_account_wait(kind, account, network, user), _network_wait(network))
        if wait <= 0:
            made = db.execute(
                f"INSERT INTO sign_in_failure (kind, account, network, at) VALUES (?, ?, ?, {NOW}) RETURNING id",
                [kind, account, network],
            ).fetchone()
            return Attempt(made[0], account, network)
    raise SignInRefused(
        f"There were too many wrong attempts. Try again in {_spoken(wait)}, or sign in with a passkey.", math.ceil(wait)
    )


def keep(attempt: Attempt) -> None:
    """Leave an attempt counted that was wrong. It is written once more, so that every refusal takes a transaction."""
    db.execute("UPDATE sign_in_failure SET network = ? WHERE id = ?", [attempt.network, attempt.id])


def forgive(attempt: Attempt) -> None:
    """Take an attempt back that was right."""
    db.execute("DELETE FROM sign_in_failure WHERE id = ?", [attempt.id])


def forget(user: User, address: str) -> bool:
    """Forget what was tried on an account from this network, and know the network from now on.

    Returns whether the network is a new one of a user who has had others.

    Only who has signed in completely may do that: somebody who knows a password could otherwise guess codes for ever.
    """
    network = network_of(address)
    accounts = [account_of(user), account_of(user.name), account_of(user.email)]
    db.execute(
        f"DELETE FROM sign_in_failure WHERE account IN ({db.placeholders(3)}) AND network = ?", [*accounts, network]
    )
    if not network:
        return False
    known = {known for (known,) in db.execute(_NETWORKS, [user.id]).fetchall()}
    db.execute(
        f"INSERT INTO known_network (user_id, network, used_at) VALUES (?, ?, {NOW})"
        f" ON CONFLICT (user_id, network) DO UPDATE SET used_at = {NOW}",
        [user.id, network],
    )
    return bool(known) and network not in known


def _account_wait(kind: Kind, account: str, network: str, user: User | None) -> float:
    number = user.id if user else 0
    known = db.execute("SELECT 1 FROM known_network WHERE user_id = ? AND network = ?", [number, network]).fetchone()
    if known:
        return _wait(
            f"account = ? AND kind = ? AND network = ? AND {_COUNTED}", [account, kind, network], _FREE_ACCOUNT
        )
    return _wait(
        f"account = ? AND kind = ? AND NOT {_KNOWN} AND {_COUNTED}", [account, kind, number], _FREE_ACCOUNT
    )  # fmt: skip


def _network_wait(network: str) -> float:
    return _wait(f"network = ? AND {_COUNTED}", [network], _FREE_NETWORK) if network else 0.0


def _wait(condition: str, values: list[object], free: int) -> float:
    """Return for how many seconds nothing is checked that counts among these attempts."""
    count, since = db.execute(f"{_SUMS} {condition}", values).fetchone()
    if count < free:
        return 0.0
    return float(min(_FIRST * 2 ** min(count - free, 10), _LONGEST) + since)


def _spoken(seconds: float) -> str:
    minutes = math.ceil(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"

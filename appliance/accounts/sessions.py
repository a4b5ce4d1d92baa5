"""Sessions of browsers: started by signing in, found by the secret in the cookie, and ended.

A session ends after so many minutes without a request, after so many hours in any case, and at once when it is revoked
or its user disabled. It has a new secret whenever its rights rise, so that a secret that somebody planted or saw before
is worth nothing afterwards. Nobody has a role before the second factor that their role needs, or that they have set up.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from appliance import db
from appliance.accounts import acts
from appliance.accounts.locking import lock_enabled
from appliance.accounts.models import User
from appliance.accounts.principal import Pending, Principal
from appliance.accounts.rights import Role
from appliance.accounts.secret_digests import digest, new_secret
from appliance.accounts.settings import rules
from appliance.actor import Actor
from appliance.db import NOW
from appliance.errors import AccountError

#: What a user can show.
Factor = Literal["password", "totp", "recovery", "passkey"]
#: Each of these completes a password. A passkey needs none, since the authenticator verifies its user.
SECOND_FACTORS: Final[frozenset[Factor]] = frozenset({"totp", "recovery", "passkey"})

#: Seconds between two notes of the last use.
_NOTED: Final = 30.0
#: Seconds that a time may lie ahead, after the database moved to a host whose clock is behind.
_AHEAD: Final = 300.0
#: The most characters of a browser's name that are kept.
_AGENT: Final = 300


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session, as its user sees it."""

    id: int
    user: int
    factors: frozenset[Factor]
    #: What it still lacks, see `Principal`.
    pending: Pending
    address: str
    agent: str
    created_at: float
    used_at: float
    #: When the user last showed a password or another factor.
    confirmed_at: float
    #: When it ends in any case.
    ends_at: float


_COLUMNS: Final = f"""
s.id, s.user_id, s.factors, s.address, s.agent, s.created_at, s.used_at, s.confirmed_at,
a.name, {NOW} - s.used_at > {_NOTED}, a.totp IS NOT NULL OR EXISTS (SELECT 1 FROM passkey p WHERE p.user_id = a.id)
FROM session s JOIN account a ON a.id = s.user_id
"""
_LIVES: Final = f"""
a.disabled_at IS NULL AND s.created_at > {NOW} - ? AND s.used_at > {NOW} - ? AND s.used_at < {NOW} + {_AHEAD}
"""


def start(user: User, address: str, agent: str = "", *, factors: Iterable[Factor]) -> tuple[str, SessionRow]:
    """Start a session of a user who has shown these factors; return its secret and the session.

    Raises:
        AccountError: the user is disabled.
    """
    secret = new_secret()
    with db.write():
        lock_enabled(user)
        shown = " ".join(sorted(set(factors)))
        db.execute(
            "INSERT INTO session (id, user_id, digest, factors, address, agent, created_at, used_at, confirmed_at)"
            f" VALUES (?, ?, ?, ?, ?, ?, {NOW}, {NOW}, {NOW})",
            [secrets.randbelow(2**31 - 1) + 1, user.id, digest(secret), shown, address, agent[:_AGENT]],
        )
        found = _find(secret)
    if found is None:  # the limits are minutes
        raise AccountError("The session ended at once; check the clock of the database.")
    return secret, found[2]


def find(secret: str, address: str = "") -> tuple[Principal, SessionRow] | None:
    """Return who acts by the secret in a cookie, with the session; None if there is none or it has ended.

    The use is noted, twice a minute at most.
    """
    found = _find(secret)
    if found is None:
        return None
    name, is_noted, row = found
    if is_noted:
        with db.write():
            db.execute(
                f"UPDATE session SET used_at = {NOW}, address = ? WHERE id = ?", [address or row.address, row.id]
            )
    return _principal(name, row, address), row


def renew(session: int, *, factor: Factor | None = None) -> str:
    """Give a session a new secret and return it. With a factor, the user has just shown that.

    Raises:
        AccountError: the session has ended.
    """
    secret = new_secret()
    with db.write():
        found = db.execute(
            "SELECT s.factors FROM session s JOIN account a ON a.id = s.user_id"
            f" WHERE s.id = ? AND {_LIVES} {db.for_update('s')}", [session, *_limits()],
        ).fetchone()  # fmt: skip
        if found is None:
            raise AccountError("The session has ended; sign in again.")
        factors = {*found[0].split(), *([factor] if factor else [])}
        confirmed = f", confirmed_at = {NOW}" if factor else ""
        db.execute(
            f"UPDATE session SET digest = ?, factors = ?, used_at = {NOW}{confirmed} WHERE id = ?",
            [digest(secret), " ".join(sorted(factors)), session],
        )
    return secret


def end(session: int, *, user: User | None = None) -> None:
    """End a session; only one of this user's, if one is given. One that has ended already is left alone."""
    with db.write():
        ended = db.execute("DELETE FROM session WHERE id = ? RETURNING user_id", [session]).fetchone()
        if ended is None:
            return
        if user is not None and user.id != ended[0]:
            raise AccountError("There is no such session; list the sessions again.")
        acts.record("user.sign_out", User.get_by_id(ended[0]), before={"session": session})


def end_all(user: User, except_: int | None = None, *, actor: Actor | None = None) -> int:
    """End all sessions of a user but one; return how many."""
    with db.write():
        ended = db.execute(
            "DELETE FROM session WHERE user_id = ? AND id <> ? RETURNING id", [user.id, except_ or 0]
        ).fetchall()
        if ended:
            acts.record("user.end_sessions", user, before={"sessions": len(ended)}, actor=actor)
    return len(ended)


def list_sessions(user: User) -> list[SessionRow]:
    """Return the sessions of a user that have not ended, the one used last first."""
    found = db.execute(
        f"SELECT {_COLUMNS} WHERE s.user_id = ? AND {_LIVES} ORDER BY s.used_at DESC, s.id DESC", [user.id, *_limits()]
    ).fetchall()
    roles = roles_of(user.id)
    return [_row(values, roles) for values in found]


def roles_of(user: int) -> dict[str, Role]:
    """Return the roles of a user by site."""
    found = db.execute("SELECT site, role FROM role_grant WHERE user_id = ? ORDER BY site", [user]).fetchall()
    return {site: cast(Role, role) for site, role in found}


def needs_second_factor(roles: Collection[Role]) -> bool:
    """Return whether one of these roles needs a second factor."""
    return any(role in rules().second_factor for role in roles)


def _limits() -> tuple[float, float]:
    return rules().session_hours * 3600.0, rules().idle_minutes * 60.0


def _find(secret: str) -> tuple[str, bool, SessionRow] | None:
    """Return the name of the user, whether the use is to be noted, and the session."""
    found = db.execute(f"SELECT {_COLUMNS} WHERE s.digest = ? AND {_LIVES}", [digest(secret), *_limits()]).fetchone()
    return None if found is None else (found[8], bool(found[9]), _row(found, roles_of(found[1])))


def _row(values: Any, roles: dict[str, Role]) -> SessionRow:
    number, user, shown, address, agent, created_at, used_at, confirmed_at, *_, has_factor = values
    factors = cast(frozenset[Factor], frozenset(shown.split()))
    pending: Pending = ""
    if not factors & SECOND_FACTORS:
        if has_factor:
            pending = "second_factor"
        elif needs_second_factor(roles.values()):
            pending = "set_up"
    ends_at = created_at + _limits()[0]
    return SessionRow(number, user, factors, pending, address, agent, created_at, used_at, confirmed_at, ends_at)


def _principal(name: str, row: SessionRow, address: str) -> Principal:
    # Whoever knows only the password of a user with a second factor must not be able to remove that.
    scopes = {"": None, "second_factor": frozenset[str](), "set_up": frozenset({"account.edit"})}[row.pending]
    roles = {} if row.pending else roles_of(row.user)
    return Principal(
        row.user, name, roles, "browser", scopes, address=address, pending=row.pending, session=row.id
    )  # fmt: skip

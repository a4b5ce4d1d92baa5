"""Tokens: secrets with which programs act for a user, with at most the user's own rights at that moment.

A token is shown once and kept as a digest. It begins with `app_`, followed by 43 letters and digits, so that scanners
for leaked secrets find it: `\\bapp_[0-9A-Za-z]{43}\\b`. It ends on its day, at once when it is revoked or its user
disabled, and never has a right that its user has lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance import actor, db
from appliance.accounts import acts, sessions
from appliance.accounts.locking import lock_enabled
from appliance.accounts.models import User
from appliance.accounts.principal import Principal
from appliance.accounts.rights import ACTIONS
from appliance.accounts.secret_digests import LENGTH, digest, new_secret
from appliance.accounts.settings import rules
from appliance.db import NOW
from appliance.errors import AccountError

PREFIX: Final = "app_"
#: Groups of actions that stand for many names.
GROUPS: Final = ("read", "write")

#: Actions on one's own account. A token has them only if they are named, lest a stolen one makes itself others.
_OWN: Final = frozenset(name for name, action in ACTIONS.items() if action.scope == "self" and action.changes)
_READ: Final = frozenset(name for name, action in ACTIONS.items() if not action.changes)
_WRITE: Final = frozenset(ACTIONS) - _OWN
#: Passwords and factors are changed by people.
_NEVER: Final = frozenset({"account.edit"})

#: Seconds between two notes of the last use.
_NOTED: Final = 60.0
_DAY: Final = 86_400.0
#: The most characters of a label.
_LABEL: Final = 100


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token, without its secret."""

    id: int
    user: int
    #: The name of the user.
    user_name: str
    label: str
    #: Names of actions and groups; None for all that the user may do.
    scopes: tuple[str, ...] | None
    #: None for all sites of the user.
    sites: tuple[str, ...] | None
    created_at: float
    expires_at: float
    #: To the minute; None if it was never used.
    used_at: float | None
    used_address: str
    revoked_at: float | None
    #: Whether it can be used now.
    is_valid: bool


def create(
    user: User,
    label: str,
    *,
    scopes: Iterable[str] | None = None,
    sites: Iterable[str] | None = None,
    days: float | None = None,
    is_weak: bool = False,
    until: float | None = None,
) -> tuple[str, TokenRow]:
    """Make a token; return its secret, which cannot be shown again, and the token.

    Args:
        user: for whom it acts.
        label: says what it is for; the audit names it.
        scopes: names of actions, `read` for all that change nothing, `write` for all; None for no limit.
        sites: names of sites; None for no limit. A token with sites has no say about the whole installation.
        days: until it ends; by default and at most `token_days` of [admin].
        until: the moment, in seconds since the epoch, at which it has ended in any case; None for no such moment.
        is_weak: whether whoever asks showed no more than a password, whatever the user has set up since.

    Raises:
        AccountError: a value cannot be used, such as more days than there are until then, or the user is disabled.
    """
    label = " ".join(label.split())
    if not label or len(label) > _LABEL or not label.isprintable():
        raise AccountError(f"Give the token a label of at most {_LABEL} characters that says what it is for.")
    limits = {"scopes": _scopes(scopes), "sites": _sites(sites)}
    most = rules().token_days
    lasting = most if days is None else days
    if not 0 < lasting <= most:
        raise AccountError(f"A token can be valid for {most} days at most; token_days in [admin] sets that.")
    secret = new_secret(PREFIX)
    with db.write():
        lock_enabled(user)
        now = db.now()
        if until is not None:
            lasting = _within(lasting, (until - now) / _DAY, is_asked=days is not None)
        ends = now + lasting * _DAY
        found = db.execute(
            "INSERT INTO token (user_id, label, digest, scopes, sites, strong, created_at, expires_at, used_address)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, '') RETURNING id",
            [
                user.id,
                label,
                digest(secret),
                *limits.values(),
                not is_weak and _is_strong(user),
                now,
                min(ends, until or ends),
            ],
        ).fetchone()
        acts.record("token.add", user, after={"token": label, "days": lasting, **limits})
        return secret, get_token(found[0])


_FOUND: Final = f"""
SELECT t.id, t.user_id, a.name, t.label, t.scopes, t.sites, t.strong,
       t.expires_at, t.used_at IS NULL OR t.used_at < {NOW} - {_NOTED} OR t.used_at > {NOW} + {_NOTED}
FROM token t JOIN account a ON a.id = t.user_id
WHERE t.digest = ? AND t.revoked_at IS NULL AND t.expires_at > {NOW} AND a.disabled_at IS NULL
"""


def find(secret: str, address: str = "") -> Principal | None:
    """Return who acts by a token; None if it is none, has ended, or its user is disabled.

    The use is noted, once a minute at most.
    """
    if len(secret) != len(PREFIX) + LENGTH or not secret.startswith(PREFIX):
        return None
    found = db.execute(_FOUND, [digest(secret)]).fetchone()
    if found is None:
        return None
    number, user, name, label, scopes, sites, strong, expires_at, is_noted = found
    if is_noted:
        with db.write():
            db.execute(f"UPDATE token SET used_at = {NOW}, used_address = ? WHERE id = ?", [address, number])
    roles = sessions.roles_of(user)
    if not strong:
        roles = {site: role for site, role in roles.items() if not sessions.needs_second_factor([role])}
    return Principal(
        user, name, roles, "api", _expanded(scopes), None if sites is None else frozenset(sites.split()),
        token=label, address=address, is_weak=not strong, expires_at=expires_at,
    )  # fmt: skip


def list_tokens(user: User | None = None, *, all_states: bool = False) -> list[TokenRow]:
    """Return the tokens of a user, or of everybody, the newest first; those that have ended only if asked for."""
    condition = "true" if user is None else "t.user_id = ?"
    return [row for row in _select(condition, [] if user is None else [user.id]) if row.is_valid or all_states]


def get_token(number: int) -> TokenRow:
    """Return the token with this id.

    Raises:
        AccountError: there is none.
    """
    found = _select("t.id = ?", [number])
    if not found:
        raise AccountError(f"There is no token {number}; “appliance tokens.list” shows them.")
    return found[0]


def revoke(number: int, *, user: User | None = None) -> None:
    """End a token at once; only one of this user's, if one is given.

    Raises:
        AccountError: there is no such token.
    """
    with db.write():
        row = get_token(number)
        if user is not None and row.user != user.id:
            raise AccountError(f"There is no token {number}; list the tokens again.")
        ended = db.execute(
            f"UPDATE token SET revoked_at = {NOW} WHERE id = ? AND revoked_at IS NULL RETURNING id", [number]
        ).fetchone()
        if ended:
            acts.record("token.revoke", User.get_by_id(row.user), before={"token": row.label})


def revoke_all(user: User) -> int:
    """End all tokens of a user at once; return how many."""
    with db.write():
        ended = db.execute(
            f"UPDATE token SET revoked_at = {NOW} WHERE user_id = ? AND revoked_at IS NULL RETURNING label", [user.id]
        ).fetchall()
        for (label,) in ended:
            acts.record("token.revoke", user, before={"token": label})
    return len(ended)


def _within(lasting: float, left: float, *, is_asked: bool) -> float:
    """Return for how many days a token is valid that ends with another, which has so many left, at the latest."""
    if left <= 0:
        raise AccountError("The token that asks for another has ended; make one in your account.")
    if is_asked and lasting > left:
        raise AccountError(
            f"This token is valid for {left:.1f} more days, and one that it makes ends no later; ask for fewer days."
        )
    return min(lasting, left)


def _is_strong(user: User) -> bool:
    """Return whether more than a password was shown to make a token: on the shell, or since the user has more."""
    if actor.current().via not in ("browser", "api"):
        return True
    return db.execute(
        "SELECT 1 FROM account a WHERE a.id = ? AND (a.totp IS NOT NULL"
        " OR EXISTS (SELECT 1 FROM passkey p WHERE p.user_id = a.id))", [user.id],
    ).fetchone() is not None  # fmt: skip


def _scopes(scopes: Iterable[str] | None) -> str | None:
    if scopes is None:
        return None
    found = sorted(set(scopes))
    for name in found:
        if (name not in ACTIONS and name not in GROUPS) or name in _NEVER:
            raise AccountError(f"There is no scope “{name}” for tokens; use read, write or the name of an action.")
    if not found:
        raise AccountError("The token could do nothing; give it at least one scope.")
    return " ".join(found)


def _sites(sites: Iterable[str] | None) -> str | None:
    if sites is None:
        return None
    found = sorted(set(sites))
    known = {name for (name,) in db.execute("SELECT name FROM site").fetchall()}
    for name in found:
        if name not in known:
            raise AccountError(f"There is no site “{name}”.")
    return " ".join(found)


def _expanded(scopes: str | None) -> frozenset[str]:
    """Return the names of all actions that scopes stand for."""
    if scopes is None:
        return _WRITE
    groups: Mapping[str, frozenset[str]] = {"read": _READ, "write": _WRITE}
    return frozenset().union(*(groups.get(name, frozenset({name})) for name in scopes.split())) - _NEVER


def _select(condition: str, values: list[Any]) -> list[TokenRow]:
    rows = db.execute(
        "SELECT t.id, t.user_id, a.name, t.label, t.scopes, t.sites, t.created_at, t.expires_at, t.used_at,"
        f" t.used_address, t.revoked_at, t.revoked_at IS NULL AND t.expires_at > {NOW} AND a.disabled_at IS NULL"
        f" FROM token t JOIN account a ON a.id = t.user_id WHERE {condition} ORDER BY t.id DESC", values,
    ).fetchall()  # fmt: skip
    return [_row(row) for row in rows]


def _row(values: Any) -> TokenRow:
    number, user, name, label, scopes, sites, created_at, expires_at, used_at, address, revoked_at, is_valid = values
    return TokenRow(
        number, user, name, label, _words(scopes), _words(sites),
        created_at, expires_at, used_at, address, revoked_at, bool(is_valid),
    )  # fmt: skip


def _words(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(text.split())

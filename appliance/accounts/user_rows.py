"""Users as lists show them: pages of typed rows, with roles and factors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from appliance import db
from appliance.accounts.models import RoleGrant, User
from appliance.accounts.rights import Role
from appliance.db import keyset
from appliance.db.keyset import ALL, Condition, Listing, Order
from appliance.paging import PAGE_SIZE, Page

USER_ORDERS: Final[Mapping[str, Order]] = {"name": Order(("name",), (str,))}


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users."""

    #: In the name, the visible name or the address, in upper or lower case.
    text: str = ""
    #: With a role on this site, or on all sites.
    site: str = ""
    role: str = ""
    #: Whether they may sign in; None for both.
    enabled: bool | None = None


EVERY_USER: Final = UserFilter()


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user."""

    id: int
    name: str
    email: str
    display: str
    #: By the name of a site; `*` stands for all sites.
    roles: Mapping[str, Role]
    has_password: bool
    password_at: float | None
    #: Whether codes of an authenticator app are asked for.
    has_totp: bool
    passkeys: int
    created_at: float
    #: None while the user may sign in.
    disabled_at: float | None
    #: The last use of a session or a token; None if there was none that is still known.
    seen_at: float | None
    #: What an edit may expect: it differs once somebody changed the user.
    version: str


def list_users(
    wanted: UserFilter = EVERY_USER, *, size: int = PAGE_SIZE, after: str | None = None, with_total: bool = True
) -> Page[UserRow]:
    """Return a page of the users by name.

    Raises:
        CursorError: `after` is no cursor of this list.
    """
    listing = Listing("account", USER_ORDERS["name"], filter=_condition(wanted))
    return keyset.page(
        listing, "users", "id", lambda keys: _rows([key for (key,) in keys]),
        size=size, after=after, with_total=with_total,
    )  # fmt: skip


def user_row(user: User) -> UserRow:
    """Return a user as a row of the list."""
    with db.snapshot():
        return _rows([user.id])[0]


def version_of(user: User, roles: Mapping[str, Role]) -> str:
    """Return the version of a user, a digest of all that others can change."""
    values = [user.name, user.email, user.display, user.disabled_at is None, sorted(roles.items())]
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=8).hexdigest()


def _condition(wanted: UserFilter) -> Condition:
    found = ALL
    if wanted.text:
        parts = [db.contains(column, wanted.text) for column in ("name", "display", "email")]
        found &= Condition(f"({' OR '.join(sql for sql, _ in parts)})", tuple(value for _, value in parts))
    if wanted.site or wanted.role:
        grant, values = "SELECT 1 FROM role_grant g WHERE g.user_id = account.id", list[Any]()
        if wanted.site:
            grant, values = f"{grant} AND g.site IN (?, '*')", [wanted.site]
        if wanted.role:
            grant, values = f"{grant} AND g.role = ?", [*values, wanted.role]
        found &= Condition(f"EXISTS ({grant})", tuple(values))
    if wanted.enabled is not None:
        found &= Condition(f"disabled_at IS {'' if wanted.enabled else 'NOT '}NULL")
    return found


_SEEN: Final = """
SELECT a.id, (SELECT COUNT(*) FROM passkey p WHERE p.user_id = a.id),
       (SELECT MAX(s.used_at) FROM session s WHERE s.user_id = a.id),
       (SELECT MAX(t.used_at) FROM token t WHERE t.user_id = a.id)
FROM account a WHERE a.id IN ({ids})
"""


def _rows(ids: Sequence[int]) -> list[UserRow]:
    if not ids:
        return []
    users = {user.id: user for user in User.select().where(User.id.in_(ids))}
    roles: dict[int, dict[str, Role]] = {}
    for grant in RoleGrant.select().where(RoleGrant.user.in_(ids)).order_by(RoleGrant.site):
        roles.setdefault(grant.user_id, {})[grant.site] = cast(Role, grant.role)
    seen = {row[0]: row[1:] for row in db.execute(_SEEN.format(ids=db.placeholders(len(ids))), list(ids)).fetchall()}
    return [_row(users[number], roles.get(number, {}), *seen[number]) for number in ids]


def _row(user: User, roles: Mapping[str, Role], passkeys: int, session: float | None, token: float | None) -> UserRow:
    return UserRow(
        id=user.id,
        name=user.name,
        email=user.email,
        display=user.display,
        roles=roles,
        has_password=bool(user.password),
        password_at=user.password_at,
        has_totp=user.totp is not None,
        passkeys=passkeys,
        created_at=user.created_at,
        disabled_at=user.disabled_at,
        seen_at=max((at for at in (session, token) if at is not None), default=None),
        version=version_of(user, roles),
    )

"""Users: added, found, changed, given roles, disabled and enabled.

Guarantees that somebody can always manage users: the last enabled admin of all sites can be neither disabled nor given
another role, not even by two admins who do that to each other at the same moment. A user who is disabled loses all
sessions, tokens and links in the same transaction.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from peewee import IntegrityError

from appliance import audit, db
from appliance.accounts import acts, notices, sessions, tokens
from appliance.accounts.locking import lock
from appliance.accounts.models import OneTimeLink, RoleGrant, User
from appliance.accounts.rights import ALL_SITES, Role, parse_role
from appliance.accounts.user_rows import version_of
from appliance.config.services import is_mail_address
from appliance.content.models import Site
from appliance.db import NOW
from appliance.errors import AccountError, EditConflict

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
#: The most characters of a name that others see.
_DISPLAY: Final = 100


def add_user(name: str, email: str = "", display: str = "", roles: Mapping[str, str] | None = None) -> User:
    """Add a user, who has no password yet.

    Args:
        name: for signing in; letters, digits, dots, hyphens and underscores.
        email: an address that no other user has; empty for none, so that no link can be mailed.
        display: the name that others see; the name for signing in if it is empty.
        roles: by the name of a site; `*` stands for all sites.

    Raises:
        AccountError: a value cannot be used, or a user with the name or the address exists.
    """
    values = {"name": _name(name), "email": _email(email), "display": _display(display) or _name(name)}
    given = {site: _role(site, role) for site, role in (roles or {}).items()}
    with db.write():
        _require_free(values["name"], values["email"])
        try:
            with db.write():
                found = db.execute(
                    "INSERT INTO account (name, email, former_email, display, password, totp_step, handle, created_at)"
                    f" VALUES (?, ?, '', ?, '', 0, ?, {NOW}) RETURNING id",
                    [*values.values(), secrets.token_urlsafe(32)],
                ).fetchone()
        except IntegrityError as error:
            raise AccountError("A user with this name or address was added at the same moment.") from error
        user = User.get_by_id(found[0])
        for site, role in given.items():
            RoleGrant.insert(user=user, site=site, role=role).execute()
        acts.record("user.add", user, after=_masked({**values, "roles": given}))
    return user


def find_user(named: str | int) -> User:
    """Return the user with this name, id or e-mail address.

    Raises:
        AccountError: there is none.
    """
    found = look_up(named)
    if found is None:
        raise AccountError(f"There is no user “{named}”; “appliance users.list” shows them.")
    return found


def look_up(named: str | int) -> User | None:
    """Return the user with this name, id or e-mail address; None if there is none."""
    if isinstance(named, int):
        return User.get_or_none(User.id == named)
    found = look_up_name(named)
    if found is None and named.isascii() and named.isdigit() and len(named) < 10:
        return User.get_or_none(User.id == int(named))
    return found


def look_up_name(named: str) -> User | None:
    """Return the user who signs in by this name or e-mail address; None if there is none."""
    text = named.strip().lower()
    if not text.isprintable() or not text:
        return None
    return User.get_or_none((User.email if "@" in text else User.name) == text)


def edit_user(
    user: User, *, email: str | None = None, display: str | None = None, expected_version: str | None = None
) -> User:
    """Change the address or the visible name of a user; return the user as it is then.

    Raises:
        AccountError: a value cannot be used, or another user has the address.
        EditConflict: the user is no longer as the version says.
    """
    with db.write():
        row = lock(user)
        if expected_version is not None and version_of(row, sessions.roles_of(row.id)) != expected_version:
            raise EditConflict(f"the user {row.name}")
        asked = {"email": email if email is None else _email(email), "display": _display(display or "") or row.display}
        after = {key: value for key, value in asked.items() if value is not None and value != getattr(row, key)}
        if not after:
            return row
        if "email" in after:
            _require_free("", after["email"])
            # A link that was mailed to the old address must not open the account any more.
            OneTimeLink.delete().where(OneTimeLink.user == row.id).execute()
        before = {key: getattr(row, key) for key in after}
        try:
            with db.write():
                former = {"former_email": row.email} if "email" in after else {}
                User.update(**after, **former).where(User.id == row.id).execute()
        except IntegrityError as error:
            raise AccountError(f"Another user has the address {after.get('email')}.") from error
        acts.record("user.edit", row, before=_masked(before), after=_masked(after))
        if before.get("email"):
            notices.enqueue_notice(row, "address")
        return User.get_by_id(row.id)


def set_role(user: User, site: str, role: str | None) -> bool:
    """Give a user a role on a site, in place of an earlier one, or take it away. The site `*` stands for all.

    Returns whether that changed anything. A role on a site that is there no more can be taken away.

    Raises:
        AccountError: there is no such role or site, or this is the last admin.
    """
    given = None if role is None else _role(site, role)
    with db.write():
        row = lock(user)
        before = sessions.roles_of(row.id).get(site)
        if before is None and given is None:
            _require_site(site)
        if before == given:
            return False
        if site == ALL_SITES and before == "admin":
            _require_other_admin(row)
        RoleGrant.delete().where(RoleGrant.user == row.id, RoleGrant.site == site).execute()
        if given is not None:
            RoleGrant.insert(user=row.id, site=site, role=given).execute()
        acts.record("user.set_role", row, before={site: before}, after={site: given})
        return True


def disable(user: User) -> None:
    """Disable a user: sessions, tokens and links end at once.

    Raises:
        AccountError: this is the last admin.
    """
    with db.write():
        row = lock(user)
        if row.disabled_at is not None:
            return
        _require_other_admin(row)
        db.execute(f"UPDATE account SET disabled_at = {NOW} WHERE id = ?", [row.id])
        sessions.end_all(row)
        tokens.revoke_all(row)
        OneTimeLink.delete().where(OneTimeLink.user == row.id).execute()
        acts.record("user.disable", row)


def enable(user: User) -> None:
    """Enable a user who was disabled. Sessions and tokens from before stay ended."""
    with db.write():
        row = lock(user)
        if row.disabled_at is None:
            return
        User.update(disabled_at=None).where(User.id == row.id).execute()
        acts.record("user.enable", row)


#: The admins of all sites, and whether each can sign in: who was invited has no password at first.
_ADMINS: Final = """
SELECT a.id, a.password <> '' OR EXISTS (SELECT 1 FROM passkey p WHERE p.user_id = a.id)
FROM role_grant g JOIN account a ON a.id = g.user_id
WHERE g.site = '*' AND g.role = 'admin' AND a.disabled_at IS NULL
"""


def _require_other_admin(user: User) -> None:
    """Check that somebody else can manage users, if this user can."""
    db.acquire_lock("admins")  # two admins who disable each other at once: the second waits, and is the last then
    admins = {number: bool(is_able) for number, is_able in db.execute(_ADMINS).fetchall()}
    is_able = admins.pop(user.id, None)
    if is_able is not None and not (any(admins.values()) if is_able else admins):
        raise AccountError(f"{user.name} is the last admin of all sites; make somebody else an admin first.")


def _require_free(name: str, email: str) -> None:
    if name and User.get_or_none(User.name == name):
        raise AccountError(f"There is a user {name} already; choose another name.")
    if email and User.get_or_none(User.email == email):
        raise AccountError(f"Another user has the address {email}.")


def _masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as the audit keeps them, which forgets nothing."""
    return {key: audit.mask_email(value) if key == "email" and value else value for key, value in values.items()}


def _name(text: str) -> str:
    name = text.strip().lower()
    if not _NAME.fullmatch(name) or name.isdigit():
        raise AccountError(
            f"“{text}” cannot be a user's name; use a to z, digits, dots, hyphens and underscores, and a letter first."
        )
    return name


def _email(text: str) -> str:
    email = text.strip().lower()
    if email and not is_mail_address(email):
        raise AccountError(f"“{text}” is not a mail address; write it like ada@example.org.")
    return email


def _display(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())[:_DISPLAY]


def _role(site: str, role: str) -> Role:
    found = parse_role(role)
    _require_site(site)
    return found


def _require_site(name: str) -> None:
    if name != ALL_SITES and Site.get_or_none(Site.name == name) is None:
        raise AccountError(f"There is no site “{name}”; write * for all sites.")

"""The verbs for users."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from getpass import getpass
from typing import Protocol

from appliance import db
from appliance.accounts import links, sessions, user_rows, users
from appliance.accounts.links import Credentials
from appliance.accounts.models import User
from appliance.accounts.sessions import SessionRow
from appliance.accounts.user_rows import UserFilter, UserRow
from appliance.config import Config
from appliance.errors import AccountError
from appliance.paging import Page
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class UserVerbs(Protocol):
    """The verbs. A user is named by the name for signing in, by the address or by the id."""

    def list_users(self, text: str, *, size: int, after: str | None) -> Page[UserRow]:
        """Read a page of the users with a text in their name or address."""

    def get_user(self, name: str) -> UserRow:
        """Return a user."""

    def add_user(
        self, name: str, email: str, display: str, roles: Mapping[str, str], *, password: bool, mail: bool
    ) -> Credentials:
        """Add a user."""

    def edit_user(self, name: str, *, email: str | None, display: str | None) -> UserRow:
        """Change the given fields of a user."""

    def set_role(self, name: str, site: str, role: str | None) -> UserRow:
        """Give a user a role on a site, or take it away."""

    def disable(self, name: str) -> str:
        """Disable a user; returns the name."""

    def enable(self, name: str) -> str:
        """Enable a user; returns the name."""

    def reset(self, name: str, *, password: bool, mail: bool, second_factor: bool) -> Credentials:
        """Let a user choose a new password, and remove the second factors if asked to."""

    def list_sessions(self, name: str) -> Sequence[SessionRow]:
        """List the sessions of a user, the one used last first."""

    def end_session(self, name: str, session: int) -> None:
        """End a session of a user."""

    def end_sessions(self, name: str) -> int:
        """End all sessions of a user; returns how many."""


@contextmanager
def open_users() -> Iterator[UserVerbs]:
    """Open the verbs for users, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.users import RemoteUsers

        with connect(address) as connection:
            yield RemoteUsers(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalUsers(config)


class _LocalUsers:
    """The verbs on this host."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def list_users(self, text: str, *, size: int, after: str | None) -> Page[UserRow]:
        return user_rows.list_users(UserFilter(text=text), size=size, after=after, with_total=False)

    def get_user(self, name: str) -> UserRow:
        return user_rows.user_row(users.find_user(name))

    def add_user(
        self, name: str, email: str, display: str, roles: Mapping[str, str], *, password: bool, mail: bool
    ) -> Credentials:
        made = _make_hash(name, email) if password or not self._config.admin.url else ""
        with db.write():
            user = users.add_user(name, email, display, roles)
            if made:
                _store(user, made)
            if mail:
                links.invite(user)
            url = "" if made or mail else links.issue(user, "invitation")
        return Credentials(user.name, bool(made), url)

    def edit_user(self, name: str, *, email: str | None, display: str | None) -> UserRow:
        return user_rows.user_row(users.edit_user(users.find_user(name), email=email, display=display))

    def set_role(self, name: str, site: str, role: str | None) -> UserRow:
        user = users.find_user(name)
        users.set_role(user, site, role)
        return user_rows.user_row(user)

    def disable(self, name: str) -> str:
        user = users.find_user(name)
        users.disable(user)
        return user.name

    def enable(self, name: str) -> str:
        user = users.find_user(name)
        users.enable(user)
        return user.name

    def reset(self, name: str, *, password: bool, mail: bool, second_factor: bool) -> Credentials:
        user = users.find_user(name)
        made = _make_hash(user.name, user.email) if password or not self._config.admin.url else ""
        if mail:
            links.require_mail(user)
        with db.write():
            if second_factor:
                from appliance.accounts import factors

                factors.remove_all(user)
            if made:
                _store(user, made)
            elif mail:
                links.mail_reset(user)
            url = "" if made or mail else links.issue(user, "reset")
        return Credentials(user.name, bool(made), url)

    def list_sessions(self, name: str) -> Sequence[SessionRow]:
        return sessions.list_sessions(users.find_user(name))

    def end_session(self, name: str, session: int) -> None:
        sessions.end(session, user=users.find_user(name))

    def end_sessions(self, name: str) -> int:
        return sessions.end_all(users.find_user(name))


def _make_hash(name: str, email: str) -> str:
    """Ask for a password, and return its hash."""
    from appliance.accounts import passwords

    if sys.stdin.isatty():
        given = getpass(f"Password of {name}: ")
        if getpass("Once more: ") != given:
            raise AccountError("The two passwords differ; nothing was changed.")
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    passwords.require_strong(given, User(name=name, email=email))
    return passwords.make_hash(given)


def _store(user: User, made: str) -> None:
    from appliance.accounts import passwords

    passwords.store(user, made)

"""Users of an installation elsewhere, by its API: what those who manage users do without a shell on the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from appliance.accounts.links import Credentials
from appliance.accounts.rights import parse_role
from appliance.accounts.sessions import SessionRow
from appliance.accounts.user_rows import UserRow
from appliance.api_client.answers import decode, decode_page
from appliance.api_client.connection import Connection
from appliance.errors import AccountError
from appliance.paging import Page

_ONLY_MAILED = "By the API, links for choosing a password are only mailed; give --mail."


def find_user(connection: Connection, named: str) -> UserRow:
    """Return the user with a name, an address or an id.

    Raises:
        ApiRefused: there is none, or one may not look.
    """
    return decode(UserRow, connection.get("/users/lookup", reference=named))


class RemoteUsers:
    """The verbs for users. Nobody sees a password or a link here: links are mailed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list_users(self, text: str, *, size: int, after: str | None) -> Page[UserRow]:
        """Read a page of the users with a text in their name or address."""
        return decode_page(UserRow, self._connection.get("/users", text=text, size=size, after=after))

    def get_user(self, name: str) -> UserRow:
        """Return a user."""
        return find_user(self._connection, name)

    def add_user(
        self, name: str, email: str, display: str, roles: Mapping[str, str], *, password: bool, mail: bool
    ) -> Credentials:
        """Add a user, and mail an invitation.

        Raises:
            AccountError: no mail is asked for, or there is no address for it.
        """
        if password or not mail:
            raise AccountError(_ONLY_MAILED)
        if not email:
            raise AccountError(f"{name} has no e-mail address; give the user one first.")
        body = {
            "name": name, "email": email, "display": display, "invite": True,
            "roles": {site: parse_role(role) for site, role in roles.items()},
        }  # fmt: skip
        return Credentials(decode(UserRow, self._connection.post("/users", body).value).name)

    def edit_user(self, name: str, *, email: str | None, display: str | None) -> UserRow:
        """Change the given fields of a user."""
        given = {"email": email, "display": display}
        return self._edit(name, {field: value for field, value in given.items() if value is not None})

    def set_role(self, name: str, site: str, role: str | None) -> UserRow:
        """Give a user a role on a site, or take it away."""
        user = self.get_user(name)
        path = f"/users/{user.id}/roles/{quote(site, safe='')}"
        if role is None:
            self._connection.ask("DELETE", path)
        else:
            self._connection.ask("PUT", path, body={"role": parse_role(role)})
        return decode(UserRow, self._connection.get(f"/users/{user.id}"))

    def disable(self, name: str) -> str:
        """Disable a user; returns the name."""
        return self._edit(name, {"enabled": False}).name

    def enable(self, name: str) -> str:
        """Enable a user; returns the name."""
        return self._edit(name, {"enabled": True}).name

    def reset(self, name: str, *, password: bool, mail: bool, second_factor: bool) -> Credentials:
        """Mail a user a link to choose a new password with, and remove the second factors if asked to.

        Raises:
            AccountError: no mail is asked for.
        """
        user = self.get_user(name)
        if password or not mail:
            raise AccountError(_ONLY_MAILED)
        if second_factor:
            self._connection.ask("DELETE", f"/users/{user.id}/factors", query={"mail": "true"})
        else:
            self._connection.ask("POST", f"/users/{user.id}/link", query={"purpose": "reset"})
        return Credentials(user.name)

    def list_sessions(self, name: str) -> Sequence[SessionRow]:
        """List the sessions of a user, the one used last first."""
        found = self._connection.get(f"/users/{self.get_user(name).id}/sessions")
        return [decode(SessionRow, row) for row in found["rows"]]

    def end_session(self, name: str, session: int) -> None:
        """End a session of a user. One that has ended already is left alone."""
        user = self.get_user(name)
        if session > 0:
            self._connection.ask("DELETE", f"/users/{user.id}/sessions/{session}")

    def end_sessions(self, name: str) -> int:
        """End all sessions of a user; returns how many."""
        reply = self._connection.ask("DELETE", f"/users/{self.get_user(name).id}/sessions")
        return int(reply.value["sessions"])

    def _edit(self, name: str, changes: Mapping[str, Any]) -> UserRow:
        path = f"/users/{self.get_user(name).id}"
        return decode(UserRow, self._connection.ask("PATCH", path, body=changes).value)

"""Tokens of an installation elsewhere: one's own and, for those who manage users, those of others."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.accounts.tokens import TokenRow
from appliance.api_client.answers import decode, decode_rows
from appliance.api_client.connection import Connection
from appliance.api_client.users import find_user
from appliance.errors import AccountError, ApiRefused


class RemoteTokens:
    """The verbs for tokens. A token is made for oneself alone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self, user: str, label: str, *, scopes: Sequence[str] | None, sites: Sequence[str] | None, days: int | None
    ) -> tuple[str, TokenRow]:
        """Make a token; returns its secret, which is not shown again, and the token.

        Raises:
            AccountError: it is for somebody else, who would have to be asked.
        """
        if not self._is_oneself(user):
            raise AccountError(f"By the API you make tokens for yourself alone, and not for {user}.")
        given = {"label": label, "scopes": scopes, "sites": sites, "days": days}
        body = {name: value for name, value in given.items() if value is not None}
        made = self._connection.post("/tokens", body).value
        return str(made["secret"]), decode(TokenRow, made)

    def list_tokens(self, user: str, *, ended: bool) -> Sequence[TokenRow]:
        """List the tokens of a user, or of everybody if none is named, the newest first."""
        if not user:
            return self._rows("/users/tokens", ended)
        return self._rows("/tokens" if self._is_oneself(user) else f"/users/{self._id_of(user)}/tokens", ended)

    def revoke(self, token: int) -> TokenRow:
        """End a token at once; returns what it was.

        Raises:
            AccountError: there is no such token.
        """
        own = {row.id: row for row in self._rows("/tokens", ended=True)}
        row = own.get(token) or self._of_others(token)
        if row is None:
            raise AccountError(f"There is no token {token}; “appliance tokens.list” shows them.")
        self._connection.ask("DELETE", f"/tokens/{token}" if token in own else f"/users/{row.user}/tokens/{token}")
        return row

    def _of_others(self, token: int) -> TokenRow | None:
        try:
            rows = self._rows("/users/tokens", ended=True)
        except ApiRefused as error:
            if error.status == 403:  # tokens of others are not there for those who may not see them
                return None
            raise
        return next((row for row in rows if row.id == token), None)

    def _rows(self, path: str, ended: bool) -> list[TokenRow]:
        return decode_rows(TokenRow, self._connection.get(path, ended="true" if ended else None))

    def _is_oneself(self, user: str) -> bool:
        me = self._connection.get("/me")
        return user.strip().lower() == me["name"] or ("@" in user and self._id_of(user) == me["user"])

    def _id_of(self, user: str) -> int:
        return find_user(self._connection, user).id

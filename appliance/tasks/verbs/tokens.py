"""The verbs for tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from appliance.accounts import tokens, users
from appliance.accounts.tokens import TokenRow
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class TokenVerbs(Protocol):
    """The verbs."""

    def add(
        self, user: str, label: str, *, scopes: Sequence[str] | None, sites: Sequence[str] | None, days: int | None
    ) -> tuple[str, TokenRow]:
        """Make a token; returns its secret, which is not shown again, and the token."""

    def list_tokens(self, user: str, *, ended: bool) -> Sequence[TokenRow]:
        """List the tokens of a user, or of everybody if none is named, the newest first."""

    def revoke(self, token: int) -> TokenRow:
        """End a token at once; returns what it was."""


@contextmanager
def open_tokens() -> Iterator[TokenVerbs]:
    """Open the verbs for tokens, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.tokens import RemoteTokens

        with connect(address) as connection:
            yield RemoteTokens(connection)
    else:
        with open_installation():
            yield _LocalTokens()


class _LocalTokens:
    """The verbs on this host."""

    def add(
        self, user: str, label: str, *, scopes: Sequence[str] | None, sites: Sequence[str] | None, days: int | None
    ) -> tuple[str, TokenRow]:
        return tokens.create(users.find_user(user), label, scopes=scopes, sites=sites, days=days)

    def list_tokens(self, user: str, *, ended: bool) -> Sequence[TokenRow]:
        return tokens.list_tokens(users.find_user(user) if user else None, all_states=ended)

    def revoke(self, token: int) -> TokenRow:
        row = tokens.get_token(token)
        tokens.revoke(row.id)
        return row

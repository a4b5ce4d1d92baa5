"""Your own account and tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from appliance.accounts import tokens, users
from appliance.accounts.rights import ACTIONS, Role
from appliance.web.api.fields import Rows, Sent, Shown
from appliance.web.api.operations import Answer, Call, found, operation
from appliance.web.api.problems import Problem
from appliance.web.api.resources.token_model import Token, TokenQuery


class Me(Shown):
    """Who asks, and what they may do."""

    user: int
    name: str
    roles: dict[str, Role] = Field(description="By the name of a site; `*` stands for all sites.")
    token: str = Field(description="The label of the token.")
    scopes: list[str] = Field(description="The actions that the token is limited to.")
    sites: list[str] | None = Field(description="The sites that the token is limited to; null for no limit.")


class NewToken(Sent):
    """A new token, with at most the rights of the one that asks for it, and no longer life."""

    label: str = Field(min_length=1, max_length=100, description="What it is for. The audit names it.")
    scopes: list[str] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Names of actions, `read` or `write`; null for those of the token that asks.",
    )
    sites: list[str] | None = Field(None, min_length=1, max_length=100)
    days: float | None = Field(None, gt=0, le=3650)


class MadeToken(Token):
    """A token with its secret, which is shown this once."""

    secret: str


@operation("GET", "/me", "account.read", answer=Me)
def read_me(call: Call) -> Answer:
    """Tell who you are, and what this token may do."""
    who = call.principal
    return Answer(
        {
            "user": who.user, "name": who.name, "roles": dict(who.roles), "token": who.token,
            "scopes": sorted(ACTIONS if who.scopes is None else who.scopes),
            "sites": None if who.sites is None else sorted(who.sites),
        }
    )  # fmt: skip


@operation("GET", "/tokens", "account.read", query=TokenQuery, answer=Rows[Token])
def list_tokens(call: Call) -> Answer:
    """List your tokens."""
    user = users.find_user(call.principal.user)
    return Answer({"rows": tokens.list_tokens(user, all_states=call.query.ended)})


@operation("POST", "/tokens", "token.add", body=NewToken, answer=MadeToken, status=201, has_secret=True)
def add_token(call: Call) -> Answer:
    """Make a token with at most the rights of the one that asks, which ends no later. Its secret is shown this once."""
    who, body = call.principal, call.body
    scopes = _within("scopes", body.scopes, who.scopes, _expanded)
    sites = _within("sites", body.sites, who.sites, set)
    secret, row = tokens.create(
        users.find_user(who.user), body.label, scopes=scopes, sites=sites, days=body.days, is_weak=who.is_weak,
        until=who.expires_at,
    )  # fmt: skip
    values = {name: getattr(row, name) for name in Token.model_fields}
    return Answer({**values, "secret": secret})


@operation("DELETE", "/tokens/{token}", "token.add")
def revoke_token(call: Call) -> Answer:
    """End one of your tokens at once."""
    user = users.find_user(call.principal.user)
    found(lambda: tokens.revoke(call.path["token"], user=user))
    return Answer()


def _within(what: str, asked: list[str] | None, own: frozenset[str] | None, expand: Any) -> list[str] | None:
    """Return what a new token is limited to.

    Raises:
        Problem: it would have more than the one that asks.
    """
    if own is None:
        return asked
    if asked is None:
        return sorted(own)
    if more := sorted(expand(asked) - own):
        raise Problem(403, f"This token has not these {what} itself, so it cannot give them: {', '.join(more)}.")
    return asked


def _expanded(scopes: Iterable[str]) -> set[str]:
    groups = {
        "read": {name for name, action in ACTIONS.items() if not action.changes},
        "write": {name for name, action in ACTIONS.items() if not (action.scope == "self" and action.changes)},
    }
    return set[str]().union(*(groups.get(name, {name}) for name in scopes))

"""Commands about tokens, with which programs use the API for a user."""

from __future__ import annotations

from invoke import Context, task

from appliance.accounts.tokens import TokenRow
from appliance.tasks.command_line import command, print_json, print_line
from appliance.tasks.edit_output import parse_id
from appliance.tasks.list_output import format_timestamp, print_columns, row_json
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.verbs.tokens import open_tokens

_USER = {"user": "The user: the name for signing in, or the e-mail address."}


@task(
    positional=["user", "label"],
    iterable=["scope", "site"],
    help={
        **_USER,
        "label": "What the token is for; the audit names it.",
        "scope": "read, write, or the name of an action; may be given several times. Without it there is no limit.",
        "site": "A site that the token is limited to; may be given several times.",
        "days": "Days until it ends; by default and at most token_days of [admin].",
        **VERBOSE,
    },
)
@command
def add(
    _context: Context,
    user: str,
    label: str,
    scope: list[str] | None = None,
    site: list[str] | None = None,
    days: int = 0,
    verbose: bool = False,
) -> None:
    """Make a token for a user and print its secret, which is not shown again."""
    with open_tokens() as verbs:
        secret, row = verbs.add(user, label, scopes=scope or None, sites=site or None, days=days or None)
    print_line(secret)
    print_line(f"Token {row.id} is valid until {format_timestamp(row.expires_at)}. Keep it now: it is not shown again.")


@task(
    name="list",
    help={"user": "Only those of this user.", "all": "Also those that have ended.", **JSON, **VERBOSE},
)
@command
def tokens_list(
    _context: Context, user: str = "", all: bool = False, json: bool = False, verbose: bool = False
) -> None:
    """List the tokens that can be used, the newest first."""
    with open_tokens() as verbs:
        rows = verbs.list_tokens(user, ended=all)
    if json:
        print_json([row_json(row) for row in rows])
    elif not rows:
        print_line("none")
    else:
        columns = {
            "id": [str(row.id) for row in rows],
            "user": [row.user_name for row in rows],
            "label": [row.label for row in rows],
            "scopes": [_limit(row.scopes) for row in rows],
            "sites": [_limit(row.sites) for row in rows],
            "until": [_end(row) for row in rows],
            "used": [f"{format_timestamp(row.used_at)} {row.used_address}".strip() for row in rows],
        }
        print_columns(columns, {"label": 1, "scopes": 1})


@task(positional=["token"], help={"token": "The number of the token.", **VERBOSE})
@command
def revoke(_context: Context, token: int, verbose: bool = False) -> None:
    """End a token at once."""
    with open_tokens() as verbs:
        row = verbs.revoke(parse_id(token, "a token by the number that tokens.list shows"))
    print_line(f"token {row.id} of {row.user_name} ({row.label}) is revoked")


def _limit(names: tuple[str, ...] | None) -> str:
    return "all" if names is None else " ".join(names)


def _end(row: TokenRow) -> str:
    if row.revoked_at is not None:
        return f"revoked {format_timestamp(row.revoked_at)}"
    return format_timestamp(row.expires_at)

"""Commands about users: who may sign in to the admin application, with which roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, task

from appliance.accounts.rights import ALL_SITES
from appliance.errors import AccountError
from appliance.tasks.command_line import command, pluralize, print_json, print_line
from appliance.tasks.list_output import format_timestamp, print_columns, read_rows, row_json
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.verbs.users import open_users

if TYPE_CHECKING:
    from appliance.accounts.user_rows import UserRow

_NAME = {"name": "The user: the name for signing in, or the e-mail address."}
_PASSWORD = {"password": "Ask for the password on the terminal, or read it from the first line of the standard input."}
_MAIL = {"mail": "Mail the link to the user instead of printing it."}


@task(
    positional=["name"],
    iterable=["role"],
    help={
        "name": "The name for signing in, such as ada.",
        "email": "An address for invitations and for links to a new password.",
        "display": "The name that others see; by default the name for signing in.",
        "role": "SITE:ROLE, with * for all sites; may be given several times. See the table of rights.",
        "admin": "The role admin on all sites, as the first user needs it.",
        **_PASSWORD,
        "mail": "Mail an invitation instead of printing a link.",
        **VERBOSE,
    },
)
@command
def add(
    _context: Context,
    name: str,
    email: str = "",
    display: str = "",
    role: list[str] | None = None,
    admin: bool = False,
    password: bool = False,
    mail: bool = False,
    verbose: bool = False,
) -> None:
    """Add a user, and print a one-time link with which to choose a password."""
    roles = dict(_role(one) for one in role or [])
    if admin:
        roles[ALL_SITES] = "admin"
    with open_users() as verbs:
        given = verbs.add_user(name, email, display, roles, password=password, mail=mail)
    print_line(f"added {given.user}{', and mailed an invitation' if mail else ''}")
    if given.url:
        print_line(f"Within 7 days, choose the password at\n{given.url}")


@task(name="list", help={"text": "Only users with this in their name or address.", **JSON, **VERBOSE})
@command
def users_list(_context: Context, text: str = "", json: bool = False, verbose: bool = False) -> None:
    """List the users by name, with their roles and second factors."""
    with open_users() as verbs:
        rows = read_rows(lambda size, after: verbs.list_users(text, size=size, after=after), limit=0)
    if json:
        print_json([_json(row) for row in rows])
    elif not rows:
        print_line("none")
    else:
        columns = {
            "name": [row.name for row in rows],
            "e-mail": [row.email for row in rows],
            "roles": [_roles(row) for row in rows],
            "factors": [_factors(row) for row in rows],
            "seen": [format_timestamp(row.seen_at) for row in rows],
            "state": ["disabled" if row.disabled_at else "" for row in rows],
        }
        print_columns(columns, {"roles": 1})


@task(positional=["name"], help={**_NAME, **JSON, **VERBOSE})
@command
def show(_context: Context, name: str, json: bool = False, verbose: bool = False) -> None:
    """Show a user: address, roles, second factors, and when the user was seen."""
    with open_users() as verbs:
        row = verbs.get_user(name)
    if json:
        print_json(_json(row))
        return
    state = f"disabled since {format_timestamp(row.disabled_at)}" if row.disabled_at else "enabled"
    password = f"set {format_timestamp(row.password_at)}" if row.has_password else "none"
    lines = {
        "name": row.name,
        "display": row.display,
        "e-mail": row.email or "none",
        "state": state,
        "roles": _roles(row) or "none",
        "password": password,
        "factors": _factors(row) or "none",
        "added": format_timestamp(row.created_at),
        "seen": format_timestamp(row.seen_at) or "never",
    }
    for label, value in lines.items():
        print_line(f"{label:<10}{value}")


@task(
    positional=["name"],
    help={
        **_NAME,
        "email": "A new address. Links that were mailed to the one before no longer work.",
        "display": "A new name that others see.",
        **VERBOSE,
    },
)
@command
def edit(
    _context: Context, name: str, email: str | None = None, display: str | None = None, verbose: bool = False
) -> None:
    """Change the address of a user, or the name that others see. The name for signing in stays."""
    if email is None and display is None:
        raise AccountError("Give something to change: --email or --display.")
    with open_users() as verbs:
        user = verbs.edit_user(name, email=email, display=display)
    print_line(f"{user.name}: {user.display}{f', {user.email}' if user.email else ''}")


@task(
    positional=["name", "role"],
    help={**_NAME, "role": "SITE:ROLE, with * for all sites; SITE:none takes it away.", **VERBOSE},
)
@command
def role(_context: Context, name: str, role: str, verbose: bool = False) -> None:
    """Give a user a role on a site, or take it away."""
    site, given = _role(role)
    with open_users() as verbs:
        user = verbs.set_role(name, site, None if given == "none" else given)
    print_line(f"{user.name}: {_roles(user) or 'no role'}")


@task(positional=["name"], help={**_NAME, **VERBOSE})
@command
def disable(_context: Context, name: str, verbose: bool = False) -> None:
    """Disable a user: sessions, tokens and links end at once."""
    with open_users() as verbs:
        user = verbs.disable(name)
    print_line(f"{user} is disabled, all sessions and tokens are ended")


@task(positional=["name"], help={**_NAME, **VERBOSE})
@command
def enable(_context: Context, name: str, verbose: bool = False) -> None:
    """Let a user who was disabled sign in again. Sessions and tokens from before stay ended."""
    with open_users() as verbs:
        user = verbs.enable(name)
    print_line(f"{user} is enabled")


@task(
    positional=["name"],
    help={
        **_NAME,
        **_PASSWORD,
        **_MAIL,
        "second-factor": "Also remove the authenticator app, passkeys and recovery codes, and end all sessions.",
        **VERBOSE,
    },
)
@command
def reset(
    _context: Context,
    name: str,
    password: bool = False,
    mail: bool = False,
    second_factor: bool = False,
    verbose: bool = False,
) -> None:
    """Print a one-time link with which a user chooses a new password, for somebody who forgot it or lost a phone."""
    with open_users() as verbs:
        given = verbs.reset(name, password=password, mail=mail, second_factor=second_factor)
    if second_factor:
        print_line(f"removed the second factors of {given.user}")
    if given.has_password:
        print_line(f"{given.user} has the new password")
    if given.url:
        print_line(f"Within an hour, choose the password at\n{given.url}")


@task(
    positional=["name"],
    help={
        **_NAME,
        "end": "End the session with this number.",
        "end-all": "End all sessions of the user.",
        **JSON,
        **VERBOSE,
    },
)
@command
def users_sessions(
    _context: Context, name: str, end: int = 0, end_all: bool = False, json: bool = False, verbose: bool = False
) -> None:
    """List the sessions of a user, the one used last first; or end one or all of them."""
    with open_users() as verbs:
        if end:
            verbs.end_session(name, end)
        if end_all:
            print_line(f"{pluralize(verbs.end_sessions(name), 'session')} ended")
            return
        rows = verbs.list_sessions(name)
    if json:
        print_json([{**row_json(row), "factors": sorted(row.factors)} for row in rows])
    elif not rows:
        print_line("none")
    else:
        columns = {
            "id": [str(row.id) for row in rows],
            "since": [format_timestamp(row.created_at) for row in rows],
            "used": [format_timestamp(row.used_at) for row in rows],
            "address": [row.address for row in rows],
            "by": [" ".join(sorted(row.factors)) for row in rows],
            "browser": [row.agent for row in rows],
        }
        print_columns(columns, {"browser": 1})


def _role(text: str) -> tuple[str, str]:
    site, colon, name = text.partition(":")
    if not (site and colon and name):
        raise AccountError(f"“{text}” is not a role on a site; write it like blog:editor or *:viewer.")
    return site, name


def _json(row: UserRow) -> dict[str, object]:
    return {**row_json(row), "roles": dict(row.roles)}


def _roles(row: UserRow) -> str:
    return " ".join(f"{site}:{name}" for site, name in row.roles.items())


def _factors(row: UserRow) -> str:
    passkeys = [pluralize(row.passkeys, "passkey")] if row.passkeys else []
    return ", ".join([*(["app"] if row.has_totp else []), *passkeys])

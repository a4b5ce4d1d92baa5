"""Users: listed, added, edited, given roles, mailed links, disabled and enabled; their sessions, factors and tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from appliance import db
from appliance.accounts import factors, links, sessions, tokens, user_rows, users
from appliance.accounts.rights import Role
from appliance.accounts.user_rows import UserFilter
from appliance.web.api.fields import PageOf, PageQuery, Rows, Sent, Shown, left_out
from appliance.web.api.operations import Answer, Call, found, operation
from appliance.web.api.problems import NotThere
from appliance.web.api.resources.token_model import Token, TokenQuery


class User(Shown):
    """A user. Times are seconds since the epoch."""

    id: int
    name: str = Field(description="For signing in.")
    email: str
    display: str = Field(description="The name that others see.")
    roles: dict[str, Role] = Field(description="By the name of a site; `*` stands for all sites.")
    has_password: bool
    password_at: float | None
    has_totp: bool = Field(description="Whether codes of an authenticator app are asked for.")
    passkeys: int
    created_at: float
    disabled_at: float | None = Field(description="Null while the user may sign in.")
    seen_at: float | None
    version: str = Field(description="The ETag, for If-Match.")


class UserQuery(PageQuery):
    """Which users."""

    text: str = Field("", max_length=200, description="A part of a name or of the address.")
    site: str = Field("", max_length=63, description="Those with a role on this site.")
    role: Role | None = None
    enabled: bool | None = None


class NewUser(Sent):
    """A new user, who has no password yet."""

    name: str = Field(min_length=1, max_length=64)
    email: str = Field("", max_length=254)
    display: str = Field("", max_length=100)
    roles: dict[str, Role] = Field({}, description="By the name of a site; `*` stands for all sites.")
    invite: bool = Field(True, description="Whether to mail a link with which the user sets a password.")


class UserEdit(Sent):
    """The fields of a user that are to change; the others stay."""

    email: str = Field(default_factory=left_out, max_length=254)
    display: str = Field(default_factory=left_out, max_length=100)
    enabled: bool = Field(default_factory=left_out, description="False ends all sessions and tokens at once.")


class GivenRole(Sent):
    """A role on a site."""

    role: Role


class UserReference(Sent):
    """Which user."""

    reference: str = Field(min_length=1, max_length=254, description="The name for signing in, the address, or the id.")


class LinkQuery(Sent):
    """Which link."""

    purpose: Literal["invitation", "reset"] | None = Field(
        None, description="By default an invitation for a user without a password, and else a reset."
    )


class FactorQuery(Sent):
    """What else is done."""

    mail: bool = Field(False, description="Whether to mail the user a link to choose a new password with.")


class EndedSessions(Shown):
    """What was ended."""

    sessions: int


class Session(Shown):
    """A session of a browser. Times are seconds since the epoch."""

    id: int
    user: int
    factors: list[str] = Field(description="What the user has shown: `password`, `totp`, `recovery` or `passkey`.")
    address: str
    agent: str = Field(description="The browser, as it names itself.")
    created_at: float
    used_at: float
    confirmed_at: float = Field(description="When the user last showed a password or another factor.")
    pending: Literal["", "second_factor", "set_up"] = Field(
        description="What it still lacks before it may do anything."
    )
    ends_at: float = Field(description="When it ends in any case.")


_PATH = "/users/{user}"


@operation("GET", "/users", "user.read", query=UserQuery, answer=PageOf[User])
def list_users(call: Call) -> Answer:
    """List users by name."""
    asked: UserQuery = call.query
    wanted = UserFilter(asked.text, asked.site, asked.role or "", asked.enabled)
    return Answer(user_rows.list_users(wanted, size=asked.size, after=asked.after, with_total=asked.total))


@operation("GET", _PATH, "user.read", answer=User, has_version=True)
def read_user(call: Call) -> Answer:
    """Return a user."""
    return _answer(call.path["user"])


@operation("GET", "/users/lookup", "user.read", query=UserReference, answer=User, has_version=True)
def look_up_user(call: Call) -> Answer:
    """Return the user with a name, an address or an id, as the commands of the shell take them."""
    return _answer(found(lambda: users.find_user(call.query.reference)).id)


@operation("GET", "/users/tokens", "user.read", query=TokenQuery, answer=Rows[Token])
def list_all_tokens(call: Call) -> Answer:
    """List the tokens of all users, without their secrets."""
    return Answer({"rows": tokens.list_tokens(all_states=call.query.ended)})


@operation("POST", "/users", "user.edit", body=NewUser, answer=User, status=201, has_version=True)
def add_user(call: Call) -> Answer:
    """Add a user, and mail an invitation to set a password."""
    body: NewUser = call.body
    with db.write():  # nobody is added who cannot be invited
        user = users.add_user(body.name, body.email, body.display, body.roles)
        if body.invite and body.email:
            links.invite(user)
    return _answer(user.id, f"/users/{user.id}")


@operation("PATCH", _PATH, "user.edit", body=UserEdit, answer=User, has_version=True, is_conditional=True)
def edit_user(call: Call) -> Answer:
    """Change a user, or disable or enable one. The last admin of all sites stays enabled."""
    user, changes = _user(call), call.body.model_dump(exclude_unset=True)
    enabled = changes.pop("enabled", None)
    expected = call.expected(user_rows.user_row(user).version)
    with db.write():
        users.edit_user(user, **changes, expected_version=expected)
        if enabled is not None:
            (users.enable if enabled else users.disable)(user)
    return _answer(user.id)


@operation(
    "PUT", f"{_PATH}/roles/{{role_site}}", "user.edit", body=GivenRole, answer=User, has_version=True,
)  # fmt: skip
def set_role(call: Call) -> Answer:
    """Give a user a role on a site, or with `*` on all sites, in place of the one there."""
    user = _user(call)
    changed = users.set_role(user, call.path["role_site"], call.body.role)
    return replace(_answer(user.id), changed=changed)


@operation("DELETE", f"{_PATH}/roles/{{role_site}}", "user.edit")
def remove_role(call: Call) -> Answer:
    """Take away a user's role on a site, or with `*` that on all sites."""
    return Answer(changed=users.set_role(_user(call), call.path["role_site"], None))


@operation("POST", f"{_PATH}/link", "user.edit", query=LinkQuery)
def mail_link(call: Call) -> Answer:
    """Mail a user a link to choose a password with."""
    user = _user(call)
    purpose = call.query.purpose or ("reset" if user.password else "invitation")
    (links.mail_reset if purpose == "reset" else links.invite)(user)
    return Answer()


@operation("DELETE", f"{_PATH}/factors", "user.edit", query=FactorQuery)
def remove_factors(call: Call) -> Answer:
    """Remove the second factors of a user who lost them, and end all sessions."""
    user = _user(call)
    with db.write():
        factors.remove_all(user)
        if call.query.mail:
            links.mail_reset(user)
    return Answer()


@operation("GET", f"{_PATH}/sessions", "user.read", answer=Rows[Session])
def list_user_sessions(call: Call) -> Answer:
    """List the sessions of a user, the one used last first."""
    rows = sessions.list_sessions(_user(call))
    names = [name for name in Session.model_fields if name != "factors"]
    shown = [{**{name: getattr(row, name) for name in names}, "factors": sorted(row.factors)} for row in rows]
    return Answer({"rows": shown})


@operation("DELETE", f"{_PATH}/sessions", "token.revoke", answer=EndedSessions)
def end_user_sessions(call: Call) -> Answer:
    """End all sessions of a user at once."""
    return Answer({"sessions": sessions.end_all(_user(call))})


@operation("DELETE", f"{_PATH}/sessions/{{session}}", "token.revoke")
def end_user_session(call: Call) -> Answer:
    """End a session of a user at once. One that has ended already is left alone."""
    user = _user(call)
    found(lambda: sessions.end(call.path["session"], user=user))
    return Answer()


@operation("GET", f"{_PATH}/tokens", "user.read", query=TokenQuery, answer=Rows[Token])
def list_user_tokens(call: Call) -> Answer:
    """List the tokens of a user, without their secrets."""
    return Answer({"rows": tokens.list_tokens(_user(call), all_states=call.query.ended)})


@operation("DELETE", f"{_PATH}/tokens/{{token}}", "token.revoke")
def revoke_user_token(call: Call) -> Answer:
    """End a token of a user at once."""
    user = _user(call)
    found(lambda: tokens.revoke(call.path["token"], user=user))
    return Answer()


def _user(call: Call) -> Any:
    number = call.path["user"]
    user = users.look_up(number)
    if user is None:
        raise NotThere(f"There is no user {number}.")
    return user


def _answer(number: int, place: str = "") -> Answer:
    user = users.look_up(number)
    if user is None:
        raise NotThere(f"There is no user {number}.")
    row = user_rows.user_row(user)
    return Answer(row, row.version, place)

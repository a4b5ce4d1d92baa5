"""The same acts by shell, API and browser leave the same rows in the audit, apart from who came in which way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance import audit, db
from appliance import config as settings
from appliance.accounts import sessions, tokens, users
from appliance.accounts.models import User
from appliance.config import Config
from appliance.content import sites
from appliance.queue.processes import RegisteredProcess
from appliance.tasks.program import ApplianceProgram
from appliance.web.admin import session_cookie
from appliance.web.admin.app import create_app
from tests.api.conftest import Caller
from tests.conftest import empty_database

SETTINGS = """
docroot = "{home}/www"
{database}
[admin]
url = "https://admin.example.org/"
[mail]
host = "127.0.0.1"
security = "none"
sender = "blog@example.org"
[[sites]]
name = "blog"
title = "A Blog"
url = "https://blog.example/"
[[sites.sources]]
name = "posts"
folder = "{home}"
[[targets]]
name = "www1"
address = "{home}/front"
other_path = true
"""

#: What is done: by a command, and by a request of the API. Ids are those of an installation in which nothing else is.
ACTS: dict[str, tuple[list[str], tuple[str, str, dict[str, Any] | None]]] = {
    "an entry added": (
        ["content.add", "A title", "--slug=a", "--date=2026-11-01 10:00", "--text=Text", "--tag=one", "--later"],
        ("POST", "/sites/blog/entries", {
            "title": "A title", "slug": "a", "date": "2026-11-01 10:00", "text": "Text", "tags": ["one"],
        }),
    ),
    "an entry edited": (
        ["content.edit", "a", "--title=Another", "--later"],
        ("PATCH", "/sites/blog/entries/1", {"title": "Another"}),
    ),
    "an entry published": (
        ["content.edit", "a", "--status=published", "--later"],
        ("PATCH", "/sites/blog/entries/1", {"status": "published"}),
    ),
    "a comment added": (
        ["content.comment", "a", "Hello", "--author=root", "--later"],
        ("POST", "/sites/blog/comments", {"entry": 1, "text": "Hello"}),
    ),
    "a comment held": (
        ["comments.hold", "1", "--later"],
        ("POST", "/sites/blog/comments/judge", {"comments": [1], "status": "pending"}),
    ),
    "a sender banned": (
        ["comments.ban", "192.0.2.0/24", "--reason=spam"],
        ("POST", "/sites/blog/bans", {"who": "192.0.2.0/24", "reason": "spam"}),
    ),
    "a tag renamed": (
        ["content.rename", "tag", "one", "--to=uno", "--later"],
        ("PATCH", "/sites/blog/terms/tag/1", {"name": "uno"}),
    ),
    "a target paused": (["targets.pause", "www1"], ("POST", "/targets/www1/pause", None)),
    "a target resumed": (["targets.resume", "www1"], ("POST", "/targets/www1/resume", None)),
    "a target sent everything": (["targets.resync", "www1"], ("POST", "/targets/www1/resync", {})),
    "a process paused": (["processes.pause", "--name=pub1:1"], ("POST", "/processes/pub1:1", {"request": "pause"})),
    "a site rebuilt": (["publish", "--all", "--force"], ("POST", "/sites/blog/publish", {"rebuild": True})),
    "a comment deleted": (["comments.delete", "1", "--later"], ("DELETE", "/sites/blog/comments/1", None)),
    "an entry deleted": (["content.delete", "a", "--later"], ("DELETE", "/sites/blog/entries/1", None)),
}  # fmt: skip

Way = Callable[[Config, str], None]


def by_shell(config: Config, name: str) -> None:
    try:
        ApplianceProgram(name="appliance").run(["appliance", *ACTS[name][0]])
    except SystemExit as leaving:
        assert not leaving.code, name


def by_api(config: Config, name: str) -> None:
    with closing(db.open_database(config)):
        user = users.look_up("root") or users.add_user("root", roles={"*": "admin"})
        secret, _ = tokens.create(user, "test")
        method, path, body = ACTS[name][1]
        answer = Caller(create_app(config).test_client(), secret).ask(method, path, body)
    assert answer.status_code < 300, f"{name}: {answer.text}"


def rows_of(config: Config, act: Way, name: str) -> list[dict[str, Any]]:
    """Do something, and return the rows that it left, without who did it in which way and when."""
    with closing(db.open_database(config)):
        before = audit.read_head().number
    act(config, name)
    with closing(db.open_database(config)):
        # Those about users are of making the user of the API.
        rows = [row for row in audit.all_rows() if row.id > before and row.subject != "user"]
    assert {row.via for row in rows} == {"shell" if act is by_shell else "api"}
    same = ("action", "subject", "subject_id", "site", "label", "before", "after")
    return [{column: getattr(row, column) for column in same} for row in rows]


@pytest.fixture(params=["sqlite", "postgresql"])
def install(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Config]:
    """Return a function that makes an installation that has nothing yet."""

    def make(name: str) -> Config:
        home, database = tmp_path / name, empty_database(request).get("database")
        (home / "front").mkdir(parents=True)
        line = f'database = "{database}"' if database else ""
        (home / "appliance.toml").write_text(SETTINGS.format(home=home, database=line))
        monkeypatch.chdir(home)
        config = settings.load()
        with closing(db.connect(config)):
            sites.sync(config)
            RegisteredProcess("worker", "pub1", pid=1).register()
        return config

    return make


def test_shell_and_api_leave_the_same_rows(install: Callable[[str], Config]) -> None:
    config = install("shell")
    shell = {name: rows_of(config, by_shell, name) for name in ACTS}
    config = install("api")
    api = {name: rows_of(config, by_api, name) for name in ACTS}
    assert {len(rows) for rows in shell.values()} == {1}
    for name in ACTS:
        assert api[name] == shell[name], name


# --- What is done to users, which the browser does as well ---


@dataclass(frozen=True)
class PeopleAct:
    """One act in three ways. `{bob}`, `{session}` and `{token}` stand for the numbers that they have."""

    command: str
    request: tuple[str, str, Mapping[str, Any] | None]
    form: tuple[str, Mapping[str, str]]
    #: What is in place before.
    prepare: Callable[[], object] = field(default=lambda: None)


def bob() -> User:
    return users.find_user("bob")


PEOPLE: dict[str, PeopleAct] = {
    "a user invited": PeopleAct(
        "users.add bob --email=bob@example.org --display=Bob --role=blog:editor --mail",
        ("POST", "/users", {
            "name": "bob", "email": "bob@example.org", "display": "Bob", "roles": {"blog": "editor"},
        }),
        ("/users/new", {
            "name": "bob", "email": "bob@example.org", "display": "Bob", "site": "blog", "role": "editor",
        }),
    ),
    "a name changed": PeopleAct(
        "users.edit bob --display=Robert",
        ("PATCH", "/users/{bob}", {"display": "Robert"}),
        ("/users/{bob}", {"display": "Robert", "email": "bob@example.org"}),
    ),
    "a role given": PeopleAct(
        "users.role bob *:viewer",
        ("PUT", "/users/{bob}/roles/*", {"role": "viewer"}),
        ("/users/{bob}/roles", {"site": "*", "role": "viewer"}),
    ),
    "a role changed": PeopleAct(
        "users.role bob blog:author",
        ("PUT", "/users/{bob}/roles/blog", {"role": "author"}),
        ("/users/{bob}/roles", {"site": "blog", "role": "author"}),
    ),
    "a role taken away": PeopleAct(
        "users.role bob *:none",
        ("DELETE", "/users/{bob}/roles/*", None),
        ("/users/{bob}/roles", {"site": "*", "role": ""}),
    ),
    "a link mailed": PeopleAct(
        "users.reset bob --mail",
        ("POST", "/users/{bob}/link", None),
        ("/users/{bob}/link", {}),
        lambda: User.update(password="a hash").where(User.id == bob().id).execute(),
    ),
    "a session ended": PeopleAct(
        "users.sessions bob --end={session}",
        ("DELETE", "/users/{bob}/sessions/{session}", None),
        ("/users/{bob}/sessions/{session}/end", {}),
        lambda: sessions.start(bob(), "192.0.2.7", factors=["password"]),
    ),
    "a token made": PeopleAct(
        "tokens.add root nightly --days=30 --scope=entry.read",
        ("POST", "/tokens", {"label": "nightly", "days": 30, "scopes": ["entry.read"]}),
        ("/account/tokens/new", {
            "label": "nightly", "days": "30", "limit": "chosen", "scopes": "entry.read",
        }),
    ),
    "a token revoked": PeopleAct(
        "tokens.revoke {token}",
        ("DELETE", "/tokens/{token}", None),
        ("/account/tokens/{token}/revoke", {}),
    ),
    "a user disabled": PeopleAct(
        "users.disable bob", ("PATCH", "/users/{bob}", {"enabled": False}), ("/users/{bob}/disable", {})
    ),
    "a user enabled": PeopleAct(
        "users.enable bob", ("PATCH", "/users/{bob}", {"enabled": True}), ("/users/{bob}/enable", {})
    ),
}  # fmt: skip


def numbers() -> dict[str, int]:
    """The numbers that paths name, as far as there are such things."""
    user = users.look_up("bob")
    found = {"bob": user.id if user else 0}
    for row in sessions.list_sessions(user) if user else []:
        found["session"] = row.id
    for token in tokens.list_tokens(None):
        if token.label == "nightly":
            found["token"] = token.id
    return found


class Ways:
    """An installation with one administrator, root, who acts in one of three ways."""

    def __init__(self, config: Config) -> None:
        self.config = config
        with closing(db.open_database(config)):
            self.root = users.add_user("root", roles={"*": "admin"})
            # A token makes others only if that is named among what it may do.
            self.secret, _ = tokens.create(self.root, "test", scopes=["read", "write", "token.add"])

    def shell(self, act: PeopleAct, named: Mapping[str, int]) -> None:
        try:
            ApplianceProgram(name="appliance").run(["appliance", *act.command.format(**named).split()])
        except SystemExit as leaving:
            assert not leaving.code, act.command

    def api(self, act: PeopleAct, named: Mapping[str, int]) -> None:
        method, path, body = act.request
        with closing(db.open_database(self.config)):
            client = create_app(self.config).test_client()
            answer = Caller(client, self.secret).ask(method, path.format(**named), body)
        assert answer.status_code < 300, answer.text

    def browser(self, act: PeopleAct, named: Mapping[str, int]) -> None:
        path, values = act.form
        with closing(db.open_database(self.config)):
            secret, _ = sessions.start(self.root, "192.0.2.8", factors=["password", "totp"])
            client = create_app(self.config).test_client()
            client.set_cookie(session_cookie.NAME, secret, domain="admin.example.org", secure=True, path="/")
            answer = client.post(
                path.format(**named), data=dict(values), base_url="https://admin.example.org/",
                headers={"Sec-Fetch-Site": "same-origin"},
            )  # fmt: skip
        assert answer.status_code in (200, 303), answer.text
        assert not answer.headers.get("Location", "").startswith(("/sign-in", "/confirm")), act.form

    def rows(self, way: str) -> dict[str, list[dict[str, Any]]]:
        """Do everything in one way; return the rows that each act left, without who, when and from where."""
        same = ("action", "subject", "subject_id", "site", "label", "before", "after")
        left = {}
        for name, act in PEOPLE.items():
            with closing(db.open_database(self.config)):
                act.prepare()
                named, before = numbers(), audit.read_head().number
            getattr(self, way)(act, named)
            with closing(db.open_database(self.config)):
                rows = [row for row in audit.all_rows() if row.id > before]
            assert {(row.actor, row.via) for row in rows} == {("root", way)}, name
            left[name] = [{column: _plain(getattr(row, column), named) for column in same} for row in rows]
        return left


def _plain(value: Any, named: Mapping[str, int]) -> Any:
    """Leave out the number of a session, which is random."""
    return {"session": "its number"} if "session" in named and value == {"session": named["session"]} else value


def test_shell_api_and_browser_leave_the_same_rows_about_users(
    install: Callable[[str], Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_USER", "root")
    left = {way: Ways(install(way)).rows(way) for way in ("shell", "api", "browser")}
    for name in PEOPLE:
        assert left["shell"][name]
        assert left["api"][name] == left["shell"][name], name
        assert left["browser"][name] == left["shell"][name], name

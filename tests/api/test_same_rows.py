"""The same acts by the shell and by the API leave the same rows in the audit, apart from who came in which way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from appliance import audit, db
from appliance import config as settings
from appliance.accounts import tokens, users
from appliance.config import Config
from appliance.content import sites
from appliance.queue.processes import RegisteredProcess
from appliance.tasks.program import ApplianceProgram
from appliance.web.admin.app import create_app
from tests.api.conftest import Caller
from tests.conftest import EMPTY

SETTINGS = """
docroot = "{home}/www"
{database}
[admin]
url = "https://admin.example.org/"
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
        home, database = tmp_path / name, ""
        (home / "front").mkdir(parents=True)
        if request.param == "postgresql":
            url = request.getfixturevalue("_postgres_url")
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(EMPTY)
            database = f'database = "{url}"'
        (home / "appliance.toml").write_text(SETTINGS.format(home=home, database=database))
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

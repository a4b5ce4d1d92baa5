"""Every command leaves a row in the audit, or changes nothing: each one is in one of the two lists here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appliance import config as settings
from appliance import db, installation
from appliance.accounts import sessions
from appliance.accounts.users import find_user
from appliance.audit.chain import COLUMNS, digest
from appliance.queue.processes import RegisteredProcess
from appliance.tasks.command_table import COMMANDS
from tests.postgresql import Server
from tests.tasks.conftest import Typed

#: What only reads, or writes nothing but what others asked for and signed.
CHANGES_NOTHING = {
    "drain", "work", "serve", "admin",  # run what is due
    "status", "top", "why", "preview",
    "demo",  # an installation of its own, which is thrown away
    "site.check", "site.grant",
    "content.export", "content.sources", "content.show", "content.list", "content.search", "content.comments",
    "content.assets", "content.terms",
    "comments.bans",
    "audit.list", "audit.show", "audit.export", "audit.verify",
    "targets.list", "targets.check", "targets.verify", "pages.where",
    "jobs.list", "jobs.show",
    "processes.list",
    "users.list", "users.show", "tokens.list",
    "webhooks.list", "webhooks.test",
    "previews.list",
}  # fmt: skip

#: What each other command leaves, as this test gives it.
ACTIONS = {
    "site.init": ["site.add"],
    "publish": ["site.publish"],
    "periodic": ["schedule.publish", "schedule.prune"],
    "content.import": ["entry.import"],
    "content.pull": ["source.pull", "source.import"],
    "content.add": ["entry.add"],
    "content.edit": ["entry.edit"],
    "content.delete": ["entry.delete"],
    "content.comment": ["comment.add"],
    "content.edit-comment": ["comment.edit"],
    "content.moderate": ["comment.moderate"],
    "content.upload": ["asset.upload"],
    "content.move-asset": ["asset.replace"],
    "content.remove-asset": ["asset.delete"],
    "content.rename": ["term.edit"],
    "content.merge": ["term.edit"],
    "content.delete-term": ["term.delete"],
    "comments.approve": ["comment.moderate"],
    "comments.hold": ["comment.moderate"],
    "comments.spam": ["comment.moderate"],
    "comments.delete": ["comment.delete"],
    "comments.undo": ["comment.moderate"],
    "comments.ban": ["comment.ban"],
    "comments.unban": ["comment.ban"],
    "comments.erase": ["comment.erase"],
    "docroot.init": ["docroot.init"],
    "docroot.renew": ["docroot.renew"],
    "docroot.clear": ["docroot.clear"],
    "targets.resync": ["target.act"],
    "targets.pause": ["target.act"],
    "targets.resume": ["target.act"],
    "targets.forget": ["target.forget"],
    "jobs.delete": ["job.delete"],
    "jobs.retry": ["job.retry"],
    "jobs.prioritise": ["job.prioritise"],
    "processes.pause": ["process.act"],
    "processes.resume": ["process.act"],
    "processes.recycle": ["process.act"],
    "users.add": ["user.add", "user.make_link"],
    "users.edit": ["user.edit"],
    "users.role": ["user.set_role"],
    "users.disable": ["user.disable"],
    "users.enable": ["user.enable"],
    "users.reset": ["user.make_link"],
    "users.sessions": ["user.end_sessions"],
    "tokens.add": ["token.add"],
    "tokens.revoke": ["token.revoke"],
    "webhooks.enable": ["webhook.enable"],
    "previews.share": ["entry.share"],
    "previews.revoke": ["entry.unshare"],
}  # fmt: skip


def test_every_command_is_known_here() -> None:
    """A new command names what it leaves in the audit, and is given below; or it is among those that change nothing."""
    commands = {name for name, (place, _) in COMMANDS.items() if place.startswith("appliance.")}  # not of a checkout
    assert commands == CHANGES_NOTHING | set(ACTIONS)
    assert not CHANGES_NOTHING & set(ACTIONS)


SETTINGS = """
docroot = "{home}/www"
{database}
[[sites]]
name = "blog"
title = "A Blog"
url = "http://localhost/"
theme = "default"
[[sites.sources]]
name = "posts"
folder = "{home}/posts"
"""
TARGET = '[[targets]]\nname = "www1"\naddress = "{home}/front"\nother_path = true\n'


class Installation:
    """An installation whose commands are typed one after the other."""

    def __init__(self, home: Path, command_line: Typed) -> None:
        self.home = home
        self._type = command_line
        self._seen = 0
        #: The commands that were typed and left what they ought to.
        self.given: set[str] = set()

    def gives(self, name: str, line: str = "", *words: str, status: int = 0) -> list[dict[str, Any]]:
        """Type a command; check the kinds of rows that it leaves, and return them."""
        self._type(f"{name} {line}", *words, status=status)
        rows = self.rows()[self._seen :]
        self._seen += len(rows)
        assert [row["action"] for row in rows] == ACTIONS[name], f"{name} {line}"
        if not set(ACTIONS[name]) & {"schedule.publish", "source.import"}:
            assert [(row["actor"], row["via"]) for row in rows] == [("ada", "shell")] * len(rows)
        self.given.add(name)
        return rows

    def begin(self) -> None:
        """Check what a new installation has."""
        rows = self.rows()
        assert [(row["action"], row["actor"]) for row in rows] == [("site.add", "ada")]
        self._seen = 1
        self.given.add("site.init")

    def runs(self, line: str, *words: str) -> str:
        """Type a command that leaves nothing."""
        told = self._type(line, *words)
        assert len(self.rows()) == self._seen, line
        return told

    def rows(self) -> list[dict[str, Any]]:
        """Return all rows, the oldest first."""
        return list(reversed(json.loads(self._type("audit.list --json --limit 0"))))

    def does(self, act: Callable[[], object]) -> None:
        """Do something on the database that no command does."""
        with installation.open_installation(settings.load()):
            act()


@pytest.fixture(params=["sqlite", "postgresql"])
def here(
    request: pytest.FixtureRequest, tmp_path: Path, command_line: Typed, monkeypatch: pytest.MonkeyPatch
) -> Installation:
    home = tmp_path / "home"
    monkeypatch.setenv("APPLIANCE_USER", "ada")
    command_line(f"site.init {home} --name=blog", "--title=A Blog")
    database = ""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        database = f'database = "{server.fresh()}"'
    (home / "appliance.toml").write_text(SETTINGS.format(home=home, database=database) + TARGET.format(home=home))
    monkeypatch.chdir(home)
    made = Installation(home, command_line)
    made.begin()
    return made


def change(sql: str) -> Callable[[], object]:
    def act() -> None:
        with db.write():
            db.execute(sql)

    return act


def content(here: Installation) -> None:
    """What editors do."""
    (folder := here.home / "import").mkdir()
    (folder / "imported.md").write_text("---\ntitle: Imported\ndate: 2026-11-01\n---\nText\n")
    (posts := here.home / "posts").mkdir()
    (posts / "pulled.md").write_text("---\ntitle: Pulled\ndate: 2026-11-01\n---\nText\n")
    here.gives("content.import", f"{folder}")
    here.gives("content.pull", "posts")
    here.gives("content.add", "--tag one --tag two --status published --slug a", "A title")
    here.gives("content.edit", "a", "--title=Another")
    here.gives("content.rename", "tag one --to=uno")
    here.gives("content.merge", "tag uno --into=two")
    here.gives("content.delete-term", "tag two")
    (here.home / "a.txt").write_text("one")
    here.gives("content.upload", "a.txt")
    here.gives("content.move-asset", "a.txt --to=b.txt")
    here.gives("content.remove-asset", "b.txt")


def comments(here: Installation) -> None:
    """What moderators do."""
    (row,) = here.gives("content.comment", "a Hello --email=ida@example.org")
    number = row["subject_id"]
    here.gives("content.edit-comment", f"{number} --text=Hello!")
    here.gives("content.moderate", f"{number} --hold")
    here.gives("comments.approve", number)
    here.gives("comments.hold", number)
    here.gives("comments.spam", number)
    (row,) = here.gives("comments.undo")
    assert row["after"] == {"status": "pending", "undone": True}
    here.gives("comments.ban", number)
    here.gives("comments.unban", number)
    here.gives("comments.erase", "ida@example.org")
    here.gives("comments.delete", number)
    here.gives("content.delete", "a")


def queue(here: Installation) -> None:
    """What those do who look after the queue and its processes."""
    here.gives("publish", "--all --force")
    here.runs("publish --plan")
    here.runs("jobs.delete --kind=publish --all-matching --dry-run")
    (row,) = here.gives("jobs.prioritise", "--kind=publish --all-matching --to=7")
    assert (row["subject_id"], row["after"]["filter"]) == ("", {"kinds": ["publish"]})
    assert row["after"]["jobs"]["pending → pending"] > 3
    failing = "SELECT MIN(id) FROM job WHERE kind = 'publish'"
    here.does(change(f"UPDATE job SET state = 'failed', finished_at = 0 WHERE id = ({failing})"))
    here.gives("jobs.retry", "--state=failed --all-matching")
    job = json.loads(here.runs("jobs.list --json --kind=publish"))["jobs"][0]["id"]
    (row,) = here.gives("jobs.delete", f"{job}")
    assert (row["subject_id"], row["site"]) == (str(job), "blog")
    here.runs("jobs.delete --state=failed --all-matching")
    here.does(lambda: RegisteredProcess("worker", "pub1", pid=1).register())
    here.gives("processes.pause", "--name=pub1:1")
    here.gives("processes.resume", "--all")
    here.gives("processes.recycle", "--name=pub1:1")
    here.does(change("DELETE FROM process"))


def hosts(here: Installation) -> None:
    """What those do who look after targets and docroots."""
    here.gives("targets.pause", "www1")
    here.runs("targets.pause www1")
    here.gives("targets.resume", "www1")
    here.gives("targets.resync", "www1")
    here.gives("docroot.renew")
    here.runs("drain")
    (here.home / "www/strange.html").write_text("nobody's")
    here.gives("docroot.clear", "--allow-removals")
    file = here.home / "appliance.toml"
    text = file.read_text().replace(TARGET.format(home=here.home), "")
    file.write_text(text)
    here.gives("targets.forget", "www1")
    here.runs("targets.forget www1")
    file.write_text(f'shared = "mine"\n{text}')
    here.gives("docroot.init", "--anyway")
    file.write_text(text)


def schedule(here: Installation) -> None:
    """What is done at its time, and once a day."""
    here.runs("periodic")
    here.gives("content.add", "--status=scheduled --date=2036-01-01", "Later")
    long_ago = "UPDATE job SET state = 'done', created_at = 0, finished_at = 0 WHERE state <> 'running'"
    here.does(change("UPDATE entry SET published_at = 1000000000 WHERE status = 'scheduled'"))
    here.does(change(long_ago))
    here.does(change("UPDATE periodic SET due_at = 0, done_at = 0"))
    rows = here.gives("periodic")
    assert [(row["actor"], row["via"]) for row in rows] == [("schedule", "schedule")] * 2
    assert rows[0]["label"] == "Later"
    assert rows[1]["after"]["removed"]["jobs"] > 0


def people(here: Installation) -> None:
    """What those do who look after users."""
    with (here.home / "appliance.toml").open("a") as file:
        file.write('[admin]\nurl = "https://admin.example/"\npreview_url = "https://preview.example/"\n')
        file.write('[[webhooks]]\nname = "chat"\nurl = "https://chat.example/"\nevents = ["job.failed"]\n')
        file.write(f'secret_file = "{here.home}/secret"\n')
    (here.home / "secret").write_text("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz")
    (here.home / "secret").chmod(0o600)
    (row, _) = here.gives("users.add", "bob --email=bob@example.org --role=blog:editor")
    assert "bob@example.org" not in json.dumps(row)
    here.gives("users.edit", "bob --display=Bob")
    here.gives("users.role", "bob blog:author")
    here.gives("users.reset", "bob")
    here.does(lambda: sessions.start(find_user("bob"), "203.0.113.9", "Firefox", factors=["password"]))
    here.gives("users.sessions", "bob --end-all")
    (row,) = here.gives("tokens.add", "bob nightly")
    here.gives("tokens.revoke", "1")
    here.gives("users.disable", "bob")
    here.gives("users.enable", "bob")
    here.gives("webhooks.enable", "chat")
    here.gives("content.add", "--slug=draft", "A draft")
    here.gives("previews.share", "draft")
    here.gives("previews.revoke", "1")


def test_what_each_command_leaves(here: Installation) -> None:
    for part in (content, comments, queue, hosts, people, schedule):
        part(here)
    assert here.given == set(ACTIONS)
    rows = here.rows()
    assert [row["id"] for row in rows] == list(range(1, len(rows) + 1))
    assert f"{len(rows)} rows of the audit fit together" in here.runs("audit.verify")


def test_reading_the_audit(here: Installation, command_line: Typed) -> None:
    """The commands that list, show, export and verify."""
    here.gives("content.add", "--slug a", "A title")
    listed = here.runs("audit.list")
    assert [line.split()[0] for line in listed.splitlines()] == ["id", "2", "1"]
    assert "entry.add" in listed
    assert here.runs("audit.list --action=comment.") == "none\n"
    assert len(json.loads(here.runs("audit.list --json --subject=entry/1 --actor=ada --since=yesterday"))) == 1
    assert json.loads(here.runs("audit.list --json --until=yesterday")) == []
    shown = here.runs("audit.show 2")
    assert "who:         ada" in shown
    assert 'title:       – → "A title"' in shown
    assert "no row 3" in command_line("audit.show 3", status=2)
    here.runs("audit.export audit.jsonl")
    lines = (here.home / "audit.jsonl").read_text()
    assert (here.home / "audit.jsonl").stat().st_mode & 0o777 == 0o600
    assert here.runs("audit.export") == lines
    rows = [json.loads(line) for line in lines.splitlines()]
    head = f"2:{rows[1]['digest']}"
    assert head in here.runs("audit.verify")
    here.runs(f"audit.verify --expect={head}")
    assert "not the one that was expected" in command_line(f"audit.verify --expect=2:{'0' * 64}", status=2)
    assert "was expected and is gone" in command_line(f"audit.verify --expect=3:{'0' * 64}", status=2)
    assert "NUMBER:DIGEST" in command_line("audit.verify --expect=2", status=2)


def test_the_log_holds_what_the_audit_must_still_hold(here: Installation, command_line: Typed, tmp_path: Path) -> None:
    """Whoever writes the whole chain anew, as somebody with the database can, is found by what the log has."""
    here.gives("content.add", "--slug a", "A title")
    log = tmp_path / "log"
    log.write_text(here.runs("periodic"))
    assert "audit number=2 digest=" in log.read_text()
    assert json.loads(here.runs(f"audit.verify --json --anchors={log}"))["compared"] == 1
    here.does(rewrite)
    command_line("audit.verify")
    assert "not the one that was expected" in command_line(f"audit.verify --anchors={log}", status=2)
    assert "cannot be read" in command_line("audit.verify --anchors=nothing", status=2)


def rewrite() -> None:
    """Have all rows say that somebody else did it, in a chain of their own."""
    found = db.execute(f"SELECT {', '.join(COLUMNS)} FROM audit ORDER BY id").fetchall()
    previous = ""
    with db.write():
        for sql in ("ALTER TABLE audit DISABLE TRIGGER USER",) if "Postgres" in type(db.backend()).__name__ else (
            "DROP TRIGGER audit_kept_from_UPDATE",
        ):  # fmt: skip
            db.execute(sql)
        for row in map(list, found):
            row[COLUMNS.index("actor")], row[-2] = "mallory", previous
            previous = digest(row[:-1])
            values = ["mallory", row[-2], previous, row[0]]
            db.execute("UPDATE audit SET actor = ?, previous = ?, digest = ? WHERE id = ?", values)

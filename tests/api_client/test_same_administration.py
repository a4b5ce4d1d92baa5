"""Commands about users, tokens, previews, publication and the audit print the same and leave the same audit rows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

from appliance.accounts import sessions, users
from appliance.accounts.rights import ACTIONS
from appliance.actor import Actor, acting
from appliance.db import execute
from tests.api_client.comparison import acts, words_of
from tests.api_client.conftest import ROOT, SECONDS, Installation, Make, Told

pytestmark = pytest.mark.slow

#: Commands in the order in which people give them. Those after `#` only look.
LINES: tuple[tuple[str, ...], ...] = (
    ("content.add --later --date=2026-11-22T08:30", "A draft"),
    ("users.add eve --email=eve@example.org --role=blog:editor --mail",),
    ("users.add eve --email=other@example.org --mail",),
    ("users.add fay --email=eve@example.org --mail",),
    ("users.add gus --email=nonsense --mail",),
    ("users.add hal --mail",),
    ("users.add --email=ian@example.org --mail", "Not a name!"),
    ("users.add ian --email=ian@example.org --role=blog:king --mail",),
    ("users.add ian --email=ian@example.org --role=nosuch:editor --mail",),
    ("users.add ian --email=ian@example.org --role=nosuch --mail",),
    ("users.list",),
    ("users.list --text=EVE --json",),
    ("users.list --text=nobody",),
    ("users.show eve",),
    ("users.show eve@example.org --json",),
    ("users.show nosuch",),
    ("users.edit eve --email=eva@example.org",),
    ("users.edit eve --display", "Eva Example"),
    ("users.edit eve",),
    ("users.edit eve --email=nonsense",),
    ("users.edit nosuch --email=x@example.org",),
    ("users.role eve blog:author",),
    ("users.role eve blog:author",),
    ("users.role eve blog:none",),
    ("users.role eve nosuch:none",),
    ("users.role eve nosuch:editor",),
    ("users.role eve blog:king",),
    ("users.role eve *:viewer",),
    ("users.role ada *:viewer",),
    ("users.sessions eve",),
    ("users.sessions eve --end=99",),
    ("users.sessions eve --end=1 --json",),
    ("users.sessions eve --end-all",),
    ("users.sessions eve --end-all",),
    ("users.sessions nosuch",),
    ("users.reset eve --mail",),
    ("users.reset eve --mail --second-factor",),
    ("users.reset nosuch --mail",),
    ("users.disable eve",),
    ("users.disable eve",),
    ("users.reset eve --mail",),
    ("users.enable eve",),
    ("users.enable eve",),
    ("users.disable ada",),
    ("users.disable nosuch",),
    ("tokens.add ada --scope=read --site=blog --days=5", "A script"),
    ("tokens.add ada --days=999", "A script"),
    ("tokens.add ada@example.org --scope=read --days=5", "A script"),
    ("tokens.list",),
    ("tokens.list --user=ada --json",),
    ("tokens.list --user=eve",),
    ("tokens.list --user=nosuch",),
    ("tokens.revoke 99",),
    ("tokens.revoke mine",),
    ("tokens.revoke 4",),
    ("tokens.list --all",),
    ("previews.share a-draft --days=2",),
    ("previews.share 1 --days=31",),
    ("previews.share nosuch",),
    ("previews.share 1 --json",),
    ("previews.list",),
    ("previews.list --entry=1 --json --limit=1",),
    ("previews.list --entry=nosuch",),
    ("previews.list --site=nosuch",),
    ("previews.revoke 1",),
    ("previews.revoke 1",),
    ("previews.revoke 99",),
    ("previews.revoke --site=blog 99",),
    ("previews.revoke",),
    ("periodic --run=rescue",),
    ("periodic --run=nosuch",),
    ("periodic --list",),
    ("periodic --list --json",),
    ("periodic --runs=rescue",),
    ("periodic --runs=nosuch",),
    ("pages.where blog/nosuch/",),
    ("content.pull --later",),
    ("content.pull --later notes --site=blog",),
    ("content.pull --later nosuch",),
    ("content.pull --later --site=nosuch",),
    ("content.pull --later --again",),
    ("content.pull --wait=0.3",),
    ("publish --later",),
    ("publish --later --site=blog --json",),
    ("publish --later --all --force",),
    ("publish --later --all --plan",),
    ("publish --later --site=nosuch",),
    ("publish --wait=0.3",),
    ("publish --wait=0.3 --json",),
    ("status",),
    ("status --json",),
    ("audit.list",),
    ("audit.list --limit=2 --via=nosuch",),
    ("audit.list --limit=2 --json --action=user.",),
    ("audit.list --site=blog --since=yesterday",),
    ("audit.list --site=nosuch",),
    ("audit.list --until=2020-01-01",),
    ("audit.list --since=yesterdayish",),
    ("audit.show 2",),
    ("audit.show 3 --json",),
    ("audit.show 999",),
    ("audit.show 0",),
    ("audit.show first",),
    ("audit.export",),
    ("audit.export --subject=user/2",),
    ("audit.export /nosuch/file.jsonl",),
)  # fmt: skip
#: The words of a command that only looks, and so can run on one installation both ways.
_LOOKS = re.compile(r"(\w+\.(list|show|export)|status|periodic --(list|runs)|pages.where)\b")
#: What is different in two installations: times, secrets, digests, and who runs the command.
_MOVING = re.compile(
    r'\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d \w+)?|app_\w{43}|(?<=https://127\.0\.0\.2:)\S+|("\w+_at": )[\d.]+'
    r'|("created_by": ).*|("version": ).*'
)
#: When a token was used last, which the one that asks changes.
_USE = re.compile(r'("used_at": )[\d.]+|\d{4}-\d\d-\d\d \d\d:\d\d')


def settled(told: Told, one: Installation) -> tuple[str, str, int]:
    error = told.error.replace(f"{one.folder}/appliance.toml: ", "")
    return _MOVING.sub(r"\2\3\4", told.out), error, told.status


def prepare(one: Installation) -> None:
    """Give the caller an address, and a token for everything."""
    with one.opened(), acting(Actor("set-up", "shell")):
        users.edit_user(users.find_user("ada"), email="ada@example.org")
    one.token = one.make_token("ada", scopes=sorted(set(ACTIONS) - {"account.edit"}))


def start_sessions(one: Installation) -> None:
    """Start three sessions of eve, with numbers that are the same everywhere."""
    with one.opened():
        for number in range(1, 4):
            _, session = sessions.start(users.find_user("eve"), "192.0.2.1", factors=["password"])
            execute("UPDATE session SET id = ?, used_at = used_at + ? WHERE id = ?", [number, number, session.id])


def test_an_installation_is_managed_as_on_the_host(make: Make) -> None:
    host, elsewhere = make(), make()
    prepare(host)
    prepare(elsewhere)
    wrong = []
    for line in map(words_of, LINES):
        if _LOOKS.match(line[0]):
            here, there = elsewhere.local(*line), elsewhere.remote(*line)
            if line[0].startswith(("tokens", "users")):
                here, there = (Told(_USE.sub(r"\1", told.out), told.error, told.status) for told in (here, there))
            if there != Told(here.out, settled(here, elsewhere)[1], here.status):
                wrong.append((line, there, here))
            host.local(*line)
        else:
            here, there = host.local(*line), elsewhere.remote(*line)
            if settled(there, elsewhere) != settled(here, host):
                wrong.append((line, there, here))
        if line[0].startswith("users.role eve *"):
            start_sessions(host)
            start_sessions(elsewhere)
    assert not wrong, "\n".join(map(str, wrong))
    assert acts(elsewhere) == acts(host)
    assert {row.via for row in elsewhere.audit() if row.actor == "ada"} == {"api"}
    done = {row["action"] for row in acts(host)}
    assert {
        "user.add", "user.edit", "user.set_role", "user.reset", "user.end_sessions", "user.remove_second_factors",
        "user.disable", "user.enable", "token.add", "token.revoke", "entry.share", "entry.unshare", "periodic.run",
        "source.pull", "site.publish",
    } <= done  # fmt: skip


def test_an_export_goes_to_a_file_and_can_be_verified(make: Make) -> None:
    one = make()
    for number in range(3):
        one.remote("content.add", f"Entry {number}")
    file = one.folder / "audit.jsonl"
    told = one.remote(f"audit.export {file}")
    assert told == Told(f"{file}: {len(one.audit())} rows\n", "", 0)
    assert file.read_text() == one.local("audit.export").out
    assert file.stat().st_mode & 0o077 == 0


def test_what_is_asked_for_is_done_by_workers_and_waited_for(make: Make) -> None:
    one = make()
    (one.folder / "notes-blog" / "note.md").write_text("---\ntitle: A note\ndate: 2026-11-01\n---\nText.\n")
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "APPLIANCE_CONFIG": str(one.folder / "appliance.toml")}
    environ.pop("APPLIANCE_API", None)
    words = [sys.executable, "-m", "devtools", "work", "--workers=1"]
    with (one.folder / "work.log").open("wb") as log:
        working = subprocess.Popen(words, cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        pulled = one.remote(f"content.pull --wait={SECONDS:.0f}")
        report = "1 files in notes\n  texts: 1 added\n  other files: none\n"
        assert pulled == Told(f"blog, notes: changed\n{report}", "", 0), (one.folder / "work.log").read_text()
        published = one.remote(f"publish --wait={SECONDS:.0f}")
        assert published == Told("blog: published, and on 1 of 1 front end\n", "", 0)
        assert one.remote(f"content.pull --wait={SECONDS:.0f}").out == (
            "blog, notes: nothing new\n1 files in notes\n  texts: 1 unchanged\n  other files: none\n"
        )
        (one.folder / "notes-blog").rename(one.folder / "gone")
        failed = one.remote(f"content.pull --wait={SECONDS:.0f}")
        assert (failed.status, failed.out, failed.error[:13]) == (1, "", "blog, notes: ")
    finally:
        working.send_signal(signal.SIGTERM)
        working.wait(SECONDS)
    assert list((one.folder / "www").rglob("*.html"))


def test_what_one_may_not_do_or_have_stays_refused(make: Make) -> None:
    one = make("blog", "news")
    prepare(one)
    eve = one.make_token("eve", blog="admin")
    own = one.remote("content.add Hello --site=blog", token=eve)
    assert own.status == 0
    one.remote("content.add Hello --site=news")
    listed = one.remote("audit.list --site=blog --json", token=eve)
    assert '"site": "blog"' in listed.out and '"site": "news"' not in listed.out
    for line in ("audit.list", "audit.export --site=news", "users.list", "tokens.list", "status", "periodic --list"):
        refused = one.remote(line, token=eve)
        assert (refused.out, refused.status) == ("", 1), line
    rows = {row.site: row.id for row in one.audit()}
    assert one.remote(f"audit.show {rows['blog']}", token=eve).status == 0
    assert "has no row" in one.remote(f"audit.show {rows['news']}", token=eve).error
    assert "has no row" in one.remote(f"audit.show {rows['']}", token=eve).error
    for line, why in {
        "users.add fay --email=fay@example.org": "give --mail", "users.reset eve": "give --mail",
        "tokens.add eve": "for yourself alone", "status --metrics=-": "at /metrics", "periodic": "give --list",
        "publish *.html": "leave out --match", "audit.verify": "about one host",
    }.items():  # fmt: skip
        refused = one.remote(line, *(["A script"] if line.startswith("tokens") else []))
        assert (refused.out, why in refused.error, refused.status > 0) == ("", True, True), (line, refused)

"""The periodic tasks of an installation, run as the schedule runs them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from appliance import audit, db, housekeeping
from appliance.building.verification import DocrootVerification, verify
from appliance.config import Config
from appliance.content import comments, entries, schedule
from appliance.content.entries import EntryData
from appliance.content.models import Change, Site
from appliance.db.listener import CommitListener
from appliance.delivery import lag_history
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.periodic import Schedule
from tests import growth
from tests.local_site import LocalSite, archive, index, local_site

THEME = archive("entry", "{slug}.html", more="preferred = true") + index("index.html")
DAY = 86_400


@pytest.fixture
def shop(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    """A site on each database in turn, with one entry published."""
    with local_site(tmp_path, THEME, database=database.database) as made:
        made.save("Old")
        made.run()
        yield made
        db.backend().now_at(0.0)


def serving(shop: LocalSite) -> Schedule:
    return housekeeping.make_schedule(shop.config)


def run(shop: LocalSite) -> dict[str, Any]:
    return {ran.name: ran.error or ran.did for ran in serving(shop).run_due()}


def clock_to(moment: float) -> None:
    db.backend().now_at(moment - time.time())


def plan_entry(shop: LocalSite, at: int, until: int | None = None) -> None:
    data = EntryData(title="Soon", slug="soon", published_at=at, unpublish_at=until, status="scheduled")
    entries.save(shop.site, data)


@pytest.mark.conformance("D6")
def test_entries_are_published_and_withdrawn_at_their_second(shop: LocalSite) -> None:
    now = int(db.now())
    plan_entry(shop, now + 60, now + 90)
    shop.run()
    run(shop)
    assert "soon.html" not in shop.paths()
    assert schedule.next_due(["blog"]) == now + 60
    clock_to(now + 50)
    assert "scheduled" not in run(shop)
    clock_to(now + 60.1)
    assert run(shop)["scheduled"].endswith(" jobs")
    shop.drain()
    assert shop.text("index.html") == "Soon;Old;"
    assert (shop.docroot / "soon.html").is_file()
    clock_to(now + 90.1)
    assert "scheduled" in run(shop)
    shop.drain()
    assert shop.text("index.html") == "Old;"
    assert not (shop.docroot / "soon.html").exists()
    assert schedule.next_due(["blog"]) is None


def test_an_entry_is_published_within_the_second_by_a_schedule_that_slept(shop: LocalSite) -> None:
    """It is saved while the schedule sleeps, and due after that."""
    run(shop)
    here, there = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            db.open_database(shop.config)
            wake = CommitListener()
            asked = serving(shop)
            os.write(there, b"!")
            done: list[str] = []

            def stopping() -> bool:
                found = db.execute("SELECT 1 FROM job WHERE kind = 'publish' AND state = 'pending'").fetchone()
                done.append("x") if found else None
                return bool(done)

            asked.run(stopping, wake)
            code = 0
        finally:
            os._exit(code)
    os.read(here, 1)
    due = int(db.now()) + 2
    plan_entry(shop, due)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    (at,) = db.execute("SELECT MIN(created_at) FROM job WHERE kind = 'publish' AND state = 'pending'").fetchone()
    assert 0 <= at - due < 1.0


def test_a_site_that_cannot_be_published_is_told_and_stays_due(shop: LocalSite) -> None:
    plan_entry(shop, int(db.now()) - 5)
    manifest = shop.folder / "theme" / "theme.toml"
    whole = manifest.read_text("utf-8")
    manifest.write_text("nonsense", "utf-8")
    assert "theme.toml" in run(shop)["scheduled"]
    assert schedule.next_due(["blog"]) is not None  # not half done
    manifest.write_text(whole, "utf-8")
    assert "scheduled" not in run(shop)  # after a pause
    clock_to(time.time() + 31)
    assert "scheduled" in run(shop)
    assert schedule.next_due(["blog"]) is None


def test_rows_nobody_needs_are_removed(shop: LocalSite) -> None:
    for number in range(3):
        shop.save("Old", entry=entries.Entry.get(), text=f"{number}")
        shop.run()
    enqueue("strange", [JobRequest("waits")], ageing=60.0)
    enqueue("publish", [JobRequest("broken")], ageing=60.0)
    (broken,) = store.claim("here:9", ["publish"], 1, 30.0)
    store.fail(broken, store.FailureDetails("OSError", "It cannot be.", ""), retry_after=None)
    before = db.execute("SELECT path, MAX(id) FROM publication GROUP BY path ORDER BY path").fetchall()
    run(shop)
    assert store.count_by_state()["done"] > 0  # younger than a week
    clock_to(time.time() + 8 * DAY)
    assert "jobs removed" in run(shop)["prune"]
    counts = store.count_by_state()
    assert (counts["done"], counts["superseded"], counts["failed"], counts["pending"]) == (0, 0, 1, 1)
    assert db.execute("SELECT COUNT(*) FROM job_trigger t WHERE NOT EXISTS (SELECT 1 FROM job WHERE id = t.job_id)"
                      ).fetchone()[0] == 0  # fmt: skip
    assert db.execute("SELECT path, id FROM publication ORDER BY path").fetchall() == before  # the latest of each


def test_the_audit_is_kept_for_ever(shop: LocalSite) -> None:
    """However old its rows are, and whatever happened to what they are about."""
    audit.record("entry.edit", "entry", entries.Entry.get().id, site="blog", label="Old")
    clock_to(time.time() + 3650 * DAY)
    kept = list(audit.all_rows())
    assert "removed" in run(shop)["prune"]
    entries.Entry.delete().execute()
    Site.delete().execute()
    assert list(audit.all_rows())[: len(kept)] == kept
    assert audit.verify().fault == ""


def test_changes_are_kept_until_they_are_planned_and_told(shop: LocalSite) -> None:
    from appliance.content import changes
    from appliance.content.changes import record

    assert Change.select().count() > 0
    comments.add(entries.Entry.get(), "R", "Hello.")
    Change.update(at=0).execute()
    changes.prune(DAY)
    assert [change.event for change in Change.select()] == ["comment added"]
    shop.publish()
    record(shop.site, "entry edited", "entry")
    changes.prune(DAY)
    assert [change.event for change in Change.select()] == ["entry edited"], "the newest stays"


def damage(file: Path, text: str) -> None:
    """Other bytes of the same size and time."""
    stat = file.stat()
    file.write_text(text, "utf-8")
    os.utime(file, (stat.st_mtime, stat.st_mtime))


def test_what_differs_from_what_was_published_is_published_again(shop: LocalSite) -> None:
    whole = shop.tree()
    assert verify(shop.config) == verify(shop.config, contents=True) == DocrootVerification(2, 0)
    (shop.docroot / "old.html").unlink()
    (shop.docroot / "index.html").write_text("longer than it was, by far", "utf-8")
    assert verify(shop.config) == DocrootVerification(2, 2)
    shop.drain()
    assert shop.tree() == whole
    assert verify(shop.config) == DocrootVerification(2, 0)


def test_damage_of_the_same_size_and_time_is_found_by_the_bytes(shop: LocalSite) -> None:
    whole = shop.tree()
    damage(shop.docroot / "index.html", shop.text("index.html").replace("Old", "Odd"))
    assert verify(shop.config) == DocrootVerification(2, 0)
    assert verify(shop.config, contents=True) == DocrootVerification(2, 1)
    shop.drain()
    assert shop.tree() == whole


def test_lost_jobs_are_rescued(shop: LocalSite) -> None:
    enqueue("publish", [JobRequest("index.html")], ageing=60.0)
    assert len(store.claim("dead:1", ["publish"], 1, 30.0)) == 1
    run(shop)
    clock_to(time.time() + 61)
    assert run(shop)["rescue"] == "1 jobs freed"
    assert store.count_by_state()["running"] == 0


def test_sqlite_plans_by_how_its_tables_are_filled(shop: LocalSite) -> None:
    """Also connections that were open before."""
    if shop.config.database_url:
        pytest.skip("a server gathers statistics by itself")
    asked = "EXPLAIN QUERY PLAN SELECT id FROM publication WHERE path = 'a' AND origin = 'here' AND at > 0"
    growth.publications(1001, 11_000)
    with closing(sqlite3.connect(shop.config.database_file)) as other:
        plans = [" ".join(row[3] for row in other.execute(asked).fetchall())]
        run(shop)
        other.execute("SELECT 1 FROM site").fetchall()  # what is only explained looks for no change
        plans.append(" ".join(row[3] for row in other.execute(f"{asked} ").fetchall()))  # not the one kept
    assert ["publication_path_id" in plan for plan in plans] == [False, True]


def test_each_host_verifies_its_own_docroot(shop: LocalSite) -> None:
    names = [task.name for task in housekeeping.periodic_tasks(shop.config)]
    own = [] if shop.config.database_url else ["statistics"]
    assert names == [
        "scheduled",
        "rescue",
        "measure",
        "disk here",
        *own,
        "prune",
        "comments",
        "audit",
        "verify here",
        "verify-bytes here",
    ]
    quiet = shop.config.schedule.model_copy(update={"prune": "never", "verify": "never", "verify_bytes": "never"})
    assert [t.name for t in housekeeping.periodic_tasks(shop.config.model_copy(update={"schedule": quiet}))] == [
        "scheduled",
        "rescue",
        "measure",
        "disk here",
        *own,
        "comments",
        "audit",
    ]


def test_the_command_runs_what_is_due_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "appliance.toml").write_text(
        f'docroot = "{tmp_path}/www"\nhost = "here"\n'
        '[[sites]]\nname = "blog"\ntitle = "B"\nurl = "https://blog.example/"\n',
        "utf-8",
    )
    monkeypatch.setenv("APPLIANCE_CONFIG", str(tmp_path / "appliance.toml"))

    def command(*words: str) -> str:
        code = "from appliance.tasks import main; main()"
        return subprocess.run([sys.executable, "-c", code, *words], check=True, capture_output=True, text=True).stdout

    first = json.loads(command("periodic", "--json"))
    assert [ran["name"] for ran in first] == [
        "rescue",
        "measure",
        "disk here",
        "statistics",
        "prune",
        "comments",
        "audit",
        "verify here",
        "verify-bytes here",
    ]
    assert {ran["error"] for ran in first} == {None}
    served = {ran["name"]: ran["due_at"] for ran in first}
    again = json.loads(command("periodic", "--json"))
    assert [ran for ran in again if ran["due_at"] <= served[ran["name"]]] == []  # the next minute may have begun
    assert "verify here" in command("periodic", "--list")
    standing = {one["name"]: one for one in json.loads(command("periodic", "--list", "--json"))}
    assert standing["scheduled"]["next_at"] is None
    assert standing["prune"]["next_at"] > standing["prune"]["due_at"]


def test_the_lag_of_targets_is_sampled_each_minute(database: Config, tmp_path: Path) -> None:
    folder = tmp_path / "front"
    fronts = [{"name": "www1", "address": str(folder), "other_path": True}]
    with local_site(tmp_path, THEME, database=database.database, targets=fronts) as shop:
        shop.save("Old")
        shop.run()
        began = db.now()
        try:
            for minute in (1, 2):
                clock_to(began + 61 * minute)
                assert run(shop)["measure"] == ""
            assert [round(one.lag, -1) for one in lag_history.read("www1", 0)] == [60, 120]
        finally:
            db.backend().now_at(0.0)

"""The verdict: one sentence for the gravest, the others beneath it, and nothing when all is well."""

from __future__ import annotations

from typing import Any

import pytest

from appliance import db
from appliance.config import Config
from appliance.delivery import cursors, journal, target_state
from appliance.delivery.journal import Put
from appliance.delivery.targets import front_ends
from appliance.history.disks import Disk
from appliance.overview.facts import Facts
from appliance.overview.reading import Reader
from appliance.overview.troubles import Verdict, judge
from appliance.overview.visibility import EVERYTHING, Visibility
from appliance.queue import processes, store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.periodic import TaskState
from appliance.queue.processes import RegisteredProcess
from appliance.queue.store import FailureDetails

THREE = [{"name": f"www{n}", "address": f"/srv/www{n}", "other_path": True} for n in (1, 2, 3)]


@pytest.fixture
def config(database: Config) -> Any:
    """An installation with three front ends and a worker, on each database in turn."""
    RegisteredProcess("worker", "pub1").register()
    raw = {**database.model_dump(exclude_unset=True), "targets": THREE, "path": database.path}
    yield Config.model_validate(raw)
    db.backend().now_at(0.0)


def facts_of(config: Config, visibility: Visibility = EVERYTHING) -> Facts:
    return Reader(config).facts(visibility)


def verdict(config: Config, visibility: Visibility = EVERYTHING) -> Verdict:
    return judge(config, facts_of(config, visibility))


def told(found: Verdict) -> list[str]:
    return [found.sentence, *(trouble.sentence for trouble in found.others)]


def publish(config: Config, *late: str) -> None:
    """Publish a file that all front ends but the late ones confirm."""
    with db.write():
        journal.append([Put("a.html", 1_700_000_000, "00", 5)], "pub1")
    for target in front_ends(config):
        if target.name not in late:
            cursors.confirm(target, "pub1", journal.newest("pub1"))


def fail(number: int, message: str = "archive.html, line 41: no readingtime", scope: str = "blog") -> None:
    for n in range(number):
        enqueue("publish", [JobRequest(f"{scope}/{message[:4]}{n}.html", scope=scope)], ageing=60.0)
        (claim,) = store.claim("pub1:1", ["publish"], 1, 30.0)
        store.fail(claim, FailureDetails("TemplateFailure", message, ""), retry_after=None)


def pass_time(seconds: float) -> None:
    """Let time pass, in which processes go on and the schedule runs."""
    db.backend().now_at(seconds)
    with db.write():
        db.execute("UPDATE process SET beat_at = ?", [db.now()])
        db.execute("UPDATE periodic SET due_at = ?, done_at = ?", [db.now(), db.now()])


def test_all_is_well(config: Config) -> None:
    publish(config)
    found = verdict(config)
    assert (found.state, found.sentence, found.more, found.others) == (
        "good",
        "Every page is on all 3 front ends",
        "No job waits.",
        (),
    )
    enqueue("publish", [JobRequest("b.html")], ageing=60.0)
    assert verdict(config).more == "1 job waits, 0 run."


def test_pages_on_their_way_are_no_trouble(config: Config) -> None:
    publish(config, "www3")
    found = verdict(config)
    assert (found.state, found.sentence) == ("good", "All is well: new pages are on their way to 3 front ends")


def test_a_front_end_that_cannot_be_reached_is_grave_once_it_lacks_pages_for_a_while(config: Config) -> None:
    publish(config, "www3")
    cursors.record_failure(front_ends(config)[2], "pub1", "target www3 (/srv/www3): nothing listens on its ssh port")
    pass_time(240)
    found = verdict(config)
    assert (found.state, found.sentence) == ("bad", "Every page is on 2 of 3 front ends")
    assert found.more == "www3 is 4 min behind: nothing listens on its ssh port. It is tried again by itself."
    assert (found.address, found.link) == ("/targets/www3", "www3")


def test_a_paused_front_end_is_told_with_how_far_it_is_behind(config: Config) -> None:
    target_state.pause("www2")
    assert told(verdict(config)) == ["www2 is paused"]
    publish(config, "www2")
    pass_time(1900)
    found = verdict(config)
    assert (found.state, found.sentence) == ("warn", "Every page is on 2 of 3 front ends")
    assert found.more == "www2 is 31 min behind, since it is paused."


def test_no_front_end_has_every_page(config: Config) -> None:
    publish(config, "www1", "www2", "www3")
    pass_time(60)
    found = verdict(config)
    assert (found.sentence, found.address) == ("No front end has every page", "/targets")


def test_failed_jobs_are_told_with_the_number_of_reasons(config: Config) -> None:
    fail(3)
    assert told(verdict(config)) == ["3 jobs failed for the same reason"]
    fail(1, "the picture is broken")
    found = verdict(config)
    assert (found.state, found.sentence, found.address) == ("bad", "4 jobs failed for 2 reasons", "/failures")
    assert found.more == "Last blog/the 0.html: the picture is broken."


def test_jobs_that_nobody_takes_are_told(config: Config) -> None:
    enqueue("publish", [JobRequest("a.html"), JobRequest("b.html")], ageing=60.0)
    with db.write():
        db.execute("UPDATE process SET request = 'pause'")
    assert verdict(config).sentence == "All workers are paused"
    with db.write():
        db.execute("UPDATE process SET request = NULL")
    pass_time(660)
    assert verdict(config).sentence == "The oldest job that is due has been waiting for 11 min"
    with db.write():
        db.execute("DELETE FROM process")
    found = verdict(config)
    assert (found.state, found.sentence) == ("bad", "No worker runs, and 2 jobs wait")


def test_a_process_that_does_not_answer_is_told(config: Config) -> None:
    db.backend().now_at(15.0)
    (name,) = [row.name for row in processes.list_processes()]
    found = verdict(config)
    assert found.sentence == "1 process does not answer"
    assert found.more == f"worker {name}."


def test_the_gravest_is_the_sentence_and_the_others_follow(config: Config) -> None:
    target_state.pause("www2")
    fail(1)
    found = verdict(config)
    assert told(found) == ["1 job failed for 1 reason", "www2 is paused"]
    assert found.state == "bad"


def judged_with(config: Config, **changes: Any) -> Verdict:
    """Return the verdict when the surroundings are others."""
    from dataclasses import replace

    facts = facts_of(config)
    return judge(config, replace(facts, surroundings=replace(facts.surroundings, **changes)))


@pytest.mark.parametrize(("free", "state"), [(1, "bad"), (4, "warn"), (20, "good")])
def test_a_disk_that_fills_up_is_told_in_time(config: Config, free: int, state: str) -> None:
    gib = 1 << 30
    disk = Disk("pub1", "docroot", 60 * gib, free * gib, None, None, db.now())
    found = judged_with(config, disks=[disk])
    assert found.state == state
    if state == "bad":
        assert found.sentence == "The disk of the docroot on pub1 is almost full"
        assert found.more == "1,024 MiB of 61,440 MiB are free."


def test_a_docroot_that_cannot_be_used_is_told(config: Config) -> None:
    disk = Disk(
        "pub1", "docroot", None, None, None, "the docroot /srv/www cannot be accessed; check its mount", db.now()
    )
    found = judged_with(config, disks=[disk])
    assert (found.state, found.sentence) == ("bad", "Nothing can be published from pub1")


def test_a_schedule_that_does_not_run_and_a_task_that_failed_are_told(config: Config) -> None:
    now = db.now()
    late = TaskState("rescue", now - 700, now - 700, "pub1:9", None, now - 640)
    failed = TaskState("prune", now - 60, now - 60, "pub1:9", "the disk is full", now + 60)
    fresh = TaskState("measure", None, None, "", None, 0.0)
    found = judged_with(config, tasks=[late, failed, fresh])
    assert told(found) == ["Periodic tasks do not run", "The periodic task prune failed"]
    assert found.more == "rescue has been due for 10 min."


def test_files_that_are_left_out_are_told(config: Config) -> None:
    found = judged_with(config, conflicts=["about/index.html: two pages claim it"])
    assert (found.state, found.sentence) == ("warn", "1 file cannot be published")
    assert found.more == "about/index.html: two pages claim it."


def test_nobody_is_told_of_a_site_on_which_they_have_no_role(config: Config) -> None:
    fail(2, scope="shop")
    target_state.pause("www2")
    only_blog = Visibility(("blog",), targets=False, processes=False, schedule=False)
    assert told(verdict(config, only_blog)) == ["All is well on your site"]
    only_shop = Visibility(("shop",), targets=False, processes=False, schedule=False)
    assert told(verdict(config, only_shop)) == ["2 jobs failed for the same reason"]

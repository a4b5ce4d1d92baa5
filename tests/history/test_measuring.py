"""A minute is measured once, and says how long it took from each change until every front end had it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import db
from appliance.config import Config
from appliance.delivery import cursors, journal
from appliance.delivery.journal import Put
from appliance.delivery.targets import front_ends
from appliance.history import measuring
from appliance.history.histogram import Histogram
from appliance.history.minutes import KEPT, MINUTE, Minute, grouped, last_minute, minutes
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from tests.history.installation import with_targets
from tests.local_site import index, local_site


class Clock:
    """The database's clock, which a test sets."""

    def __init__(self) -> None:
        #: The beginning of the minute to which the times of a test refer, in seconds since the epoch.
        self.start = math.ceil(db.now() / MINUTE + 1) * MINUTE

    def at(self, second: float) -> None:
        db.backend().now_at(0.0)
        db.backend().now_at(self.start + second - db.now())


@pytest.fixture
def clock(database: Config) -> Iterator[Clock]:
    """The clock of each database in turn, which is set right after the test."""
    assert database
    yield Clock()
    db.backend().now_at(0.0)


def publish(*paths: str, outcome: str = "changed") -> None:
    """Have a worker publish files that were asked for."""
    for claim in store.claim("pub1:1", ["publish"], 100, 30.0, keys=paths):
        with db.write():
            if outcome == "changed":
                journal.append([Put(claim.key, 1_700_000_000, "00", 5)], "pub1", [claim.id])
            store.complete({claim: outcome})


def ask(site: str, *paths: str) -> None:
    enqueue("publish", [JobRequest(path, scope=site) for path in paths], ageing=60.0, reason="edited")


def measured(config: Config, clock: Clock, at: int = 0) -> Minute:
    clock.at(at + MINUTE + 10)
    measuring.measure(config)
    (found,) = minutes(clock.start + at, clock.start + at + MINUTE)
    return found


def median(histogram: Histogram) -> float | None:
    return histogram.quantile(0.5)


def near(seconds: float) -> object:
    """Within the error of histograms, and what a slow test host adds."""
    return pytest.approx(seconds, rel=0.05, abs=0.3)


def test_a_change_is_timed_from_its_save_until_the_last_front_end_has_it(database: Config, clock: Clock) -> None:
    config = with_targets(database, "www1", "www2")
    one, two = front_ends(config)
    clock.at(1)
    enqueue("plan", [JobRequest("blog", scope="blog")], ageing=60.0, reason="entry edited")
    clock.at(5)
    (plan,) = store.claim("pub1:1", ["plan"], 1, 30.0)
    ask("blog", "a.html")
    store.complete({plan: "changed"})
    clock.at(8)
    publish("a.html")
    clock.at(10)
    cursors.confirm(one, "pub1", journal.newest("pub1"))
    clock.at(20)
    cursors.confirm(two, "pub1", journal.newest("pub1"))
    minute = measured(config, clock)
    assert median(minute.to_published) == near(3)
    assert median(minute.to_everywhere) == near(12)
    assert median(minute.overall) == near(19)
    assert (minute.published, minute.done, minute.unchanged, minute.failed, minute.pending) == (1, 2, 0, 0, 0)


def test_without_front_ends_a_change_is_timed_until_it_is_published(database: Config, clock: Clock) -> None:
    clock.at(2)
    ask("blog", "a.html", "b.html", "c.html")
    clock.at(6)
    publish("a.html")
    publish("b.html", outcome="unchanged")
    minute = measured(database, clock)
    assert median(minute.overall) == near(4)
    assert minute.to_everywhere.count == 0
    assert (minute.published, minute.done, minute.unchanged, minute.pending) == (1, 2, 1, 1)


def test_what_a_late_front_end_confirms_counts_in_the_minute_in_which_it_does(database: Config, clock: Clock) -> None:
    config = with_targets(database, "www1", "www2")
    one, two = front_ends(config)
    clock.at(2)
    ask("blog", "a.html", "b.html")
    publish("a.html")
    cursors.confirm(one, "pub1", journal.newest("pub1"))
    assert measured(config, clock).to_everywhere.count == 0
    clock.at(80)
    publish("b.html")
    cursors.confirm(one, "pub1", journal.newest("pub1"))
    clock.at(90)
    cursors.confirm(two, "pub1", journal.newest("pub1"))
    clock.at(130)
    cursors.confirm(two, "pub1", journal.newest("pub1") + 1)
    late = measured(config, clock, 60)
    assert late.to_everywhere.count == 2
    assert late.to_everywhere.quantile(1.0) == near(88)
    assert late.to_everywhere.quantile(0.01) == near(10)
    assert measured(config, clock, 120).to_everywhere.count == 0


def test_sites_are_measured_apart_and_together(database: Config, clock: Clock) -> None:
    clock.at(1)
    ask("blog", "a.html")
    ask("shop", "s.html", "t.html")
    publish("a.html")
    publish("s.html", "t.html")
    whole = measured(database, clock)
    span = (clock.start, clock.start + MINUTE)
    assert whole.published == 3
    assert [one.published for one in minutes(*span, ["shop"])] == [2]
    assert [one.published for one in minutes(*span, ["blog", "shop"])] == [3]
    assert [one.published for one in minutes(*span, ["other"])] == [0]
    assert [one.pending for one in minutes(*span, ["other"])] == [0]
    assert minutes(*span, []) == [Minute(clock.start, pending=0)]


def test_a_minute_is_measured_once_and_after_it_ended(database: Config, clock: Clock) -> None:
    clock.at(1)
    ask("blog", "a.html")
    publish("a.html")
    clock.at(61)
    measuring.measure(database)
    before = last_minute()
    assert before is None or before < clock.start
    assert measuring.next_due() == (0.0 if before is None else before + 123)
    assert measured(database, clock).published == 1
    assert measuring.measure(database) == 0
    assert measured(database, clock).published == 1


def test_minutes_that_nobody_measured_in_time_are_measured_later(database: Config, clock: Clock) -> None:
    clock.at(1)
    measuring.measure(database)
    ask("blog", "a.html")
    publish("a.html")
    clock.at(10 * MINUTE)
    measuring.measure(database)
    found = minutes(clock.start, clock.start + 10 * MINUTE)
    assert [one.at for one in found] == [clock.start + n * MINUTE for n in range(9)]
    assert [one.published for one in found] == [1] + [0] * 8
    assert [one.pending for one in found] == [None] * 8 + [0]
    assert [(one.at, one.published) for one in grouped(found, 300)] == [
        (at, 1 if at <= clock.start < at + 300 else 0) for at in sorted({one.at // 300 * 300 for one in found})
    ]
    clock.at(KEPT + 11 * MINUTE)
    measuring.measure(database)
    assert minutes(0, clock.start + 10 * MINUTE) == []


def test_jobs_that_failed_for_good_are_counted(database: Config, clock: Clock) -> None:
    clock.at(1)
    ask("blog", "a.html")
    (claim,) = store.claim("pub1:1", ["publish"], 1, 30.0)
    store.fail(claim, store.FailureDetails("TemplateError", "no", ""), retry_after=None)
    assert measured(database, clock).failed == 1


def test_a_publication_names_the_job_that_made_it(tmp_path: Path) -> None:
    with local_site(tmp_path, index("index.html")) as site:
        site.save("One")
        site.run()
        named = db.execute("SELECT j.key, p.path FROM publication p JOIN job j ON j.id = p.job").fetchall()
        assert [tuple(row) for row in named] == [("index.html", "index.html")]

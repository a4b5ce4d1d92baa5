"""The attempts of a job: what is recorded of each, in the transaction that ends it, and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance import db
from appliance.config import Config
from appliance.errors import SourceExcerpt
from appliance.queue import administration, attempts, pruning, store
from appliance.queue.administration import JobFilter
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.failures import FailureDetails
from appliance.queue.store import Claim

EXCERPT = SourceExcerpt("entry.html", 3, 2, ("<p>", "{{ nothing }}", "</p>"))
FAULT = FailureDetails("TemplateFailure", "line 3 is odd", "Traceback …", "entry.html", EXCERPT)


def ask(key: str = "a.html") -> None:
    enqueue("publish", [JobRequest(key, scope="blog")], ageing=60.0)


def take(worker: str = "host:1") -> Claim:
    (claim,) = store.claim(worker, ["publish"], 1, 30.0)
    return claim


def results(job: int) -> list[tuple[int, str]]:
    return [(one.number, one.result) for one in attempts.list_attempts(job)]


@pytest.mark.usefixtures("still_clock")
def test_each_attempt_says_when_it_was_due_began_and_ended() -> None:
    ask()
    db.backend().now_at(5.0)
    claim = take()
    db.backend().now_at(7.0)
    store.fail(claim, FAULT, retry_after=10.0)
    db.backend().now_at(20.0)
    second = take("host:2")
    db.backend().now_at(21.0)
    running = attempts.list_attempts(claim.id)[-1]
    assert (running.result, running.ended_at, running.ran) == ("running", None, None)
    store.complete({second: "changed"})
    first, last = attempts.list_attempts(claim.id)
    assert (first.due_at, first.started_at, first.ended_at, first.waited, first.ran) == (0.0, 5.0, 7.0, 5.0, 2.0)
    assert (first.worker, first.result, first.error_class, first.about) == (
        "host:1", "failed", "TemplateFailure", "entry.html",
    )  # fmt: skip
    assert (first.error_message, first.excerpt) == ("line 3 is odd", EXCERPT)
    assert (last.number, last.worker, last.due_at, last.started_at, last.ended_at, last.result) == (
        2, "host:2", 17.0, 20.0, 21.0, "changed",
    )  # fmt: skip


def test_success_writes_no_row(database: Config) -> None:
    for number in range(20):
        ask(f"{number}.html")
    claims = store.claim("host:1", ["publish"], 20, 30.0)
    store.complete(dict.fromkeys(claims, "changed"))
    assert db.execute("SELECT COUNT(*) FROM job_attempt").fetchone()[0] == 0
    assert all(results(claim.id) == [(1, "changed")] for claim in claims)


def test_a_lost_worker_is_an_attempt_and_a_released_claim_is_none(database: Config) -> None:
    ask()
    store.release([take()])
    claim = take("gone:1")
    assert store.rescue(5, worker="gone:1") == 1
    store.release([take()])
    last = take()
    store.complete({last: "unchanged"})
    assert results(claim.id) == [(2, "lost"), (4, "unchanged")]
    lost = attempts.list_attempts(claim.id)[0]
    assert (lost.worker, lost.error_class) == ("gone:1", "JobLeaseLost")


def test_who_lost_the_lease_records_nothing(database: Config) -> None:
    ask()
    claim = take("late:1")
    store.rescue(5, worker="late:1")
    assert store.fail(claim, FAULT, retry_after=None) is None
    assert results(claim.id) == [(1, "lost")]


def test_an_attempt_is_recorded_with_its_end_or_not_at_all(database: Config) -> None:
    ask()
    claim = take()
    with pytest.raises(RuntimeError), db.write():
        store.fail(claim, FAULT, retry_after=None)
        raise RuntimeError
    assert results(claim.id) == [(1, "running")]


def test_a_superseded_run_keeps_its_attempt(database: Config) -> None:
    ask()
    claim = take()
    ask()
    assert store.fail(claim, FAULT, retry_after=None) == "superseded"
    assert results(claim.id) == [(1, "failed")]


def test_snoozed_attempts_in_a_row_share_a_row(database: Config) -> None:
    ask()
    away = FailureDetails("DocrootAway", "it is away", "")
    for _ in range(4):
        job = take().id
        store.fail(
            Claim(job, _attempt(job), "publish", "a.html", "blog", 0, 0, None), away, retry_after=0.0, counts=False
        )
    store.fail(take(), FAULT, retry_after=0.0)
    store.fail(take(), away, retry_after=0.0, counts=False)
    found = attempts.list_attempts(job)
    assert [(one.number, one.times, one.result) for one in found] == [
        (4, 4, "snoozed"), (5, 1, "failed"), (6, 1, "snoozed"),
    ]  # fmt: skip


def _attempt(job: int) -> int:
    return int(db.execute("SELECT attempt FROM job WHERE id = ?", [job]).fetchone()[0])


def test_a_job_keeps_its_last_attempts(database: Config) -> None:
    ask()
    for number in range(attempts.LAST + 5):
        claim = take()
        store.fail(claim, replace(FAULT, message=f"no {number}" + "x" * 5000), retry_after=0.0)
    found = attempts.list_attempts(claim.id)
    assert [one.number for one in found] == list(range(6, attempts.LAST + 6))
    assert len(found[0].error_message) < 2000


def test_attempts_go_with_their_job(database: Config) -> None:
    ask()
    claim = take()
    store.fail(claim, FAULT, retry_after=None)
    administration.delete(JobFilter(ids=[claim.id]))
    assert results(claim.id) == [(1, "failed")]
    assert pruning.prune(-10.0) == 1
    assert db.execute("SELECT COUNT(*) FROM job_attempt").fetchone()[0] == 0


def test_a_retried_job_goes_on_counting(database: Config) -> None:
    ask()
    claim = take()
    store.fail(claim, FAULT, retry_after=None)
    administration.retry(JobFilter(ids=[claim.id]))
    assert results(claim.id) == [(1, "failed")]
    store.complete({take(): "changed"})
    assert results(claim.id) == [(1, "failed"), (2, "changed")]

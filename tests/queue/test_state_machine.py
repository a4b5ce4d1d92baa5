"""The whole queue against a plain model of it: any sequence of requests, runs, deaths, and jumps of the clock."""

from __future__ import annotations

import os
from dataclasses import asdict, fields

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from appliance import db
from appliance.queue import administration, store
from appliance.queue.enqueue import Cause, JobRequest, enqueue, enqueue_from_select
from appliance.queue.store import Claim, FailureDetails
from appliance.queue.triggers import CHAINS
from tests.queue.model import Model, ModelJob

AGEING, LEASE, RETRIES = 60.0, 30.0, 2
#: More of them for whoever changes the queue: APPLIANCE_EXAMPLES=2000.
EXAMPLES = int(os.environ.get("APPLIANCE_EXAMPLES", "50"))

KINDS = st.sampled_from(["publish", "publish", "publish", "mail"])
KEYS = st.sampled_from(["a", "b"])
PRIORITIES = st.sampled_from([1, 5, 9, 10])
WORKERS = st.sampled_from(["host:1", "host:2", "host:3"])
CAUSES = st.lists(
    st.builds(
        Cause,
        reason=st.sampled_from(["comment added", "entry edited"]),
        actor=st.sampled_from(["", "ada"]),
        change=st.integers(1, 99),
        times=st.integers(1, 3),
    ),
    min_size=1, max_size=2, unique_by=lambda cause: (cause.reason, cause.actor),
)  # fmt: skip
#: Which of the claims ever handed out, the newest first: those that are held, and those that are held no more.
CHOSEN = st.sets(st.integers(0, 5), min_size=1, max_size=4)

COLUMNS = [f.name for f in fields(ModelJob) if f.name != "chain"]
_JOBS = f"SELECT {', '.join(COLUMNS)} FROM job"
_CHAINS = CHAINS % ("SELECT id FROM job", "SELECT id FROM job")


class Queue(RuleBasedStateMachine):
    """Every rule does one thing to both and compares what they answer; then all of both is compared."""

    def __init__(self) -> None:
        super().__init__()
        with db.write():
            for table in ("job_trigger", "job", "trigger_set", "throttle"):
                db.execute(f"DELETE FROM {table}")
        self.model = Model(AGEING)
        self.claims: list[Claim] = []
        self.pass_time(1000.0)

    def teardown(self) -> None:
        db.backend().now_at(0.0)

    @rule(seconds=st.sampled_from([1.0, 5.0, 31.0, 70.0, 700.0]))
    def pass_time(self, seconds: float) -> None:
        self.model.now += seconds
        db.backend().now_at(self.model.now)

    # --- asking ---

    @rule(
        kind=KINDS,
        requests=st.lists(
            st.builds(
                JobRequest, KEYS, PRIORITIES, st.just("blog"), st.sampled_from([None, "{}"]),
                st.sampled_from([0.0, 50.0]),
            ),
            min_size=1, max_size=3, unique_by=lambda r: r.key,
        ),
        causes=CAUSES,
    )  # fmt: skip
    def enqueue(self, kind: str, requests: list[JobRequest], causes: list[Cause]) -> None:
        answers = enqueue(kind, requests, ageing=AGEING, causes=causes)
        self.answered(kind, requests, causes, dict(answers))

    @rule(kind=KINDS, keys=st.sets(KEYS, min_size=1), priority=PRIORITIES, causes=CAUSES)
    def enqueue_from_select(self, kind: str, keys: set[str], priority: int, causes: list[Cause]) -> None:
        one = "SELECT CAST(? AS TEXT) AS key, 'blog' AS scope, CAST(? AS INTEGER) AS priority, 0.0 AS every, '' AS t"
        select, values = " UNION ALL ".join([one] * len(keys)), [v for key in sorted(keys) for v in (key, priority)]
        answers = enqueue_from_select(kind, select, values, ageing=AGEING, causes=causes)
        self.answered(kind, [JobRequest(key, priority, "blog") for key in keys], causes, dict(answers))

    def answered(self, kind: str, requests: list[JobRequest], causes: list[Cause], answers: dict[str, int]) -> None:
        ids = dict(db.execute("SELECT key, id FROM job WHERE state = 'pending' AND kind = ?", [kind]).fetchall())
        expected = dict.fromkeys(answers, 0)
        for request in requests:
            expected[self.model.enqueue(kind, request, causes, ids[request.key])] += 1
        assert answers == expected

    # --- working ---

    @rule(worker=WORKERS, kinds=st.sampled_from([["publish"], ["mail"], ["mail", "publish"]]), limit=st.integers(1, 4))
    def claim(self, worker: str, kinds: list[str], limit: int) -> None:
        claims = store.claim(worker, kinds, limit, LEASE)
        assert [(c.id, c.attempt, c.kind, c.key, c.scope, c.priority, c.failures, c.payload) for c in claims] == [
            (j.id, j.attempt, j.kind, j.key, j.scope, j.priority, j.failures, j.payload)
            for j in self.model.claim(worker, kinds, limit, LEASE)
        ]
        self.claims += claims

    @rule(worker=WORKERS, seconds=st.sampled_from([0.0, 1.0, 20.0]))
    def work(self, worker: str, seconds: float) -> None:
        """All that is due, done well: else hardly a run would come to its end."""
        before = len(self.claims)
        self.claim(worker, ["mail", "publish"], 4)
        self.pass_time(seconds)
        if outcomes := dict.fromkeys(self.claims[before:], "changed"):
            store.complete(outcomes)
            self.model.finish({(c.id, c.attempt): outcome for c, outcome in outcomes.items()})

    @rule(worker=WORKERS, retry_after=st.sampled_from([None, 0.0, 5.0]))
    def work_in_vain(self, worker: str, retry_after: float | None) -> None:
        """All that is due, failed."""
        before = len(self.claims)
        self.claim(worker, ["mail", "publish"], 4)
        for number in range(len(self.claims) - before):
            self.fail(number, retry_after)

    def chosen(self, numbers: set[int]) -> list[Claim]:
        newest = self.claims[::-1]
        return [newest[number] for number in sorted(numbers) if number < len(newest)]

    @precondition(lambda self: self.claims)
    @rule(numbers=CHOSEN)
    def beat(self, numbers: set[int]) -> None:
        if claims := self.chosen(numbers):
            assert store.heartbeat(claims, LEASE) == self.model.beat([(c.id, c.attempt) for c in claims], LEASE)

    @precondition(lambda self: self.claims)
    @rule(numbers=CHOSEN, unchanged=st.sets(st.integers(0, 5)))
    def finish(self, numbers: set[int], unchanged: set[int]) -> None:
        claims = self.chosen(numbers)
        outcomes = {c: "unchanged" if number in unchanged else "changed" for number, c in enumerate(claims)}
        store.complete(outcomes)
        self.model.finish({(c.id, c.attempt): outcome for c, outcome in outcomes.items()})

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 5), retry_after=st.sampled_from([None, 0.0, 5.0, 50.0]))
    def end_one_badly(self, number: int, retry_after: float | None) -> None:
        self.fail(number, retry_after)

    def fail(self, number: int, retry_after: float | None) -> None:
        for claim in self.chosen({number}):
            state = store.fail(claim, FailureDetails("OSError", "no", "trace"), retry_after=retry_after)
            held = (claim.id, claim.attempt)
            assert state == self.model.end_badly(held, retry_after=retry_after, failure=1, error="OSError")

    @precondition(lambda self: self.claims)
    @rule(numbers=CHOSEN)
    def release(self, numbers: set[int]) -> None:
        store.release(self.chosen(numbers))
        for claim in self.chosen(numbers):
            self.model.end_badly((claim.id, claim.attempt), retry_after=0.0, failure=0, error=None)

    @rule(worker=st.one_of(st.none(), st.none(), WORKERS))
    def rescue(self, worker: str | None) -> None:
        assert store.rescue(RETRIES, worker=worker) == self.model.rescue(RETRIES, worker)

    # --- people ---

    def some(self, numbers: set[int]) -> administration.JobFilter:
        newest = sorted(self.model.jobs, reverse=True)
        return administration.JobFilter(ids=[newest[number] for number in sorted(numbers) if number < len(newest)])

    @precondition(lambda self: self.model.jobs)
    @rule(numbers=CHOSEN)
    def delete(self, numbers: set[int]) -> None:
        chosen = self.some(numbers)
        administration.delete(chosen)
        self.model.delete(chosen.ids or ())

    @precondition(lambda self: self.model.jobs)
    @rule(numbers=CHOSEN)
    def retry(self, numbers: set[int]) -> None:
        chosen = self.some(numbers)
        administration.retry(chosen)
        self.model.retry(chosen.ids or ())

    @precondition(lambda self: self.model.jobs)
    @rule(numbers=CHOSEN, priority=PRIORITIES)
    def prioritise(self, numbers: set[int], priority: int) -> None:
        chosen = self.some(numbers)
        administration.prioritise(chosen, priority, ageing=AGEING)
        for job_id in chosen.ids or ():
            self.model.prioritise(job_id, priority)

    # --- what is always true ---

    @invariant()
    def all_is_as_promised(self) -> None:
        self.every_row_is_as_promised()
        self.every_trigger_is_remembered()
        self.intervals_are_kept()
        self.one_waits_and_one_runs_at_most()
        self.what_is_told_is_true()

    def every_row_is_as_promised(self) -> None:
        found = {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in db.execute(_JOBS).fetchall()}
        expected = {job.id: {k: v for k, v in asdict(job).items() if k != "chain"} for job in self.model.jobs.values()}
        assert found == expected

    def every_trigger_is_remembered(self) -> None:
        found = {tuple(row[:3]): tuple(row[3:]) for row in db.execute(_CHAINS).fetchall()}
        assert found == {(j.id, *why): what for j in self.model.jobs.values() for why, what in j.chain.items()}

    def intervals_are_kept(self) -> None:
        found = {
            (kind, key): until for kind, key, until in db.execute("SELECT kind, key, until FROM throttle").fetchall()
        }
        assert found == self.model.until

    def one_waits_and_one_runs_at_most(self) -> None:
        twice = "SELECT kind, key FROM job WHERE state = ? GROUP BY kind, key HAVING COUNT(*) > 1"
        assert db.execute(twice, ["pending"]).fetchall() == []
        assert db.execute(twice, ["running"]).fetchall() == []

    def what_is_told_is_true(self) -> None:
        counts = self.model.counts()
        assert store.count_by_state() == {state: counts[state] for state in store.count_by_state()}
        assert store.count_unfinished() == counts["pending"] + counts["running"]
        assert store.count_outstanding() == self.model.outstanding()
        held = {c.id for c in self.claims if self.model.run((c.id, c.attempt))}
        assert (store.lock_held(self.claims) if self.claims else set()) == held


@pytest.mark.usefixtures("still_clock")
def test_the_queue_is_as_its_model() -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Queue,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=100,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )


@pytest.mark.usefixtures("still_clock")
def test_the_least_urgent_does_not_starve_under_a_stream_of_the_most_urgent() -> None:
    """A job of priority 10 a second, a worker that does one a second, and one of priority 1 from the beginning."""
    db.backend().now_at(0.0)
    enqueue("publish", [JobRequest("yearly", 1)], ageing=AGEING)
    for second in range(1, 1000):
        db.backend().now_at(float(second))
        enqueue("publish", [JobRequest(f"entry-{second}", 10)], ageing=AGEING)
        (claim,) = store.claim("host:1", ["publish"], 1, LEASE)
        store.complete({claim: "changed"})
        if claim.key == "yearly":
            break
    assert second == 9 * AGEING, "nine steps of priority weigh nine times the ageing"

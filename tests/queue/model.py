"""What the queue promises, as plain Python: a list of jobs and a few loops. The SQL is held against it.

It is written from the promises, not from the SQL: no index, no set, one job at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from appliance.queue.enqueue import Cause, JobRequest


@dataclass
class ModelJob:
    """A job as the database should have it."""

    id: int
    kind: str
    key: str
    scope: str
    priority: int
    rank: float
    every: float
    run_at: float
    created_at: float
    reason: str
    answer: str
    payload: str | None
    triggers: int = 0
    state: str = "pending"
    outcome: str | None = None
    claimed_at: float | None = None
    finished_at: float | None = None
    worker: str | None = None
    attempt: int = 0
    failures: int = 0
    lease_until: float | None = None
    error_class: str | None = None
    #: Change, first, last, times by (reason, actor).
    chain: dict[tuple[str, str], tuple[int | None, float, float, int]] = field(default_factory=dict)


Held = tuple[int, int]


class Model:
    """The whole queue."""

    def __init__(self, ageing: float) -> None:
        self.now = 0.0
        self.ageing = ageing
        self.jobs: dict[int, ModelJob] = {}
        self.until: dict[tuple[str, str], float] = {}

    def _of(self, kind: str, key: str, state: str) -> Iterator[ModelJob]:
        return (j for j in self.jobs.values() if (j.kind, j.key, j.state) == (kind, key, state))

    def one(self, kind: str, key: str, state: str) -> ModelJob | None:
        """The job of the key in that state, of those that there can be one of."""
        return next(self._of(kind, key, state), None)

    # --- asking ---

    def enqueue(self, kind: str, request: JobRequest, causes: Sequence[Cause], new_id: int) -> str:
        """Ask for one key; `new_id` is what a new row is called."""
        waiting, running = self.one(kind, request.key, "pending"), self.one(kind, request.key, "running")
        due = max(self.now, self.until.get((kind, request.key), 0.0)) if request.every else self.now
        if waiting is None:
            answer = "follow-up" if running else "added"
            waiting = ModelJob(
                new_id, kind, request.key, request.scope, request.priority,
                self.now - request.priority * self.ageing, request.every, due, self.now, "", answer, None,
            )  # fmt: skip
            self.jobs[new_id] = waiting
        else:
            answer = "raised" if request.priority > waiting.priority else "coalesced"
            if answer == "raised":
                self.prioritise(waiting.id, request.priority)
            waiting.run_at = min(waiting.run_at, due)
            waiting.every = request.every
        waiting.answer, waiting.payload, waiting.reason = answer, request.payload, causes[-1].reason
        for cause in causes:
            waiting.triggers += cause.times
            _, first, _, times = waiting.chain.get((cause.reason, cause.actor), (None, self.now, 0.0, 0))
            waiting.chain[cause.reason, cause.actor] = (cause.change, first, self.now, times + cause.times)
        return answer

    # --- working ---

    def claimable(self, kinds: Iterable[str]) -> list[ModelJob]:
        """What may be claimed, the most urgent first."""
        due = [
            j for j in self.jobs.values()
            if j.state == "pending" and j.kind in kinds and j.run_at <= self.now
            and not self.one(j.kind, j.key, "running")
            and not (j.every and self.until.get((j.kind, j.key), 0.0) > self.now)
        ]  # fmt: skip
        return sorted(due, key=lambda j: (j.rank, j.id))

    def claim(self, worker: str, kinds: Iterable[str], limit: int, lease: float) -> list[ModelJob]:
        """Take the most urgent."""
        taken = self.claimable(kinds)[:limit]
        for job in taken:
            job.state, job.worker, job.attempt = "running", worker, job.attempt + 1
            job.claimed_at, job.lease_until = self.now, self.now + lease
        return taken

    def run(self, held: Held) -> ModelJob | None:
        """The run that (id, attempt) names, if it still goes on."""
        job = self.jobs.get(held[0])
        return job if job and job.state == "running" and job.attempt == held[1] else None

    def beat(self, held: Iterable[Held], lease: float) -> set[int]:
        """Renew leases."""
        still = [job for job in map(self.run, held) if job]
        for job in still:
            job.lease_until = self.now + lease
        return {job.id for job in still}

    def finish(self, outcomes: Mapping[Held, str]) -> None:
        """End runs well."""
        for held, outcome in outcomes.items():
            job = self.run(held)
            if job is None:
                continue
            job.state, job.outcome, job.finished_at, job.lease_until = "done", outcome, self.now, None
            job.error_class = None
            for failed in list(self._of(job.kind, job.key, "failed")):
                failed.state, failed.finished_at = "superseded", self.now
            if job.every:
                until = self.until[job.kind, job.key] = self.now + job.every
                waiting = self.one(job.kind, job.key, "pending")
                if waiting and waiting.every:
                    waiting.run_at = max(waiting.run_at, until)

    def end_badly(self, held: Held, *, retry_after: float | None, failure: int, error: str | None) -> str | None:
        """End a run badly or give it back."""
        job = self.run(held)
        if job is None:
            return None
        waiting = self.one(job.kind, job.key, "pending")
        job.run_at = self.now + (retry_after or 0.0)
        job.failures += failure
        job.finished_at, job.lease_until = self.now, None
        job.error_class = error or job.error_class
        if waiting:
            job.state = "superseded"
            waiting.rank, waiting.priority = min(waiting.rank, job.rank), max(waiting.priority, job.priority)
        else:
            job.state = "failed" if retry_after is None else "pending"
        return job.state

    def rescue(self, retries: int, worker: str | None) -> int:
        """Free what is lost."""
        lost = [
            j for j in self.jobs.values()
            if j.state == "running" and (j.worker == worker if worker else (j.lease_until or 0.0) < self.now)
        ]  # fmt: skip
        for job in lost:
            again = 0.0 if job.failures < retries else None
            self.end_badly((job.id, job.attempt), retry_after=again, failure=1, error="JobLeaseLost")
        return len(lost)

    # --- people ---

    def prioritise(self, job_id: int, priority: int) -> None:
        """Another priority for what waits; its age counts as before."""
        job = self.jobs[job_id]
        if job.state == "pending":
            job.priority, job.rank = priority, job.created_at - priority * self.ageing

    def delete(self, ids: Iterable[int]) -> None:
        """Cancel what waits or failed."""
        for job_id in ids:
            job = self.jobs[job_id]
            if job.state in ("pending", "failed"):
                job.state, job.finished_at = "cancelled", self.now

    def retry(self, ids: Iterable[int]) -> None:
        """Try failed jobs again: of a key the newest, unless another waits, which supersedes them."""
        for job_id in sorted(ids, reverse=True):
            job = self.jobs[job_id]
            if job.state != "failed":
                continue
            if self.one(job.kind, job.key, "pending"):
                job.state, job.finished_at = "superseded", self.now
                continue
            until = self.until.get((job.kind, job.key), self.now) if job.every else self.now
            job.state, job.failures, job.finished_at, job.worker, job.outcome = "pending", 0, None, None, None
            job.answer, job.run_at = "added", until

    def counts(self) -> Counter[str]:
        """Jobs by state."""
        return Counter(job.state for job in self.jobs.values())

    def outstanding(self) -> int:
        """Those that run or wait, but for what an interval holds back."""
        return sum(
            j.state == "running"
            or (j.state == "pending" and not (j.every and not j.failures and j.run_at > self.now))
            for j in self.jobs.values()
        )  # fmt: skip

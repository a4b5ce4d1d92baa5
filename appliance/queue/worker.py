"""The worker loop: claim a batch, run the handler of its kind, end every claim. It writes no SQL.

Guarantees that every claim ends as completed, failed or released, whatever a handler does. An effect happens only under
the fence: `Batch.complete` runs it in the write transaction that ends the runs, for claims that are still held.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from appliance import clock, db, logging
from appliance.config import QueueSettings
from appliance.errors import JobLeaseLost
from appliance.queue import store
from appliance.queue.limits import WorkerLimits
from appliance.queue.processes import RegisteredProcess
from appliance.queue.retry import RetryPolicy, failure_details
from appliance.queue.store import Claim
from appliance.queue.supervisor import EXIT_RECYCLE

log = logging.get_logger("worker")


class BatchHandler(Protocol):
    """The handler of a kind: works on a batch of claims and ends each of them through `batch`."""

    def __call__(self, claims: Sequence[Claim], batch: Batch, /) -> None:
        """Work on `claims`. Claims left open are released; an exception fails all open claims."""


@dataclass(frozen=True)
class JobKind:
    """A kind of job: its name, its handler and its retry policy."""

    name: str
    perform: BatchHandler
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class Wake(Protocol):
    """Something to wait on between jobs."""

    def wait(self, timeout: float) -> bool:
        """Return True as soon as there may be news, False after `timeout` seconds without any."""


class Batch:
    """The claims that a handler works on, and the ways to end them."""

    def __init__(
        self, kind: JobKind, claims: Sequence[Claim], settings: QueueSettings, is_stopping: Callable[[], bool]
    ) -> None:
        self.kind = kind
        self.settings = settings
        #: Returns True once the worker is asked to stop: the handler finishes the current job and returns.
        self.is_stopping = is_stopping
        self.open_claims: dict[int, Claim] = {claim.id: claim for claim in claims}
        #: The number of claims that have ended.
        self.ended_count = 0
        self._renewed = clock.monotonic()
        self._renew_after = settings.lease / 3
        self._lock = threading.Lock()

    def heartbeat(self) -> None:
        """Renew the leases of all open claims once a third of the time has passed. Call it between jobs.

        The worker's heartbeat thread also calls it, for long jobs.
        """
        if clock.monotonic() - self._renewed < self._renew_after:
            return
        with self._lock:
            held = list(self.open_claims.values())
            if clock.monotonic() - self._renewed < self._renew_after or not held:
                return
            still = store.heartbeat(held, self.settings.lease)
            self._renewed = clock.monotonic()
        for claim in held:
            if claim.id not in still:
                self.open_claims.pop(claim.id, None)

    def complete(self, claims: Sequence[Claim], effect: Callable[[Sequence[Claim]], Mapping[Claim, str]]) -> None:
        """Complete claims, and run `effect` for those that are still held, in one transaction.

        Args:
            claims: open claims.
            effect: called in the write transaction with the claims still held. Returns 'changed' or 'unchanged' for
                each claim that it completed. If it raises, nothing is committed.
        """
        # The heartbeat waits meanwhile: two transactions of one worker that lock the same rows could deadlock.
        with self._lock, db.write():
            still = store.lock_held(claims)
            outcomes = effect([claim for claim in claims if claim.id in still])
            store.complete(outcomes)
        self.ended_count += len(outcomes)
        for claim in claims:
            if claim in outcomes or claim.id not in still:
                self.open_claims.pop(claim.id, None)

    def fail(self, claim: Claim, error: BaseException, about: str = "") -> None:
        """Fail a claim. The retry policy of the kind decides whether the job is retried.

        Args:
            claim: an open claim.
            error: why.
            about: what the job failed on, by which failures are grouped.

        Raises:
            PeeweeException: `error` itself, if it says that the database is unavailable: that is no failure of the job.
        """
        if db.is_unavailable(error):
            raise error
        if not isinstance(error, JobLeaseLost):
            retry = self.kind.retry.retry_delay(claim.failures, error)
            patient = self.kind.retry.is_snoozed(error)
            state = store.fail(claim, failure_details(error, about), retry_after=retry, counts=not patient)
            tell = log.debug if patient else log.warning  # a snoozed error would be logged once for each job
            values = {"job": claim.id, "attempt": claim.attempt, "kind": claim.kind, "key": claim.key, "state": state}
            tell("job failed", **values, error=str(error))
        self.ended_count += 1
        self.open_claims.pop(claim.id, None)


#: Seconds before the first attempt to reach an unavailable database again, and the longest delay between two.
_FIRST_DELAY, _MAX_DELAY = 0.1, 2.0
#: Seconds that a worker with `once` waits for jobs that are about to be due. No retry is due so soon.
_DUE_SOON = 0.25
#: Seconds that a stopping worker may spend on the current job.
STOP_TIMEOUT = 3.5


class Worker:
    """A worker: runs jobs of its kinds until it is asked to stop or reaches its limit.

    Call `heartbeat` from a `Heartbeat` thread while it runs.
    """

    def __init__(
        self,
        name: str,
        kinds: Sequence[JobKind],
        settings: QueueSettings,
        wake: Wake,
        should_stop: Callable[[], bool] = lambda: False,
        process: RegisteredProcess | None = None,
    ) -> None:
        self.name = name
        self.kinds = {kind.name: kind for kind in kinds}
        self.settings = settings
        self.wake = wake
        #: Number of jobs that have ended.
        self.jobs_done = 0
        #: Whether the worker ends, or has ended, so that a fresh one can replace it.
        self.should_recycle = False
        self._stop = float("inf")
        self._should_stop = should_stop
        self._process = process
        self._limits = WorkerLimits(settings)
        self._batch: Batch | None = None
        self._unresolved: list[Claim] = []
        self._delay = _FIRST_DELAY

    def stop(self) -> None:
        """Ask the worker to end after the current job. Safe in a signal handler."""
        self._stop = min(self._stop, clock.monotonic())

    def is_stopping(self) -> bool:
        """Whether the worker should end after the current job."""
        if self._process and self._process.should_recycle:
            self.should_recycle = True
        return self.should_recycle or self._stop < float("inf") or self._should_stop()

    def run(
        self, limit: int | None = None, *, once: bool = False, on_batch_done: Callable[[int], None] = lambda _jobs: None
    ) -> int:
        """Run jobs until asked to stop; returns the number of jobs that ended.

        Args:
            limit: the largest number of jobs to run.
            once: return as soon as no job is due, instead of waiting for more.
            on_batch_done: told after each batch how many of it have been ended.
        """
        while not self.is_stopping() and (limit is None or self.jobs_done < limit):
            before = self.jobs_done
            try:
                if not self._work_once(limit):
                    # A follow-up that is due in a moment is not left for another run.
                    if once and store.seconds_until_due(_DUE_SOON) is None:
                        break
                    self._wait_for_work("waiting for work")
                self._delay = _FIRST_DELAY
            except Exception as error:
                if not db.is_unavailable(error):
                    raise
                self._wait_for_database(error)
            finally:
                on_batch_done(self.jobs_done - before)
        return self.jobs_done

    def heartbeat(self) -> None:
        """Renew leases and the process row; abort the current job if stopping takes too long. Thread-safe."""
        if clock.monotonic() - self._stop > STOP_TIMEOUT:
            self._abort_job()
        if batch := self._batch:
            batch.heartbeat()
        if self._process:
            self._process.heartbeat()

    def _work_once(self, limit: int | None) -> bool:
        """Claim and run one batch; returns False if no job is due."""
        if self._unresolved:
            store.release(self._unresolved)
            self._unresolved = []
        if self._process and self._process.is_paused:
            self._wait_for_work("paused")
            return True
        batch = self._limits.batch_size(self.jobs_done, limit)
        claims = store.claim(self.name, list(self.kinds), batch, self.settings.lease)
        if not claims:
            return False
        self._set_activity(
            f"{claims[0].kind}: {claims[0].key}" + (f" and {len(claims) - 1} more" if claims[1:] else "")
        )
        before = self.jobs_done
        self.run_batch(claims)
        self.should_recycle = self.should_recycle or self._limits.should_recycle(self.jobs_done)
        self._limits.record_jobs(self.jobs_done - before)
        self._limits.wait_for_rate(self.is_stopping)
        return True

    def _wait_for_work(self, doing: str) -> None:
        self._set_activity(doing)
        # Follow-ups and retries become due without a commit.
        due = store.seconds_until_due(1.0)
        if self.wake.wait(1.0 if due is None else due + 0.001) and self._process:
            self._process.refresh_request()

    def _set_activity(self, doing: str) -> None:
        if self._process:
            self._process.activity, self._process.jobs_done = doing, self.jobs_done

    def run_batch(self, claims: Sequence[Claim]) -> None:
        """Run a batch, kind by kind, and end all of its claims.

        Raises:
            PeeweeException: the database is unavailable; open claims are released once it is back.
        """
        self._unresolved = list(claims)
        for name, group in groupby(claims, key=lambda claim: claim.kind):
            kind = self.kinds[name]
            self._batch = batch = Batch(kind, list(group), self.settings, self._batch_stop_check())
            try:
                self._perform(batch)
            finally:
                self._batch = None
                self.jobs_done += batch.ended_count
            store.release(list(batch.open_claims.values()))
        self._unresolved = []

    def _perform(self, batch: Batch) -> None:
        try:
            batch.kind.perform(list(batch.open_claims.values()), batch)
        except Exception as error:  # whatever a handler raises, its jobs must not stay claimed
            for claim in list(batch.open_claims.values()):
                batch.fail(claim, error)

    def _batch_stop_check(self) -> Callable[[], bool]:
        """Return the check made before each job of a batch: a worker over its memory limit stops there."""
        asked = 0

        def stopping() -> bool:
            nonlocal asked
            asked += 1
            self.should_recycle = self.should_recycle or (asked > 1 and self._limits.exceeds_memory())
            return self.is_stopping()

        return stopping

    def _wait_for_database(self, error: Exception) -> None:
        """Drop the connection of an unavailable database and wait a while."""
        db.outage.record_loss(error)
        db.disconnect()
        end = clock.monotonic() + self._delay
        while clock.monotonic() < end and not self.is_stopping():
            clock.sleep(0.02)
        self._delay = min(_MAX_DELAY, self._delay * 2)

    def _abort_job(self) -> None:
        """Release the open claims and end this process, since the current job takes too long to stop.

        The job can publish nothing any more: its attempt ends before the process does.
        """
        log.warning("the current job is aborted, it takes too long to stop", worker=self.name)
        with suppress(Exception):  # otherwise the leases expire
            if batch := self._batch:
                store.release(list(batch.open_claims.values()))
            if self._process:
                self._process.deregister()
        os._exit(EXIT_RECYCLE if self.should_recycle else 0)

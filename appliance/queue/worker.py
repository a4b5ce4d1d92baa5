"""The worker loop: claim a batch, have its kind perform it, see every claim to an end. Writes no SQL.

Guarantees that every claim ends as finished, failed or released whatever a kind's code does, and that an effect
is only had under the fence: `Desk.complete` runs it inside the write transaction that ends the runs, for those runs
alone that are still held.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from appliance import clock, db, telemetry
from appliance.config import QueueSettings
from appliance.errors import LostLease
from appliance.queue import store
from appliance.queue.limits import Limits
from appliance.queue.processes import Presence
from appliance.queue.retry import RetryPolicy, fault
from appliance.queue.store import Claim
from appliance.queue.supervisor import REPLACE

log = telemetry.logger("worker")


class Perform(Protocol):
    """A kind's code: works on claims of its kind and ends each through the desk."""

    def __call__(self, claims: Sequence[Claim], desk: Desk) -> None:
        """Work on `claims`; what it leaves open is released, what it raises fails all that is open."""


@dataclass(frozen=True)
class Kind:
    """A kind of work: its name on the queue, what performs it and how it is retried."""

    name: str
    perform: Perform
    retry: RetryPolicy = field(default_factory=RetryPolicy)


class Wake(Protocol):
    """Something to wait on between jobs."""

    def wait(self, timeout: float) -> bool:
        """Return True as soon as there may be news, False after `timeout` seconds without any."""


class Desk:
    """What a kind's code holds while it performs: the claims that are open and the ways to end them."""

    def __init__(
        self, kind: Kind, claims: Sequence[Claim], settings: QueueSettings, stopping: Callable[[], bool]
    ) -> None:
        self.kind = kind
        self.settings = settings
        #: True once the worker was asked to stop: end the job at hand and return.
        self.stopping = stopping
        self.open: dict[int, Claim] = {claim.id: claim for claim in claims}
        #: How many runs have come to an end here.
        self.ended = 0
        self._renewed = clock.monotonic()
        self._lock = threading.Lock()

    def beat(self) -> None:
        """Renew the lease of all open claims when a third of it has passed; call it between jobs.

        A worker's heartbeat calls it as well, from its own thread, for jobs that take long.
        """
        with self._lock:
            held = list(self.open.values())
            if clock.monotonic() - self._renewed < self.settings.lease / 3 or not held:
                return
            still = store.beat(held, self.settings.lease)
            self._renewed = clock.monotonic()
        for claim in held:
            if claim.id not in still:
                self.open.pop(claim.id, None)

    def complete(self, claims: Sequence[Claim], effect: Callable[[Sequence[Claim]], Mapping[Claim, str]]) -> None:
        """End runs well, with an effect had only for those still held.

        Args:
            claims: open claims.
            effect: called inside the write transaction with the claims still held; returns 'changed' or
                'unchanged' for each it has finished. When it raises, nothing is committed.
        """
        # The heartbeat waits: two transactions of one worker that lock the same rows could lock each other out.
        with self._lock, db.write():
            still = store.held(claims)
            outcomes = effect([claim for claim in claims if claim.id in still])
            store.finish(outcomes)
        self.ended += len(outcomes)
        for claim in claims:
            if claim in outcomes or claim.id not in still:
                self.open.pop(claim.id, None)

    def fail(self, claim: Claim, error: BaseException) -> None:
        """End a run badly; the kind's policy says whether it is tried again.

        Raises:
            PeeweeException: `error`, when it is the database that cannot be reached: the job is not to blame.
        """
        if db.lost(error):
            raise error
        if not isinstance(error, LostLease):
            retry = self.kind.retry.delay(claim.failures, error)
            patient = self.kind.retry.is_patient(error)
            state = store.fail(claim, fault(error), retry_after=retry, counts=not patient)
            tell = log.debug if patient else log.warning  # else as often as there are jobs, until it is mended
            tell("job failed", kind=claim.kind, key=claim.key, state=state, error=str(error))
        self.ended += 1
        self.open.pop(claim.id, None)


#: Seconds before the first try to reach a lost database again, and the longest between two.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: Seconds a run-once worker waits for what is about to be due; no retry is due so soon.
_MOMENT = 0.25
#: Seconds a worker that was told to stop may take for the job at hand.
PATIENCE = 4.0


class Worker:
    """One worker: performs jobs of its kinds until it is told to stop or its limit is reached.

    `keep` is to be called from a `Heartbeat` while it runs.
    """

    def __init__(
        self,
        name: str,
        kinds: Sequence[Kind],
        settings: QueueSettings,
        wake: Wake,
        leave: Callable[[], bool] = lambda: False,
        presence: Presence | None = None,
    ) -> None:
        self.name = name
        self.kinds = {kind.name: kind for kind in kinds}
        self.settings = settings
        self.wake = wake
        #: Jobs ended.
        self.done = 0
        #: Whether it ended, or is about to, because a fresh one is to take its place.
        self.worn = False
        self._stop = float("inf")
        self._leave = leave
        self._presence = presence
        self._limits = Limits(settings)
        self._desk: Desk | None = None
        self._unsure: list[Claim] = []
        self._pause = _FIRST_PAUSE

    def stop(self) -> None:
        """Ask the worker to end after the job at hand. Safe in a signal handler."""
        self._stop = min(self._stop, clock.monotonic())

    def stopping(self) -> bool:
        """Whether the worker was asked to stop, or is to end for another reason."""
        if self._presence and self._presence.recycled:
            self.worn = True
        return self.worn or self._stop < float("inf") or self._leave()

    def run(
        self, limit: int | None = None, *, once: bool = False, tally: Callable[[int], None] = lambda _jobs: None
    ) -> int:
        """Perform jobs until stopped; returns how many have been ended.

        Args:
            limit: jobs to end at most.
            once: end as soon as no job is due, instead of waiting for more.
            tally: told after each batch how many of it have been ended.
        """
        while not self.stopping() and (limit is None or self.done < limit):
            before = self.done
            try:
                if not self._turn(limit):
                    # What only gathers for a moment is not left for another run.
                    if once and store.next_due(_MOMENT) is None:
                        break
                    self._rest("waiting for work")
                self._pause = _FIRST_PAUSE
            except Exception as error:
                if not db.lost(error):
                    raise
                self._mend(error)
            finally:
                tally(self.done - before)
        return self.done

    def keep(self) -> None:
        """Keep up leases and row; give up the job at hand when it takes too long to stop. From another thread."""
        if clock.monotonic() - self._stop > PATIENCE:
            self._abandon()
        if desk := self._desk:
            desk.beat()
        if self._presence:
            self._presence.beat()

    def _turn(self, limit: int | None) -> bool:
        """Claim and perform a batch; returns False when there is none."""
        if self._unsure:
            store.release(self._unsure)
            self._unsure = []
        if self._presence and self._presence.paused:
            self._rest("paused")
            return True
        batch = self._limits.batch(self.done, limit)
        claims = store.claim(self.name, list(self.kinds), batch, self.settings.lease)
        if not claims:
            return False
        self._say(f"{claims[0].kind}: {claims[0].key}" + (f" and {len(claims) - 1} more" if claims[1:] else ""))
        before = self.done
        self.perform(claims)
        self.worn = self.worn or self._limits.worn(self.done)
        self._limits.worked(self.done - before)
        self._limits.rest(self.stopping)
        return True

    def _rest(self, doing: str) -> None:
        self._say(doing)
        # Follow-ups and retries become due without any news.
        due = store.next_due(1.0)
        if self.wake.wait(1.0 if due is None else due + 0.001) and self._presence:
            self._presence.look()

    def _say(self, doing: str) -> None:
        if self._presence:
            self._presence.doing, self._presence.jobs = doing, self.done

    def perform(self, claims: Sequence[Claim]) -> None:
        """See a batch to its end, kind by kind.

        Raises:
            PeeweeException: the database cannot be reached; what was not ended is released once it can be.
        """
        self._unsure = list(claims)
        for name, group in groupby(claims, key=lambda claim: claim.kind):
            kind = self.kinds[name]
            self._desk = desk = Desk(kind, list(group), self.settings, self._stopping_at_job())
            try:
                self._perform(desk)
            finally:
                self._desk = None
                self.done += desk.ended
            store.release(list(desk.open.values()))
        self._unsure = []

    def _perform(self, desk: Desk) -> None:
        try:
            desk.kind.perform(list(desk.open.values()), desk)
        except Exception as error:  # whatever a kind's code raises, its jobs must not be left running
            for claim in list(desk.open.values()):
                desk.fail(claim, error)

    def _stopping_at_job(self) -> Callable[[], bool]:
        """Asked before each job of a batch: a worker too heavy ends with the first job that made it so."""
        asked = 0

        def stopping() -> bool:
            nonlocal asked
            asked += 1
            self.worn = self.worn or (asked > 1 and self._limits.heavy())
            return self.stopping()

        return stopping

    def _mend(self, error: Exception) -> None:
        """Wait for a lost database and forget its connection."""
        log.warning("the database cannot be used, trying again", pause=self._pause, error=str(error))
        db.disconnect()
        end = clock.monotonic() + self._pause
        while clock.monotonic() < end and not self.stopping():
            clock.sleep(0.02)
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)

    def _abandon(self) -> None:
        """Give back what is open and end this process: the job at hand takes longer than may be waited for.

        Whatever that job still does is not published: its attempt is over before the process is.
        """
        log.warning("the job at hand is given up, it takes too long to stop", worker=self.name)
        with suppress(Exception):  # then the leases will run out
            if desk := self._desk:
                store.release(list(desk.open.values()))
            if self._presence:
                self._presence.leave()
        os._exit(REPLACE if self.worn else 0)

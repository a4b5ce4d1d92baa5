"""The worker loop: claim a batch, have its kind perform it, see every claim to an end. Writes no SQL.

Guarantees that every claim ends as finished, failed or released whatever a kind's code does, and that an effect
is only had under the fence: `Desk.complete` runs it inside the write transaction that ends the runs, for those runs
alone that are still held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from appliance import clock, db, telemetry
from appliance.config import QueueSettings
from appliance.errors import LostLease
from appliance.queue import store
from appliance.queue.retry import RetryPolicy, fault
from appliance.queue.store import Claim

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
        self._renewed = clock.monotonic()

    def beat(self) -> None:
        """Renew the lease of all open claims when a third of it has passed; call it between jobs."""
        if clock.monotonic() - self._renewed < self.settings.lease / 3 or not self.open:
            return
        still = store.beat(list(self.open.values()), self.settings.lease)
        self._renewed = clock.monotonic()
        for lost in set(self.open) - still:
            del self.open[lost]

    def complete(self, claims: Sequence[Claim], effect: Callable[[Sequence[Claim]], Mapping[Claim, str]]) -> None:
        """End runs well, with an effect had only for those still held.

        Args:
            claims: open claims.
            effect: called inside the write transaction with the claims still held; returns 'changed' or
                'unchanged' for each it has finished. When it raises, nothing is committed.
        """
        with db.write():
            still = store.held(claims)
            outcomes = effect([claim for claim in claims if claim.id in still])
            store.finish(outcomes)
        for claim in claims:
            if claim in outcomes or claim.id not in still:
                self.open.pop(claim.id, None)

    def fail(self, claim: Claim, error: BaseException) -> None:
        """End a run badly; the kind's policy says whether it is tried again."""
        self.open.pop(claim.id, None)
        if isinstance(error, LostLease):
            return
        state = store.fail(claim, fault(error), retry_after=self.kind.retry.delay(claim.failures, error))
        log.warning("job failed", kind=claim.kind, key=claim.key, state=state, error=str(error))


class Worker:
    """One worker: performs jobs of its kinds until it is told to stop or its limit is reached."""

    def __init__(
        self,
        name: str,
        kinds: Sequence[Kind],
        settings: QueueSettings,
        wake: Wake,
        leave: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = name
        self.kinds = {kind.name: kind for kind in kinds}
        self.settings = settings
        self.wake = wake
        self.done = 0
        self._stop = False
        self._leave = leave

    def stop(self) -> None:
        """Ask the worker to end after the job at hand. Safe in a signal handler."""
        self._stop = True

    def stopping(self) -> bool:
        """Whether the worker was asked to stop, or is to end for another reason."""
        return self._stop or self._leave()

    def run(self, limit: int | None = None) -> int:
        """Perform jobs until stopped, or until `limit` of them are claimed; returns how many were claimed."""
        while not self.stopping() and (limit is None or self.done < limit):
            batch = self.settings.batch if limit is None else min(self.settings.batch, limit - self.done)
            claims = store.claim(self.name, list(self.kinds), batch, self.settings.lease)
            if claims:
                self.perform(claims)
                self.done += len(claims)
            else:
                self.wake.wait(1.0)  # at the latest after a second: retries become due without any news
        return self.done

    def perform(self, claims: Sequence[Claim]) -> None:
        """See a batch to its end, kind by kind."""
        for name, group in groupby(claims, key=lambda claim: claim.kind):
            kind = self.kinds[name]
            desk = Desk(kind, list(group), self.settings, self.stopping)
            try:
                kind.perform(list(desk.open.values()), desk)
            except Exception as error:  # whatever a kind's code raises, its jobs must not be left running
                for claim in list(desk.open.values()):
                    desk.fail(claim, error)
            finally:
                if desk.open:
                    store.release(desk.open.values())

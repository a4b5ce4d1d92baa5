"""The limits of a worker: its rate, its batch size, and when it is recycled."""

from __future__ import annotations

from collections.abc import Callable

from appliance import clock
from appliance.config import QueueSettings
from appliance.queue import processes

_MIB = 1 << 20
#: Seconds between two looks at the memory, and between two looks whether a nap is still wanted.
_MEASURE_INTERVAL, _POLL_INTERVAL = 0.05, 0.05


class WorkerLimits:
    """The limits of one worker process."""

    def __init__(self, settings: QueueSettings, memory: Callable[[], int] = processes.resident_memory) -> None:
        self._settings = settings
        self._memory = memory
        self._measured_at = clock.monotonic()
        self._over_memory = False
        self._next_start = clock.monotonic()

    def batch_size(self, done: int, limit: int | None) -> int:
        """The largest batch that a worker may claim after `done` jobs.

        A worker that has to pause between jobs claims few, so that others can take the rest.
        """
        settings = self._settings
        most = [settings.batch]
        if settings.pause:
            most.append(1)
        if settings.rate:
            most.append(max(1, int(settings.rate)))
        if settings.jobs_per_worker:
            most.append(max(1, settings.jobs_per_worker - done))
        if limit is not None:
            most.append(limit - done)
        return min(most)

    def record_jobs(self, jobs: int) -> None:
        """Record that jobs ended: the next may not start before the pause and the time of the rate are over."""
        now, settings = clock.monotonic(), self._settings
        due = now + settings.pause
        if settings.rate:
            # From when these were due, not done: a slow batch does not lower the rate any further.
            due = max(due, max(self._next_start, now - 1.0) + jobs / settings.rate)
        self._next_start = due

    def wait_for_rate(self, stopping: Callable[[], bool]) -> None:
        """Wait until the next job may start, or until `stopping` returns true."""
        while (left := self._next_start - clock.monotonic()) > 0 and not stopping():
            clock.sleep(min(left, _POLL_INTERVAL))

    def should_recycle(self, done: int) -> bool:
        """Whether a fresh worker should replace this one after `done` jobs."""
        most = self._settings.jobs_per_worker
        return (0 < most <= done) or (done > 0 and self.exceeds_memory())

    def exceeds_memory(self) -> bool:
        """Whether the worker is over its memory limit; measured a few times a second."""
        ceiling = self._settings.memory
        if ceiling and not self._over_memory and clock.monotonic() - self._measured_at > _MEASURE_INTERVAL:
            self._measured_at = clock.monotonic()
            self._over_memory = self._memory() > ceiling * _MIB
        return self._over_memory

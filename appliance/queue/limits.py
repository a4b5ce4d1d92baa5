"""What keeps a worker modest: how fast it works, and when a fresh one takes its place."""

from __future__ import annotations

from collections.abc import Callable

from appliance import clock
from appliance.config import QueueSettings
from appliance.queue import processes

_MIB = 1 << 20
#: Seconds between two looks at the memory, and between two looks whether a nap is still wanted.
_LOOK, _STEP = 0.05, 0.05


class Limits:
    """The limits of one worker, from its start."""

    def __init__(self, settings: QueueSettings, memory: Callable[[], int] = processes.memory) -> None:
        self._settings = settings
        self._memory = memory
        self._looked = clock.monotonic()
        self._worn = False
        self._free = clock.monotonic()

    def batch(self, done: int, limit: int | None) -> int:
        """How many jobs may be claimed at once by a worker that has done so many.

        One that may not work on all of a batch at once would only keep it from others.
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

    def worked(self, jobs: int) -> None:
        """Jobs were done: the next may not begin before the pause, and the time of the rate, are over."""
        now, settings = clock.monotonic(), self._settings
        due = now + settings.pause
        if settings.rate:
            # From when these were due, not done: a slow batch does not lower the rate any further.
            due = max(due, max(self._free, now - 1.0) + jobs / settings.rate)
        self._free = due

    def rest(self, stopping: Callable[[], bool]) -> None:
        """Wait until the next job may begin, or until told to stop."""
        while (left := self._free - clock.monotonic()) > 0 and not stopping():
            clock.sleep(min(left, _STEP))

    def worn(self, done: int) -> bool:
        """Whether the worker, having done so many jobs, is to be replaced by a fresh one."""
        most = self._settings.jobs_per_worker
        return (0 < most <= done) or (done > 0 and self.heavy())

    def heavy(self) -> bool:
        """Whether the worker holds more memory than it may; looked at a few times a second."""
        ceiling = self._settings.memory
        if ceiling and not self._worn and clock.monotonic() - self._looked > _LOOK:
            self._looked = clock.monotonic()
            self._worn = self._memory() > ceiling * _MIB
        return self._worn

"""What the master of a web process looks after while its workers answer: whether to replace them, and why.

Guarantees that a change is acted on only once it is complete. All of this happens in the master's main thread: a thread
that holds a lock while a worker is forked would leave that lock held in the worker for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from appliance import clock, logging
from appliance.web import measure_files
from appliance.web.program import Program, stamp_of
from appliance.web.served import Reporter

log = logging.get_logger("web")

#: What the master is to do: stop, replace its workers, or let a fresh process take its place.
Action = Literal["", "stop", "reload", "renew"]

#: Seconds between two reports, and between two looks at files and folders.
_REPORT: Final = 2.0
_SWEEP: Final = 10.0
#: Seconds that a settings file, or a release, must rest until it counts as complete.
_FILE_RESTS: Final = 1.0
_RELEASE_RESTS: Final = 3.0


class Watch:
    """Tells that something has changed, once, when it has rested for some seconds."""

    def __init__(self, stamp: Callable[[], object], rests: float) -> None:
        """Begin to watch.

        Args:
            stamp: returns another value after a change.
            rests: seconds without another change.
        """
        self._stamp = stamp
        self._rests = rests
        self._used = self._last = stamp()
        self._since = clock.monotonic()

    def has_changed(self) -> bool:
        """Whether there is a complete change that was not told before."""
        now = self._stamp()
        if now != self._last:
            self._last, self._since = now, clock.monotonic()
        if self._last == self._used or clock.monotonic() - self._since < self._rests:
            return False
        self._used = self._last
        return True


class Upkeep:
    """Decides for one web process what becomes of it."""

    def __init__(
        self, reporter: Reporter, settings: Path | None, program: Program | None, ends: Callable[[], bool] | None
    ) -> None:
        """Begin to look after it.

        Args:
            reporter: reports how the process is doing.
            settings: the file whose changes are used at once.
            program: what to run anew after an upgrade; None if a supervisor keeps the process.
            ends: whether the process should end although nobody told it to.
        """
        self.reporter = reporter
        self._program = program
        self._ends = ends
        self._settings = Watch(lambda: stamp_of([settings] if settings else []), _FILE_RESTS)
        self._release = Watch(program.release if program else lambda: None, _RELEASE_RESTS)
        self._report_due = self._sweep_due = 0.0

    def decide(self, processes: Callable[[], list[int]], requests: Callable[[], int], folder: Path) -> Action:
        """Return what to do now. Call it at least once a second.

        Args:
            processes: returns the process ids of the master and its workers.
            requests: returns the number of requests answered so far.
            folder: where web processes keep the folders of their measures.
        """
        now = clock.monotonic()
        if self._ends is not None and self._ends():
            return "stop"
        if now >= self._sweep_due:
            self._sweep_due = now + _SWEEP
            measure_files.sweep(folder)
        if now >= self._report_due:
            recycle = self.reporter.report(processes(), requests())
            self._report_due = clock.monotonic() + _REPORT
            if recycle:
                return "renew"
        if self._release.has_changed() and self._is_usable():
            return "renew"
        return "reload" if self._settings.has_changed() else ""

    def _is_usable(self) -> bool:
        """Whether the release that is installed now starts."""
        why = self._program.why_not() if self._program else ""
        if why:
            log.error("the release that was installed does not start; the former one goes on", error=why)
        else:
            log.info("another release is installed, and takes over")
        return not why

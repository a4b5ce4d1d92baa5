"""A few processes kept alive: forks them, restarts the dead with back-off, passes signals on, and ends with them.

The supervisor stays single-threaded and opens no database before it forks, so that a child inherits neither locks
nor connections.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from appliance import clock, telemetry

log = telemetry.logger("supervisor")

_HANDLED = (signal.SIGTERM, signal.SIGINT)
_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY = 0.1, 10.0, 30.0

#: In a supervised process: the id of its supervisor.
_supervisor = 0


@dataclass
class _Child:
    main: Callable[[], int]
    pid: int = 0
    started: float = 0.0
    pause: float = _FIRST_PAUSE
    due: float = 0.0
    leaving: bool = False
    over: bool = False


class Supervisor:
    """Keeps one process for each named main function. A main that returns 0 is over; any other end is restarted."""

    def __init__(
        self,
        mains: Mapping[str, Callable[[], int]],
        on_death: Callable[[str, int], None] = lambda _name, _pid: None,
    ) -> None:
        self._children = {name: _Child(main) for name, main in mains.items()}
        self._on_death = on_death
        #: Bytes of memory the children that have ended had at most, by name.
        self.peaks: dict[str, int] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the living children by name."""
        return {name: child.pid for name, child in self._children.items() if child.pid}

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask every child to end; none is started again. Safe in a signal handler.

        SIGTERM asks to end in good order, SIGINT to leave what is not done.
        """
        for child in self._children.values():
            child.leaving = True
            if child.pid:
                os.kill(child.pid, number)

    def start(self) -> None:
        """Fork what is due."""
        for name, child in self._children.items():
            if not child.pid and not child.over and not child.leaving and clock.monotonic() >= child.due:
                self._fork(name, child)

    def tend(self) -> bool:
        """Reap the dead and restart them when their pause is over; returns whether any child is alive or due."""
        for name, child in self._children.items():
            if child.pid:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    self.peaks[name] = max(self.peaks.get(name, 0), usage.ru_maxrss * 1024)
                    self._reaped(name, child, os.waitstatus_to_exitcode(status))
        self.start()
        return any(child.pid or not (child.over or child.leaving) for child in self._children.values())

    def end(self, seconds: float = 10.0) -> None:
        """Stop all children; those still alive after `seconds` are killed."""
        self.stop()
        limit = clock.monotonic() + seconds
        while self.tend():
            if clock.monotonic() > limit:
                for name, pid in self.pids.items():
                    log.warning("killing a process that did not stop", process=name, pid=pid)
                    os.kill(pid, signal.SIGKILL)
                limit += seconds
            clock.sleep(0.005)

    def _fork(self, name: str, child: _Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        child.started = clock.monotonic()
        # A signal that arrives before the child has its own handlers must neither run the parent's nor be lost.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        parent = os.getpid()
        child.pid = os.fork()
        if child.pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        else:
            global _supervisor
            _supervisor, code = parent, 1
            try:
                code = child.main()
            except KeyboardInterrupt:
                code = 0
            except BaseException:  # the child must not unwind into the parent's code
                log.exception("process died", process=name)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)

    def _reaped(self, name: str, child: _Child, code: int) -> None:
        pid, child.pid = child.pid, 0
        if code == 0 or child.leaving:
            child.over = True
        else:
            steady = clock.monotonic() - child.started > _STEADY
            child.pause = _FIRST_PAUSE if steady else min(_LONGEST_PAUSE, child.pause * 2)
            child.due = clock.monotonic() + child.pause
            log.warning("process ended, starting it again", process=name, code=code, pause=child.pause)
        self._on_death(name, pid)


def orphaned() -> Callable[[], bool]:
    """Tells, when called later, whether this process's supervisor has gone without asking it to end."""
    # Asked for here, its id would be that of whoever inherits orphans should it have gone already.
    parent = _supervisor or os.getppid()
    return lambda: os.getppid() != parent


@contextmanager
def on_signals(terminate: Callable[[], None], interrupt: Callable[[], None] | None = None) -> Iterator[None]:
    """Have SIGTERM call `terminate`, and SIGINT `interrupt` or else the same, while the block runs.

    Every main function of a supervised process runs inside one: until then both signals wait.
    """
    handlers = {signal.SIGTERM: terminate, signal.SIGINT: interrupt or terminate}

    def handle(number: int, _frame: FrameType | None) -> None:
        handlers[signal.Signals(number)]()

    before = {number: signal.signal(number, handle) for number in handlers}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)

"""A few processes kept alive: forks them, restarts the dead with back-off, passes signals on, and ends with them.

The supervisor stays single-threaded, and gives up its database connections before each fork, so that a child inherits
neither locks nor connections.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Final

from appliance import clock, telemetry

log = telemetry.logger("supervisor")

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: The exit status of a process that a fresh one is to replace at once.
REPLACE: Final = 85
#: Seconds that processes told to end may take before they are killed.
PATIENCE: Final = 4.7
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
    #: Asked to end so that a fresh one can take its place.
    replaced: bool = False


class Supervisor:
    """Keeps one process for each named main function.

    A main that returns 0 is over, one that returns REPLACE is followed by a fresh one at once; any other end is
    restarted with back-off.
    """

    def __init__(
        self,
        mains: Mapping[str, Callable[[], int]],
        on_death: Callable[[str, int], None] = lambda _name, _pid: None,
        before_fork: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare, and start nothing yet.

        Args:
            mains: what each process does; the value returned is its exit status.
            on_death: told the name and process id of each process that has ended.
            before_fork: gives up what a child must not inherit, such as connections.
        """
        self._children = {name: _Child(main) for name, main in mains.items()}
        self._on_death = on_death
        self._before_fork = before_fork
        self._recycling: list[str] = []
        self._deadline = float("inf")
        #: Bytes of memory the children that have ended had at most, by name.
        self.peaks: dict[str, int] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the living children by name."""
        return {name: child.pid for name, child in self._children.items() if child.pid}

    def over(self, *, but: str = "") -> bool:
        """Whether all children, `but` for one, have ended for good."""
        return all(child.over or name == but for name, child in self._children.items())

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask every child to end; none is started again. Safe in a signal handler.

        SIGTERM asks to end in good order, SIGINT to leave what is not done.
        """
        for child in self._children.values():
            child.leaving = True
            _tell(child, number)

    def recycle(self) -> None:
        """Have every child end in good order and be replaced, one after another. Safe in a signal handler."""
        self._recycling = list(self._children)

    def start(self) -> None:
        """Fork what is due."""
        for name, child in self._children.items():
            if not child.pid and not child.over and not child.leaving and clock.monotonic() >= child.due:
                self._fork(name, child)
        if self._recycling and not any(child.replaced for child in self._children.values()):
            child = self._children[self._recycling.pop(0)]
            if child.pid and not child.leaving:
                child.replaced = True
                _tell(child, signal.SIGTERM)

    def tend(self) -> bool:
        """Reap the dead and restart them when their pause is over; returns whether any child is alive or due."""
        for name, child in self._children.items():
            if child.pid:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    self.peaks[name] = max(self.peaks.get(name, 0), usage.ru_maxrss * 1024)
                    self._reaped(name, child, os.waitstatus_to_exitcode(status))
        self.start()
        self._kill_the_late()
        return any(child.pid or not (child.over or child.leaving) for child in self._children.values())

    def end(self, seconds: float = PATIENCE) -> None:
        """Stop all children; those still alive after `seconds` are killed. Safe in a signal handler.

        `tend` sees to it.
        """
        self._deadline = clock.monotonic() + seconds
        self.stop()

    def _kill_the_late(self) -> None:
        if clock.monotonic() > self._deadline:
            for name, pid in self.pids.items():
                log.warning("killing a process that did not stop", process=name, pid=pid)
                os.kill(pid, signal.SIGKILL)

    def _fork(self, name: str, child: _Child) -> None:
        self._before_fork()
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
                signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it is the supervisor's
                # Nor are the parent's handlers the child's, which come and go with its main. Not ignored either:
                # that would lose the signals that wait for them.
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda _number, _frame: None)
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
        replaced, child.replaced = child.replaced, False
        if child.leaving or (code == 0 and not replaced):
            child.over = True
        elif replaced or code == REPLACE:
            child.due, child.pause = 0.0, _FIRST_PAUSE
        else:
            steady = clock.monotonic() - child.started > _STEADY
            child.pause = _FIRST_PAUSE if steady else min(_LONGEST_PAUSE, child.pause * 2)
            child.due = clock.monotonic() + child.pause
            log.warning("process ended, starting it again", process=name, code=code, pause=child.pause)
        self._on_death(name, pid)


def _tell(child: _Child, number: signal.Signals) -> None:
    # In a signal handler: it may have been reaped and not yet noted down.
    with suppress(ProcessLookupError):
        if child.pid:
            os.kill(child.pid, number)


def orphaned() -> Callable[[], bool]:
    """Tells, when called later, whether this process's supervisor has gone without asking it to end."""
    # Asked for here, its id would be that of whoever inherits orphans should it have gone already.
    parent = _supervisor or os.getppid()
    return lambda: os.getppid() != parent


@contextmanager
def on_signals(
    terminate: Callable[[], None],
    interrupt: Callable[[], None] | None = None,
    hangup: Callable[[], None] | None = None,
) -> Iterator[None]:
    """While the block runs, SIGTERM calls `terminate`, SIGINT `interrupt` or else the same, SIGHUP `hangup` if given.

    Every main function of a supervised process runs inside one: until then all three signals wait.
    """
    handlers = {signal.SIGTERM: terminate, signal.SIGINT: interrupt or terminate}
    if hangup:
        handlers[signal.SIGHUP] = hangup

    def handle(number: int, _frame: FrameType | None) -> None:
        handlers[signal.Signals(number)]()

    before = {number: signal.signal(number, handle) for number in handlers}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)

"""A supervisor of processes: forks them, restarts them with back-off, forwards signals, and ends after them.

The supervisor is single-threaded and closes its database connections before each fork, so that a child inherits neither
locks nor connections.
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

from appliance import clock, db, logging
from appliance.db import wait_limits

log = logging.get_logger("supervisor")

_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
#: The exit status of a process that should be replaced at once.
EXIT_RECYCLE: Final = 85
#: The exit status of a process that cannot use the database. It is restarted after `_DATABASE_RETRY_DELAY` seconds.
EXIT_DATABASE_LOST: Final = 86
_DATABASE_RETRY_DELAY: Final = 1.0
#: Seconds that stopping processes may take before they are killed.
STOP_TIMEOUT: Final = 4.3
#: The longest time in seconds that a stopping process waits for the database.
_DATABASE_WAIT: Final = 1.5
_FIRST_BACKOFF, _MAX_BACKOFF, _STABLE_AFTER = 0.1, 10.0, 30.0

#: In a supervised process, the process id of its supervisor.
_supervisor = 0


@dataclass
class _Child:
    main: Callable[[], int]
    pid: int = 0
    started: float = 0.0
    backoff: float = _FIRST_BACKOFF
    due: float = 0.0
    stopping: bool = False
    finished: bool = False
    #: Whether the process was asked to end so that a fresh one can replace it.
    recycling: bool = False


class Supervisor:
    """Keeps one process running for each named main function.

    A process that exits with 0 is finished. EXIT_RECYCLE restarts it at once, EXIT_DATABASE_LOST after a second, and
    any other status with back-off.
    """

    def __init__(
        self,
        main_functions: Mapping[str, Callable[[], int]],
        on_death: Callable[[str, int], None] = lambda _name, _pid: None,
        before_fork: Callable[[], None] = lambda: None,
    ) -> None:
        """Create the supervisor without starting any process.

        Args:
            main_functions: the main function of each process, by name. Its return value is the exit status.
            on_death: called with the name and process id of each process that has ended.
            before_fork: closes resources that a child must not inherit, such as connections.
        """
        self._children = {name: _Child(main) for name, main in main_functions.items()}
        self._on_death = on_death
        self._before_fork = before_fork
        self._recycling: list[str] = []
        self._deadline = float("inf")
        #: The peak memory of ended children in bytes, by name.
        self.peak_memory: dict[str, int] = {}

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the running children, by name."""
        return {name: child.pid for name, child in self._children.items() if child.pid}

    def all_finished(self, *, except_for: str = "") -> bool:
        """Whether all children have ended for good, not counting the one named `except_for`."""
        return all(child.finished or name == except_for for name, child in self._children.items())

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask every child to end and start none again. Safe in a signal handler.

        SIGTERM asks them to finish the current work, SIGINT to abandon it.
        """
        for child in self._children.values():
            child.stopping = True
            _send_signal(child, number)

    def recycle(self) -> None:
        """Replace every child by a fresh process, one after another. Safe in a signal handler."""
        self._recycling = list(self._children)

    def start(self) -> None:
        """Fork the children that are due."""
        for name, child in self._children.items():
            if not child.pid and not child.finished and not child.stopping and clock.monotonic() >= child.due:
                self._fork(name, child)
        if self._recycling and not any(child.recycling for child in self._children.values()):
            child = self._children[self._recycling.pop(0)]
            if child.pid and not child.stopping:
                child.recycling = True
                _send_signal(child, signal.SIGTERM)

    def supervise(self) -> bool:
        """Reap ended children and restart those that are due; returns whether any child is running or due."""
        for name, child in self._children.items():
            if child.pid:
                pid, status, usage = os.wait4(child.pid, os.WNOHANG)
                if pid:
                    self.peak_memory[name] = max(self.peak_memory.get(name, 0), usage.ru_maxrss * 1024)
                    self._record_exit(name, child, os.waitstatus_to_exitcode(status))
        self.start()
        self._kill_overdue()
        return any(child.pid or not (child.finished or child.stopping) for child in self._children.values())

    def shut_down(self, seconds: float = STOP_TIMEOUT) -> None:
        """Stop all children; `supervise` kills those still running after `seconds`. Safe in a signal handler."""
        self._deadline = clock.monotonic() + seconds
        self.stop()

    def _kill_overdue(self) -> None:
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
                signal.signal(signal.SIGHUP, signal.SIG_IGN)  # only the supervisor handles it
                # The child must not run the parent's handlers; its main function installs its own. Ignoring the
                # signals until then would discard those that are pending.
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda _number, _frame: None)
                code = child.main()
            except KeyboardInterrupt:
                code = 0
            except BaseException as error:  # the child must not unwind into the parent's code
                if db.is_unavailable(error):
                    db.outage.record_loss(error)
                    code = EXIT_DATABASE_LOST
                else:
                    log.exception("process died", process=name)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)

    def _record_exit(self, name: str, child: _Child, code: int) -> None:
        pid, child.pid = child.pid, 0
        recycling, child.recycling = child.recycling, False
        if child.stopping or (code == 0 and not recycling):
            child.finished = True
        elif recycling or code == EXIT_RECYCLE:
            child.due, child.backoff = 0.0, _FIRST_BACKOFF
        elif code == EXIT_DATABASE_LOST:
            db.outage.mark_reported()
            child.due = clock.monotonic() + _DATABASE_RETRY_DELAY
        else:
            steady = clock.monotonic() - child.started > _STABLE_AFTER
            child.backoff = _FIRST_BACKOFF if steady else min(_MAX_BACKOFF, child.backoff * 2)
            child.due = clock.monotonic() + child.backoff
            log.warning("process ended, starting it again", process=name, code=code, pause=child.backoff)
        self._on_death(name, pid)


def _send_signal(child: _Child, number: signal.Signals) -> None:
    # A signal handler may run just after the child was reaped, while its process id is still set.
    with suppress(ProcessLookupError):
        if child.pid:
            os.kill(child.pid, number)


def make_orphan_check() -> Callable[[], bool]:
    """Return a function that tells whether the supervisor of this process has ended without stopping it."""
    # The id was recorded before the fork. If the supervisor has already ended, os.getppid() returns another process.
    parent = _supervisor or os.getppid()
    return lambda: os.getppid() != parent


@contextmanager
def handle_signals(
    terminate: Callable[[], None],
    interrupt: Callable[[], None] | None = None,
    hangup: Callable[[], None] | None = None,
    *,
    patient_on_sigterm: bool = False,
) -> Iterator[None]:
    """While the block runs, call `terminate` on SIGTERM, `interrupt` on SIGINT and `hangup` on SIGHUP.

    Without `interrupt`, SIGINT calls `terminate` too. Without `hangup`, SIGHUP is not handled. After SIGINT or SIGTERM
    this process waits only briefly for a database that does not answer; with `patient_on_sigterm`, only after SIGINT.
    The main function of a supervised process must use this block: until it is entered, all three signals are blocked.
    """
    handlers = {signal.SIGTERM: terminate, signal.SIGINT: interrupt or terminate}
    if hangup:
        handlers[signal.SIGHUP] = hangup

    def handle(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT or (number == signal.SIGTERM and not patient_on_sigterm):
            wait_limits.set_deadline(_DATABASE_WAIT)
        handlers[signal.Signals(number)]()

    before = {number: signal.signal(number, handle) for number in handlers}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)

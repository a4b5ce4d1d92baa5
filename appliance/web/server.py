"""The web process: gunicorn with a few worker processes of several threads each, in front of one application.

Guarantees that no request waits for ever and none is dropped when workers are replaced: they are, one after another,
after a number of requests or a time, with jitter, and when one takes no requests any more; all of them when the
settings change. After an upgrade, or when somebody asks for it, the whole process is replaced: its workers answer what
they have begun, and whoever comes meanwhile waits in the listening socket, which stays open.

gunicorn's control socket is not used; docs/explanation/decisions.md says why.
"""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gunicorn.arbiter import Arbiter
from gunicorn.sock import close_sockets

from appliance import logging
from appliance.web import listening
from appliance.web.gunicorn_application import GunicornApplication, Read
from appliance.web.listening import Listening
from appliance.web.measure_files import VARIABLE, MeasureFolder
from appliance.web.program import Program
from appliance.web.served import ServerSettings
from appliance.web.upkeep import Upkeep

log = logging.get_logger("web")

_LOOK: Final = 0.5


def serve(
    read: Read, opened: Listening | None = None, *, file: Path | None = None,
    program: Program | None = None, ends: Callable[[], bool] | None = None, renewed: int = 0,
) -> int:  # fmt: skip
    """Serve until SIGTERM or SIGINT, and return the exit status.

    Args:
        read: returns the application with its settings, read at the start, after SIGHUP and when `file` has changed.
        opened: the sockets to serve on; they stay open and their files in place. None to open that of the settings,
            or to take those that systemd passes.
        file: the settings file.
        program: what to run anew in this process after an upgrade or a request for it. None if a supervisor keeps this
            process.
        ends: whether the process should end although nobody told it to.
        renewed: the exit status by which the supervisor is told to start a fresh process.

    Raises:
        ConfigError: the settings cannot be used.
        WebError: nothing can listen as the settings say.
    """
    served = read()
    sockets = opened or listening.open_sockets(served.settings, served.section)
    master = os.getpid()
    try:
        with _ending_at_once():
            served.load()  # once for all workers: so they start fast, and are all of one release
    except SystemExit:
        if opened is None:
            sockets.close()
        return 0
    measures = MeasureFolder.create()
    _share(measures.path)
    upkeep = Upkeep(served.reporter(program is None), file, program, ends)
    arbiter = _Arbiter(GunicornApplication(served, read, sockets, measures), upkeep, hands_over=program is not None)
    code: object = 0
    try:
        arbiter.run()
    except SystemExit as ended:
        code = ended.code
    finally:
        if os.getpid() != master:
            os._exit(_status(code))  # a worker that ends: what follows is the master's
        if opened is None and not arbiter.renews:
            sockets.close()
        if not (arbiter.renews and program):
            measures.remove()
    if arbiter.renews and program:
        # The folder of measures stays for the workers that answer what they have begun; they are children still.
        os.environ.pop(VARIABLE, None)
        sockets.pass_on()
        program.replace()
    return renewed if arbiter.renews else _status(code)


def _status(code: object) -> int:
    return code if isinstance(code, int) else 1


def _share(folder: Path) -> None:
    """Have all workers write their measures into one folder."""
    from prometheus_client import values

    os.environ[VARIABLE] = str(folder)
    # The library chose when it was loaded, before there was the folder.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """While the block runs, whoever is told to end raises SystemExit. There is nothing to finish yet."""

    def end(_number: int, _frame: object) -> None:
        raise SystemExit

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, end) for number in numbers}
    held = signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, {*held, *numbers})  # until gunicorn handles them
        for number, former in before.items():
            signal.signal(number, former)


class _Arbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's master, which looks after more than its workers, and leaves the file of the socket alone."""

    def __init__(self, application: GunicornApplication, upkeep: Upkeep, *, hands_over: bool) -> None:
        super().__init__(application)
        self._upkeep = upkeep
        #: Whether the program that replaces this one gets the workers that answer what they have begun.
        self._hands_over = hands_over
        #: Whether it ends in order to be replaced by a fresh process.
        self.renews = False

    def init_signals(self) -> None:
        """Handle signals, and only then let those through that a supervisor, or a former program, has held back."""
        super().init_signals()
        # Workers of a former program may have ended when there was nobody to hear of it.
        self.SIG_QUEUE.put_nowait(signal.SIGCHLD)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

    def signal(self, sig: int, frame: object) -> None:
        """Note a signal. Who is told to end is not replaced."""
        if sig in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self.renews = False
        super().signal(sig, frame)

    def start(self) -> None:
        """Start, and end as if systemd had opened the socket."""
        super().start()
        self.systemd = True

    def wait_for_signals(self, timeout: float = 1.0) -> list[int]:
        """Wait for signals, and for what is to be done without one."""
        signals: list[int] = super().wait_for_signals(min(timeout, _LOOK))
        if not signals:
            match self._upkeep.decide(self._processes, self._requests, self.app.measures.path.parent):
                case "stop":
                    signals.append(signal.SIGTERM)
                case "reload":
                    signals.append(signal.SIGHUP)
                case "renew" if self.app.read_again():  # a fresh process could not start with wrong ones
                    self.renews = True
                    signals.append(signal.SIGTERM)
        return signals

    def reload(self) -> None:
        """Replace the workers by others with the settings as they are now, if these can be used."""
        before = self.app.served.settings
        if self.app.read_again():
            _tell_what_waits(before, self.app.served.settings)
            super().reload()
            self._upkeep.reporter.use(self.app.served.settings)

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers, or let them end while the program that replaces this one begins."""
        if self.renews and self._hands_over:
            close_sockets(self.LISTENERS, unlink=False)
            self.LISTENERS: list[object] = []
            self.kill_workers(signal.SIGTERM)
            return
        if self.renews:  # readers wait meanwhile
            self.cfg.set("graceful_timeout", math.ceil(self.app.served.settings.timeout))
        super().stop(graceful)

    def _processes(self) -> list[int]:
        return [self.pid, *self.WORKERS]

    def _requests(self) -> int:
        return int(self.app.measures.total(self.app.served.requests))


def _tell_what_waits(before: ServerSettings, now: ServerSettings) -> None:
    """Say which changed settings need a restart."""
    names = [name for name in _OF_THE_SOCKET if getattr(before, name) != getattr(now, name)]
    if names:
        log.warning("these settings are used after a restart", settings=", ".join(names))


#: Settings that a process uses only when it opens its socket.
_OF_THE_SOCKET: Final = ("listen", "socket_group", "socket_mode")

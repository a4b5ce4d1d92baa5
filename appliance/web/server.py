"""The web process: gunicorn with a few worker processes of several threads each, in front of the public application.

Guarantees that no request waits for ever and none is dropped when workers are replaced: they are, one after another,
after a number of requests or a time, with jitter, and when one takes no requests any more; all of them when the
settings change. After an upgrade, or when somebody asks for it, the whole process is replaced: its workers answer what
they have begun, and whoever comes meanwhile waits in the listening socket, which stays open.

gunicorn's control socket is not used; docs/explanation/decisions.md says why.
"""

from __future__ import annotations

import math
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.sock import close_sockets

from appliance import logging
from appliance.config import WebSettings
from appliance.errors import ConfigError
from appliance.intake.messages import LONGEST_WAIT
from appliance.web import listening
from appliance.web.listening import BACKLOG, Listening
from appliance.web.measure_files import VARIABLE, MeasureFolder
from appliance.web.program import Program
from appliance.web.report import Reporter
from appliance.web.upkeep import Upkeep
from appliance.web.worker import worker_class

log = logging.get_logger("web")

#: Seconds in which requests may end when the process is stopped, fewer than a supervisor waits.
_GRACE: Final = 3
#: Seconds without a sign of life after which a worker is replaced.
_HANGING: Final = 30
_JITTER: Final = 0.1
_LOOK: Final = 0.5

ReadSettings = Callable[[], WebSettings]


def serve(
    read_settings: ReadSettings, opened: Listening | None = None, *, file: Path | None = None,
    program: Program | None = None, ends: Callable[[], bool] | None = None, renewed: int = 0,
) -> int:  # fmt: skip
    """Serve until SIGTERM or SIGINT, and return the exit status.

    Args:
        read_settings: reads the settings, at the start, after SIGHUP and when `file` has changed.
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
    settings = read_settings()
    sockets = opened or listening.open_sockets(settings)
    master = os.getpid()
    try:
        with _ending_at_once():
            _load_what_workers_run()
    except SystemExit:
        if opened is None:
            sockets.close()
        return 0
    measures = MeasureFolder.create()
    _share(measures.path)
    upkeep = Upkeep(Reporter(settings, with_work=program is None), file, program, ends)
    arbiter = _Arbiter(_Application(settings, read_settings, sockets, measures), upkeep, hands_over=program is not None)
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


def _load_what_workers_run() -> None:
    """Load it once for all of them: so they start fast, and are all of one release."""
    import appliance.web.public.app  # noqa: F401


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


class _Application(BaseApplication):  # type: ignore[misc]
    """The application as gunicorn wants it, with its settings."""

    def __init__(
        self, settings: WebSettings, read_settings: ReadSettings, sockets: Listening, measures: MeasureFolder
    ) -> None:
        self.settings = settings
        self.measures = measures
        self._read_settings = read_settings
        # gunicorn closes what it is given.
        self._bind = [f"fd://{os.dup(each.fileno())}" for each in sockets.sockets]
        super().__init__()

    def read_again(self) -> bool:
        """Read the settings; those from before stay in use if they are wrong."""
        try:
            self.settings = self._read_settings()
        except ConfigError as error:
            log.warning("the settings cannot be used; the former ones stay in use", error=str(error))
            return False
        return True

    def load_config(self) -> None:
        """Set gunicorn's settings from ours."""
        settings = self.settings
        values: dict[str, Any] = {
            "worker_class": worker_class(settings.body, settings.timeout),
            "workers": settings.workers,
            "threads": settings.threads,
            "max_requests": settings.requests_per_worker,
            "max_requests_jitter": int(settings.requests_per_worker * _JITTER),
            "timeout": max(_HANGING, int(settings.timeout * 2)),
            "graceful_timeout": _GRACE,
            "keepalive": 0,
            "backlog": BACKLOG,
            "limit_request_line": 4094,
            "limit_request_fields": 64,
            "limit_request_field_size": 8190,
            "forwarded_allow_ips": "",
            "control_socket_disable": True,
            "worker_tmp_dir": str(self.measures.path),
            "loglevel": "warning",
            "post_worker_init": partial(_begin, settings),
            "child_exit": self._end,
            "bind": self._bind,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Create the application, in a worker process."""
        from appliance.intake.client import IntakeClient
        from appliance.web.public.app import create_app

        return create_app(self.settings, IntakeClient(self.settings.intake, self.settings.timeout))

    def _end(self, arbiter: _Arbiter, _worker: object) -> None:
        """Let the measures of a worker that has ended go on without it."""
        self.measures.fold(arbiter.WORKERS)


class _Arbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's master, which looks after more than its workers, and leaves the file of the socket alone."""

    def __init__(self, application: _Application, upkeep: Upkeep, *, hands_over: bool) -> None:
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
        before = self.app.settings
        if self.app.read_again():
            _tell_what_waits(before, self.app.settings)
            super().reload()
            self._upkeep.reporter.use(self.app.settings)

    def stop(self, graceful: bool = True) -> None:
        """Stop the workers, or let them end while the program that replaces this one begins."""
        if self.renews and self._hands_over:
            close_sockets(self.LISTENERS, unlink=False)
            self.LISTENERS: list[object] = []
            self.kill_workers(signal.SIGTERM)
            return
        if self.renews:  # readers wait meanwhile
            self.cfg.set("graceful_timeout", math.ceil(self.app.settings.timeout))
        super().stop(graceful)

    def _processes(self) -> list[int]:
        return [self.pid, *self.WORKERS]

    def _requests(self) -> int:
        from appliance.web.public.measures import MEASURES

        return int(self.app.measures.total(MEASURES.requests))


def _begin(settings: WebSettings, worker: Any) -> None:
    """Have a worker end after its hours; gunicorn replaces it, and its requests are answered first."""
    worker.cfg.set("graceful_timeout", _patience(settings))
    if settings.worker_hours:
        seconds = settings.worker_hours * 3600 * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
        timer.daemon = True
        timer.start()


def _patience(settings: WebSettings) -> int:
    """The seconds that a request may take at most, from its first byte to its answer's last."""
    return math.ceil(2 * settings.timeout + LONGEST_WAIT)


def _tell_what_waits(before: WebSettings, now: WebSettings) -> None:
    """Say which changed settings need a restart."""
    names = [name for name in _OF_THE_SOCKET if getattr(before, name) != getattr(now, name)]
    if names:
        log.warning("these settings are used after a restart", settings=", ".join(names))


#: Settings that a process uses only when it opens its socket.
_OF_THE_SOCKET: Final = ("listen", "socket_group", "socket_mode")

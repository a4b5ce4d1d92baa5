"""The web process: gunicorn with a few worker processes of several threads each, in front of the public application.

Guarantees that no request waits for ever and none is dropped when workers are replaced: they are, one after another,
after a number of requests or a time, with jitter, when the settings change (SIGHUP), and when one takes no requests any
more. The listening socket stays open meanwhile, so a reader who comes just then waits for a moment at most.
"""

from __future__ import annotations

import grp
import os
import random
import shutil
import signal
import socket
import stat
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter

from appliance import clock, logging
from appliance.config import WebSettings
from appliance.errors import WebError
from appliance.web.worker import worker_class

log = logging.get_logger("web")

#: Seconds in which requests may end when the process is stopped, fewer than a supervisor waits.
_GRACE: Final = 3
#: Seconds without a sign of life after which a worker is replaced.
_HANGING: Final = 30
#: Requests that wait while all threads are busy.
_BACKLOG: Final = 512
_JITTER: Final = 0.1
_LOOK: Final = 0.5
#: The variable by which the workers find the files of their shared measures.
_MEASURES: Final = "PROMETHEUS_MULTIPROC_DIR"

ReadSettings = Callable[[], WebSettings]


def serve(
    read_settings: ReadSettings, listening: socket.socket | None = None, *, ends: Callable[[], bool] | None = None
) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit status.

    Args:
        read_settings: reads the settings, at the start and after SIGHUP.
        listening: the socket to serve on; it stays open and its file in place. None to open that of the settings, or to
            take the one that systemd passes.
        ends: whether the process should end although nobody told it to.

    Raises:
        WebError: nothing can listen as the settings say.
    """
    settings = read_settings()
    passed = listening is not None or _is_activated()
    opened = listening if passed else listen(settings)
    master = os.getpid()
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    folder = Path(tempfile.mkdtemp(prefix="web-", dir=runtime or None))
    os.environ[_MEASURES] = str(folder)
    application = _Application(read_settings, opened, folder)
    if ends is not None:
        threading.Thread(target=_stop_when, args=(ends,), daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    code: object = 0
    try:
        _Arbiter(application).run()
    except SystemExit as ended:
        code = ended.code
    finally:
        if os.getpid() != master:
            os._exit(code if isinstance(code, int) else 1)  # a worker that ends: what follows is the master's
        shutil.rmtree(folder, ignore_errors=True)
        if opened is not None and listening is None:
            _close(opened, settings)
    return code if isinstance(code, int) else 1


def listen(settings: WebSettings) -> socket.socket:
    """Open the socket that the settings name. A Unix socket gets its group and mode before anybody can connect.

    Raises:
        WebError: it cannot be opened.
    """
    if not settings.listen.startswith("unix:"):
        host, _, port = settings.listen.rpartition(":")
        try:
            return socket.create_server((host.strip("[]"), int(port)), backlog=_BACKLOG,
                                        family=socket.AF_INET6 if ":" in host else socket.AF_INET)  # fmt: skip
        except OSError as error:
            raise WebError(f"{settings.listen}: {error.strerror}; choose another address for [web] listen") from error
    path = Path(settings.listen.removeprefix("unix:"))
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Under a name of its own at first: whoever connects to the old one, or too early, is not refused for the mode.
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _check_is_ours(path)
        beside.unlink(missing_ok=True)
        opened.bind(str(beside))
        if settings.socket_group:
            os.chown(beside, -1, _group(settings.socket_group))
        beside.chmod(int(settings.socket_mode, 8))
        opened.listen(_BACKLOG)
        beside.rename(path)
    except WebError:
        opened.close()
        beside.unlink(missing_ok=True)
        raise
    except OSError as error:
        opened.close()
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise WebError(_mend(path, settings, error)) from error
    return opened


def _close(opened: socket.socket, settings: WebSettings) -> None:
    """Close a socket of ours, and remove its file unless another process has put its own there."""
    with suppress(OSError):  # gunicorn has closed it
        opened.close()
    path = Path(settings.listen.removeprefix("unix:"))
    if settings.listen.startswith("unix:") and not _answers(path):
        path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    """Whether another process listens there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        try:
            client.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def _check_is_ours(path: Path) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise WebError(f"{path} is a file and no socket; move it away, or choose another path for [web] listen")


def _group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise WebError(f"there is no group “{name}”; create it, or correct [web] socket_group") from None


def _mend(path: Path, settings: WebSettings, error: OSError) -> str:
    if isinstance(error, PermissionError) and settings.socket_group:
        return (
            f"{path}: this account may not give the socket to the group “{settings.socket_group}”; add the account to"
            " that group, or correct [web] socket_group"
        )
    return f"{path}: {error.strerror}; correct that, or choose another path for [web] listen"


def _is_activated() -> bool:
    """Whether systemd passes a listening socket."""
    return os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS", "0") != "0"


def _stop_when(ends: Callable[[], bool]) -> None:
    while not ends():
        clock.sleep(_LOOK)
    os.kill(os.getpid(), signal.SIGTERM)


class _Application(BaseApplication):  # type: ignore[misc]
    """The application as gunicorn wants it, with its settings."""

    def __init__(self, read_settings: ReadSettings, listening: socket.socket | None, folder: Path) -> None:
        self._read_settings = read_settings
        self._listening = listening
        self._folder = folder
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's settings from ours."""
        settings = self._settings = self._read_settings()
        values: dict[str, Any] = {
            "worker_class": worker_class(settings.body, settings.timeout),
            "workers": settings.workers,
            "threads": settings.threads,
            "max_requests": settings.requests_per_worker,
            "max_requests_jitter": int(settings.requests_per_worker * _JITTER),
            "timeout": max(_HANGING, int(settings.timeout * 2)),
            "graceful_timeout": _GRACE,
            "keepalive": 0,
            "backlog": _BACKLOG,
            "limit_request_line": 4094,
            "limit_request_fields": 64,
            "limit_request_field_size": 8190,
            "forwarded_allow_ips": "",
            "control_socket_disable": True,
            "worker_tmp_dir": str(self._folder),
            "loglevel": "warning",
            "post_worker_init": partial(_begin, settings),
            "child_exit": _forget,
        }
        if self._listening is not None:
            values["bind"] = f"fd://{self._listening.fileno()}"
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Create the application, in a worker process."""
        from prometheus_client import values

        # The library chose when it was imported, which a process that was forked did before there was the folder.
        values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call]
        from appliance.intake.client import IntakeClient
        from appliance.web.public import create_app

        return create_app(self._settings, IntakeClient(self._settings.intake, self._settings.timeout))


class _Arbiter(Arbiter):  # type: ignore[misc]
    """gunicorn's master, which leaves the file of the socket alone; who opened the socket removes it."""

    def init_signals(self) -> None:
        """Handle signals, and only then let those through that a supervisor has held back."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

    def start(self) -> None:
        """Start, and end as if systemd had opened the socket."""
        super().start()
        self.systemd = True


def _begin(settings: WebSettings, _worker: object) -> None:
    """Have a worker end after its hours; gunicorn replaces it, and its requests are answered first."""
    if settings.worker_hours:
        seconds = settings.worker_hours * 3600 * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
        timer.daemon = True
        timer.start()


def _forget(_arbiter: object, worker: Any) -> None:
    """Let the measures of a worker that has ended go on without it."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

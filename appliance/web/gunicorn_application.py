"""An application as gunicorn wants it: with all its settings, which are ours in gunicorn's words."""

from __future__ import annotations

import math
import os
import random
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from gunicorn.app.base import BaseApplication

from appliance import logging
from appliance.errors import ConfigError
from appliance.web.listening import BACKLOG, Listening
from appliance.web.measure_files import MeasureFolder
from appliance.web.served import Served
from appliance.web.worker import worker_class

log = logging.get_logger("web")

#: Seconds in which requests may end when the process is stopped, fewer than a supervisor waits.
_GRACE: Final = 3
#: Seconds without a sign of life after which a worker is replaced.
_HANGING: Final = 30
_JITTER: Final = 0.1

#: Returns the application with the settings as they are now.
Read = Callable[[], Served]


class GunicornApplication(BaseApplication):  # type: ignore[misc]
    """The application as gunicorn wants it, with its settings."""

    def __init__(self, served: Served, read: Read, sockets: Listening, measures: MeasureFolder) -> None:
        self.served = served
        self.measures = measures
        self._read = read
        # gunicorn closes what it is given.
        self._bind = [f"fd://{os.dup(each.fileno())}" for each in sockets.sockets]
        super().__init__()

    def read_again(self) -> bool:
        """Read the settings; those from before stay in use if they are wrong."""
        try:
            self.served = self._read()
        except ConfigError as error:
            log.warning("the settings cannot be used; the former ones stay in use", error=str(error))
            return False
        return True

    def load_config(self) -> None:
        """Set gunicorn's settings from ours."""
        served, settings = self.served, self.served.settings
        values: dict[str, Any] = {
            "worker_class": worker_class(served.body, settings.timeout, served.in_memory),
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
            "post_worker_init": partial(_begin, served),
            "worker_exit": partial(_end, served),
            "child_exit": self._fold,
            "bind": self._bind,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Create the application, in a worker process."""
        return self.served.create()

    def _fold(self, arbiter: Any, _worker: object) -> None:
        """Let the measures of a worker that has ended go on without it."""
        self.measures.fold(arbiter.WORKERS)


def _begin(served: Served, worker: Any) -> None:
    """Have a worker end after its hours; gunicorn replaces it, and its requests are answered first."""
    worker.cfg.set("graceful_timeout", _patience(served))
    settings = served.settings
    if settings.worker_hours:
        seconds = settings.worker_hours * 3600 * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
        timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
        timer.daemon = True
        timer.start()
    served.begin(worker)


def _end(served: Served, _arbiter: object, worker: Any) -> None:
    served.end(worker)


def _patience(served: Served) -> int:
    """The seconds that a request may take at most, from its first byte to its answer's last."""
    return math.ceil(2 * served.settings.timeout + served.longest)

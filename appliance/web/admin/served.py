"""The admin application as a web process serves it, with each of its workers in the list of processes."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from appliance import db
from appliance.config import Config, admin_of
from appliance.queue import processes
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.processes import RegisteredProcess
from appliance.web.admin.app import MEASURES
from appliance.web.admin.body_limits import longest_body
from appliance.web.admin.database import release
from appliance.web.served import Served

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

#: Seconds that a view may go on after its statements were ended.
_AFTERWARDS: Final = 5.0
_BEAT: Final = 1.0


def served(config: Config, supervisor: str = "") -> Served:
    """The admin application with these settings, `supervisor` being the name of the `work` that it is a part of."""
    settings = admin_of(config)
    row = _Row(config, supervisor)
    return Served(
        "admin", settings, longest_body(settings), settings.body, settings.timeout + _AFTERWARDS,
        MEASURES.requests, _load, partial(_create, config), begin=row.begin, end=row.end,
    )  # fmt: skip


def _load() -> None:
    import appliance.web.admin.application  # noqa: F401


def _create(config: Config) -> WSGIApplication:
    from appliance.web.admin.application import create_application

    return create_application(config)


class _Row:
    """The row of a worker in the list of processes, by which it can be recycled as well."""

    def __init__(self, config: Config, supervisor: str) -> None:
        self._config = config
        self._supervisor = supervisor
        self._beating = ExitStack()
        self._row: RegisteredProcess | None = None

    def begin(self, worker: Any) -> None:
        """Keep the row, in a thread of its own."""
        self._row = RegisteredProcess(processes.ADMIN, self._config.host_name, self._supervisor)
        self._row.activity = "answering users"
        self._beating.enter_context(Heartbeat(partial(self._beat, self._row, worker), every=_BEAT))

    def end(self, _worker: Any) -> None:
        """Remove the row."""
        self._beating.close()
        with db.suppress_unavailable():
            if self._row is not None and db.is_opened():
                self._row.deregister()

    def _beat(self, row: RegisteredProcess, worker: Any) -> None:
        if not db.is_opened():
            db.open_database(self._config)
        row.jobs_done = worker.nr
        release.look()
        row.heartbeat()  # the first one registers
        if row.should_recycle:
            os.kill(os.getpid(), signal.SIGTERM)

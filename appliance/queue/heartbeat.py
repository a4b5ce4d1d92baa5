"""Heartbeats: a thread renews a process's leases and its row, however long one job takes.

A thread with a database connection of its own. It is started after the fork and ends with the block; no transaction of
the work is touched by it, and a signal handler never waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from appliance import db, logging

log = logging.get_logger("heartbeat")


class Heartbeat:
    """Calls `beat` at a fixed interval while the block runs. An error is logged, and the calls go on."""

    def __init__(self, beat: Callable[[], None], every: float) -> None:
        self._beat = beat
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._over.wait(self._every):
                self._once()
        finally:
            db.disconnect()

    def _once(self) -> None:
        try:
            self._beat()
        except Exception as error:  # a heart that stops costs all leases
            if db.is_unavailable(error):
                db.outage.record_loss(error)
                db.disconnect()
            else:
                log.warning("a beat failed", error=str(error))

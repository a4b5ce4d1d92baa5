"""Waiting for news in the database, and for nothing longer than need be."""

from __future__ import annotations

from collections.abc import Callable

from appliance import db


class DatabaseWake:
    """Returns from `wait` once another connection has committed anything since the last time, or `until` says so."""

    def __init__(self, until: Callable[[], bool] = lambda: False) -> None:
        self._until = until
        self._waiter = db.waiter()

    def wait(self, timeout: float) -> bool:
        """Wait for news, at most `timeout` seconds; True when there was some."""
        return self._waiter.wait(timeout, self._until)

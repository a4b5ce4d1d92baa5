"""Waiting for news in the database.

SQLite counts the commits of other connections; reading the count costs a few microseconds and no lock, so a glance
every 5 ms notices news at once and costs no measurable processor time.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance import clock, db

_GLANCE = 0.005


class DatabaseWake:
    """Returns from `wait` once another connection has committed anything since the last look, or `until` says so."""

    def __init__(self, until: Callable[[], bool] = lambda: False) -> None:
        self._until = until
        self._seen = db.news()

    def wait(self, timeout: float) -> bool:
        """Wait for news, at most `timeout` seconds; True when there was some."""
        end = clock.monotonic() + timeout
        while (count := db.news()) == self._seen:
            if self._until() or clock.monotonic() >= end:
                return False
            clock.sleep(_GLANCE)
        self._seen = count
        return True

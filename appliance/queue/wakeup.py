"""Waiting for news in the database, and for nothing longer than need be."""

from __future__ import annotations

from collections.abc import Callable

from appliance import clock, db
from appliance.db.backend import Waiter

#: Seconds between two tries to listen to a database that is lost.
_PAUSE = 0.2


class DatabaseWake:
    """Returns from `wait` once another connection has committed anything since the last time, or `until` says so.

    It survives a database that goes away and comes back: then there may be news.
    """

    def __init__(self, until: Callable[[], bool] = lambda: False) -> None:
        self._until = until
        self._waiter: Waiter | None = db.waiter()

    def wait(self, timeout: float) -> bool:
        """Wait for news, at most `timeout` seconds; True when there was some, or may have been."""
        try:
            if self._waiter is None:
                self._waiter = db.waiter()
                return True  # nobody listened meanwhile
            return self._waiter.wait(timeout, self._until)
        except Exception as error:
            if not db.lost(error):
                raise
            self.close()
            db.disconnect()
            if not self._until():
                clock.sleep(min(timeout, _PAUSE))
            return False

    def close(self) -> None:
        """Listen no longer; the next wait begins anew."""
        if self._waiter is not None:
            self._waiter.close()
            self._waiter = None

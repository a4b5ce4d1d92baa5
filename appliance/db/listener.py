"""A listener for commits that survives an outage of the database."""

from __future__ import annotations

from collections.abc import Callable

from appliance import clock, db
from appliance.db.backend import Listener

#: Seconds between two attempts to listen to an unavailable database.
_RETRY_DELAY = 0.2


class CommitListener:
    """Waits for commits of other connections, until `until` returns true.

    After an outage of the database it listens again, and its first wait reports that there may have been commits.
    """

    def __init__(self, until: Callable[[], bool] = lambda: False, topic: str = "") -> None:
        self._until = until
        self._topic = topic
        self._listener: Listener | None = None
        with db.suppress_unavailable():  # otherwise the first wait tries again
            self._listener = db.open_listener(topic)

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for a commit; returns whether there was one, or may have been."""
        try:
            if self._listener is None:
                self._listener = db.open_listener(self._topic)
                return True  # there may have been a commit meanwhile
            return self._listener.wait(timeout, self._until)
        except Exception as error:
            if not db.is_unavailable(error):
                raise
            db.outage.record_loss(error)
            self.close()
            db.disconnect()
            if not self._until():
                clock.sleep(min(timeout, _RETRY_DELAY))
            return False

    def close(self) -> None:
        """Stop listening; the next wait starts again."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            with db.suppress_unavailable():
                listener.close()

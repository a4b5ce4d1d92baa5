"""An outage of the database: each process logs it once, and once more when the database is back.

A database that can be read but not written does not count as back.
"""

from __future__ import annotations

from appliance import clock, logging

log = logging.get_logger("database")

#: An outage that begins within this many seconds of the end of the last one is not logged.
_NEWS = 60.0


class Outage:
    """The availability of the database, as far as this process knows."""

    def __init__(self) -> None:
        #: When the outage began; None while the database can be used.
        self.since: float | None = None
        self._over = float("-inf")

    def record_loss(self, error: BaseException) -> None:
        """Log the start of the outage, unless it is already known."""
        if self.since is None:
            self.since = clock.monotonic()
            if self.since - self._over > _NEWS:
                log.warning("the database cannot be used; this process waits for it", error=one_line(error))

    def mark_reported(self) -> None:
        """Note that another process logged the outage, so that this process and its children do not repeat it."""
        self.since = clock.monotonic() if self.since is None else self.since

    def record_recovery(self) -> None:
        """Log the end of the outage, if there was one."""
        if self.since is not None:
            log.info("the database can be used again", after=f"{clock.monotonic() - self.since:.0f} s")
            self.since, self._over = None, clock.monotonic()


def one_line(error: BaseException) -> str:
    """The message of an error as one line, or its class name if the message is empty."""
    return " ".join(str(error).split()) or type(error).__name__

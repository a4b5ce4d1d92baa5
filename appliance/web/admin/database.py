"""The database of a process that answers requests: a connection for each thread, and limits of time.

Guarantees that an outage is answered at once and ends by itself: a connection that broke while its thread had nothing
to do is replaced before the next request is answered, and no request leaves a transaction open.
"""

from __future__ import annotations

from typing import Final

from appliance import clock, db
from appliance.config import Config
from appliance.errors import DatabaseUnavailable
from appliance.search import updates

_OLD: Final = (
    "the database belongs to another release than this process; run “appliance work” of this release once, which brings"
    " it up to date, and then restart the older one of the two"
)

#: Seconds between two looks at what migrations the database has. Each takes two statements, and a release can run with
#: the tables of the next one until then.
_LOOK: Final = 5.0


class _Release:
    """Whether the tables are those of this release, looked at now and then."""

    def __init__(self) -> None:
        self._looked = float("-inf")

    def require(self) -> None:
        """Go on only if they are, or were a moment ago.

        Raises:
            DatabaseUnavailable: they are not.
        """
        now = clock.monotonic()
        if now - self._looked < _LOOK:
            return
        if not db.is_migrated():
            raise DatabaseUnavailable(_OLD)
        self._looked = now


_release: Final = _Release()


def open_in_worker(config: Config) -> None:
    """Open the database in a worker process, after it was forked. A database that is away is opened later."""
    updates.follow_changes()
    with db.suppress_unavailable():
        db.open_database(config)


def begin_request(config: Config) -> None:
    """Have a connection that works, for the thread of a request.

    Raises:
        DatabaseUnavailable: the tables are not those of this release.
        Exception: the database cannot be used, as `db.is_unavailable` says.
    """
    if not db.is_opened():
        db.open_database(config)
    elif not db.database.is_closed() and config.database_url:
        try:
            db.execute("SELECT 1")
        except Exception as error:
            if not db.is_unavailable(error):
                raise
            db.disconnect()
    if db.database.is_closed():
        db.database.connect()
    db.limit_waiting(config.admin.timeout)
    _release.require()
    if db.outage.since is not None:
        db.outage.record_recovery()


def end_request() -> None:
    """Leave no transaction open, whatever a view did."""
    if db.is_opened() and not db.database.is_closed() and db.database.in_transaction():
        db.disconnect()

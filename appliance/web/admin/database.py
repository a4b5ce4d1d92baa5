"""The database of a process that answers requests: a connection for each thread, and limits of time.

Guarantees that an outage is answered at once and ends by itself: a connection that broke while its thread had nothing
to do is replaced before the next request is answered, and no request leaves a transaction open.
"""

from __future__ import annotations

from typing import Final

from appliance import db
from appliance.config import Config
from appliance.errors import DatabaseUnavailable
from appliance.search import updates

_OLD: Final = (
    "the database belongs to another release than this process; run “appliance work” of this release once, which brings"
    " it up to date, and then restart the older one of the two"
)


class _Release:
    """Whether the tables are those of this release, as of the last look. Each look takes two statements."""

    def __init__(self) -> None:
        self._is_ours = False

    def look(self) -> None:
        """Look now."""
        self._is_ours = db.is_migrated()

    def require(self) -> None:
        """Go on only if they are; look again if they were not.

        Raises:
            DatabaseUnavailable: they are not.
        """
        if not self._is_ours:
            self.look()
        if not self._is_ours:
            raise DatabaseUnavailable(_OLD)


#: Workers look again and again beside their requests. A release can run with the tables of the next one until then.
release: Final = _Release()


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
    release.require()
    if db.outage.since is not None:
        db.outage.record_recovery()


def end_request() -> None:
    """Leave no transaction open, whatever a view did."""
    if db.is_opened() and not db.database.is_closed() and db.database.in_transaction():
        db.disconnect()

"""The PostgreSQL backend. It is required with several publishing hosts, and works just as well with one."""

from __future__ import annotations

import re
import select
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any, Final

import psycopg
from peewee import InterfaceError, OperationalError, PostgresqlDatabase, Psycopg3Adapter

from appliance import clock
from appliance.db.backend import Listener, containing
from appliance.db.connection import Connection

_CHANNEL = "appliance"
#: Seconds between two checks whether a wait should go on.
_LOOK = 0.1
#: Seconds between two probes of a connection that only listens, and the seconds that the answer may take.
_PROBE_INTERVAL, _PROBE_TIMEOUT = 4.0, 3.0
#: Seconds that a server may be silent beyond the limit of its statements.
_SILENCE = 2.0
#: Classes of SQLSTATE for a server that cannot serve any client now: connection lost, out of resources, shutting down,
#: or disk failure. psycopg raises different exceptions for them, so the code decides.
_AWAY: Final = ("08", "53", "57", "58")
#: SQLSTATE of a write to a read-only server, such as a standby that is being promoted.
_READ_ONLY: Final = "25006"
#: SQLSTATE of a statement that was cancelled.
_CANCELLED: Final = "57014"


#: Tables of which many rows are new since they were analyzed.
_GROWN: Final = """
SELECT relname FROM pg_stat_user_tables
WHERE schemaname = current_schema() AND n_mod_since_analyze > 2000 AND n_mod_since_analyze > n_live_tup / 2
"""


@lru_cache(maxsize=1024)
def _translated(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


class _Adapter(Psycopg3Adapter):
    """An adapter that opens connections of our own class."""

    def connect(self, db: PostgresqlDatabase, **_parameters: Any) -> Connection:
        """Connect to the database of the URL."""
        return Connection.open(db.database, "appliance")


class _Database(PostgresqlDatabase):
    """Peewee's database, with our adapter."""

    psycopg3_adapter = _Adapter


def _channel(topic: str) -> str:
    return f"{_CHANNEL}_{topic}" if topic else _CHANNEL


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of an error, even if peewee wrapped it; None if the error did not come from the server."""
    found = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
    return str(found) if found else None


class Postgres:
    """A PostgreSQL database, connected."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.database = _Database(url, prefer_psycopg3=True)
        self.database.connect()

    def translate(self, sql: str) -> str:
        """Replace the placeholders by those of psycopg."""
        return _translated(sql)

    @contextmanager
    def write(self) -> Iterator[None]:
        """A transaction. Its statements lock the rows that must not change."""
        with self.database.atomic():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A read-only transaction that sees one snapshot."""
        if self.database.in_transaction():
            yield
            return
        with self.database.atomic():
            self.database.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield

    def scratch(self, tables: Mapping[str, str]) -> AbstractContextManager[None]:  # noqa: ARG002
        """A transaction on the real tables, which locks only the rows that it writes."""
        return self.write()

    @contextmanager
    def limit_statements(self, seconds: float) -> Iterator[None]:
        """Set a statement timeout, which ends with the transaction."""
        self.database.execute_sql("SELECT set_config('statement_timeout', %s, true)", [f"{int(seconds * 1000)}ms"])
        yield

    def is_over_time(self, error: BaseException) -> bool:
        """Whether the server cancelled the statement."""
        return sqlstate(error) == _CANCELLED

    def locking(self, table: str = "", *, skip: bool = False) -> str:
        """FOR UPDATE, which locks rows."""
        return f"FOR UPDATE{f' OF {table}' if table else ''}{' SKIP LOCKED' if skip else ''}"

    def glob_condition(self, expression: str, pattern: str) -> tuple[str, str]:
        """Match with a regular expression."""
        wild = {"*": ".*", "?": "."}
        return f"{expression} ~ ?", r"(?s)\A" + "".join(wild.get(c) or re.escape(c) for c in pattern) + r"\Z"

    def contains(self, expression: str, text: str) -> tuple[str, str]:
        """Match with ILIKE, which ignores the case of all letters."""
        return f"{expression} ILIKE ? ESCAPE '\\'", containing(text)

    def joined(self, expression: str) -> str:
        """Join with string_agg, which takes texts."""
        return f"string_agg(DISTINCT CAST({expression} AS TEXT), ',')"

    def set_short_lock_timeout(self) -> None:
        """Set a lock timeout well below `deadlock_timeout`, so that the server ends no other transaction instead."""
        self.database.execute_sql("SELECT set_config('lock_timeout', '100ms', true)")

    def is_conflict(self, error: BaseException) -> bool:
        """Whether the error is a unique violation, an unavailable lock or a deadlock."""
        return sqlstate(error) in ("23505", "55P03", "40P01")

    def limit_waiting(self, seconds: float) -> None:
        """Set a timeout for the server, and one for its silence, once for each connection."""
        connection: Connection = self.database.connection()
        if connection.limit != seconds + _SILENCE:
            connection.execute("SELECT set_config('statement_timeout', %s, false)", [f"{int(seconds * 1000)}ms"])
            connection.limit = seconds + _SILENCE

    def prefer_index_order(self) -> None:
        """Make sorting the planner's last resort until the transaction ends."""
        self.database.execute_sql("SELECT set_config('enable_sort', 'off', true)")

    def acquire_lock(self, what: str) -> None:
        """Take an advisory lock until the transaction ends."""
        self.database.execute_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"appliance {what}"])

    def notify(self, topics: Sequence[str]) -> None:
        """Send NOTIFY. The server delivers it at commit, once for each transaction."""
        self.database.execute_sql("; ".join(f"NOTIFY {_channel(topic)}" for topic in topics))

    def open_listener(self, topic: str) -> Listener:
        """Open a listener that waits for NOTIFY on a connection of its own."""
        return _PostgresListener(self._url, _channel(topic))

    def is_unavailable(self, error: BaseException) -> bool:
        """Whether the connection failed, or the server is read-only, out of resources, starting or shutting down."""
        code = sqlstate(error)
        if code is not None and (code == _READ_ONLY or code[:2] in _AWAY):
            return True
        broken = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
        return isinstance(error, broken)

    def analyze(self) -> None:
        """Do nothing: autovacuum collects the statistics."""

    def analyze_if_grown(self) -> bool:
        """Analyze tables of which a good part is new; autovacuum does so too, but not before a minute has passed."""
        found = self.database.execute_sql(_GROWN).fetchall()
        for (table,) in found:
            self.database.execute_sql(f'ANALYZE "{table}"')
        return bool(found)

    def size(self) -> int:
        """The size of this database on the server."""
        return int(self.database.execute_sql("SELECT pg_database_size(current_database())").fetchone()[0])

    def grant(self) -> bool:
        """Give them anew, in the open transaction."""
        from appliance.db import grants

        return grants.grant()

    def now_at(self, offset: float) -> None:
        """Let the clock of this connection run ahead."""
        self.database.execute_sql(f"SET appliance.clock_offset = '{offset}'")


class _PostgresListener:
    """Listens on a connection of its own.

    The connection is probed regularly, because a half-open connection would wait for ever.
    """

    def __init__(self, url: str, channel: str) -> None:
        self._connection = Connection.open(url, "appliance waiter")
        self._connection.limit = _PROBE_TIMEOUT
        self._connection.execute(f"LISTEN {channel}")
        self._probed_at = clock.monotonic()

    def wait(self, timeout: float, until: Callable[[], bool]) -> bool:
        """Wait for a notification."""
        end = clock.monotonic() + timeout
        self._probe()
        while (left := end - clock.monotonic()) > 0 and not until():
            ready, _, _ = select.select([self._connection.fileno()], [], [], min(left, _LOOK))
            if ready and sum(1 for _ in self._connection.notifies(timeout=0)):
                return True
        return False

    def _probe(self) -> None:
        """Check regularly that the server answers. Notifications received meanwhile are kept for the next wait."""
        if clock.monotonic() - self._probed_at > _PROBE_INTERVAL:
            self._connection.execute("SELECT 1")
            self._probed_at = clock.monotonic()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

"""PostgreSQL: as soon as there are several publishing hosts, or simply because it is there."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from peewee import InterfaceError, OperationalError, PostgresqlDatabase

from appliance import clock
from appliance.db.backend import Waiter

_CHANNEL = "appliance"
#: Seconds after which a wait looks whether it is still wanted.
_LOOK = 0.1


@lru_cache(maxsize=1024)
def _translated(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


class Postgres:
    """A PostgreSQL database, connected."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.database = PostgresqlDatabase(
            url, prefer_psycopg3=True, application_name="appliance", options="-c timezone=UTC -c jit=off"
        )
        self.database.connect()

    def translate(self, sql: str) -> str:
        """Placeholders as psycopg has them."""
        return _translated(sql)

    @contextmanager
    def write(self) -> Iterator[None]:
        """A transaction; what must not change meanwhile is locked by its statements."""
        with self.database.atomic():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A transaction that reads one moment."""
        if self.database.in_transaction():
            yield
            return
        with self.database.atomic():
            self.database.execute_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield

    def locking(self, table: str = "", *, skip: bool = False) -> str:
        """Row locks."""
        return f"FOR UPDATE{f' OF {table}' if table else ''}{' SKIP LOCKED' if skip else ''}"

    def matches(self, expression: str) -> str:
        """An operator."""
        return f"{expression} ~ ?"

    def give_way(self) -> None:
        """Far sooner than the server looks for deadlocks, so that it ends none of the others."""
        self.database.execute_sql("SELECT set_config('lock_timeout', '100ms', true)")

    def collided(self, error: BaseException) -> bool:
        """Unique violation, lock not available, deadlock."""
        return getattr(getattr(error, "orig", None), "sqlstate", None) in ("23505", "55P03", "40P01")

    def by_index(self) -> None:
        """Sorting is made the last resort until the transaction ends."""
        self.database.execute_sql("SELECT set_config('enable_sort', 'off', true)")

    def in_turn(self, what: str) -> None:
        """An advisory lock until the transaction ends."""
        self.database.execute_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"appliance {what}"])

    def notify(self) -> None:
        """NOTIFY; delivered at commit, once a transaction."""
        self.database.execute_sql(f"NOTIFY {_CHANNEL}")

    def waiter(self) -> Waiter:
        """Waits for NOTIFY on a connection of its own."""
        return _Waiter(self._url)

    def lost(self, error: BaseException) -> bool:
        """Connections that broke or cannot be made, and servers that are starting or stopping."""
        import psycopg  # only where PostgreSQL is used

        broken = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
        return isinstance(error, broken)

    def now_at(self, offset: float) -> None:
        """Let the clock run ahead, for this connection."""
        self.database.execute_sql(f"SET appliance.clock_offset = '{offset}'")


class _Waiter:
    """LISTEN on a connection of its own."""

    def __init__(self, url: str) -> None:
        import psycopg  # only where PostgreSQL is used

        self._connection: Any = psycopg.connect(url, autocommit=True, application_name="appliance waiter")
        self._connection.execute(f"LISTEN {_CHANNEL}")

    def wait(self, timeout: float, until: Callable[[], bool]) -> bool:
        """Wait for a notification."""
        end = clock.monotonic() + timeout
        while (left := end - clock.monotonic()) > 0 and not until():
            ready, _, _ = select.select([self._connection.fileno()], [], [], min(left, _LOOK))
            if ready and list(self._connection.notifies(timeout=0)):
                return True
        return False

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

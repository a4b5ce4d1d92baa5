"""The operations that SQLite and PostgreSQL do differently."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from peewee import Database


class Backend(Protocol):
    """One kind of database, opened."""

    @property
    def database(self) -> Database:
        """Peewee's database, to which every model is bound."""

    def translate(self, sql: str) -> str:
        """Fixed SQL, written with ? for values, as the driver wants it."""

    def write(self) -> AbstractContextManager[None]:
        """A write transaction, or a part of the one that is open."""

    def snapshot(self) -> AbstractContextManager[None]:
        """A read transaction in which everything read is of one moment."""

    def scratch(self, tables: Mapping[str, str]) -> AbstractContextManager[None]:
        """A transaction whose writes to `tables` keep nobody else waiting; the caller rolls it back."""

    def limit_statements(self, seconds: float) -> AbstractContextManager[None]:
        """Within a transaction, end statements that take longer than `seconds`; see `time_limit`."""

    def is_over_time(self, error: BaseException) -> bool:
        """Whether `error` says that a statement was ended by `limit_statements`."""

    def locking(self, table: str = "", *, skip: bool = False) -> str:
        """The clause at the end of a SELECT that locks its rows, or only those of `table`.

        With `skip` it leaves out those that another transaction holds.
        """

    def glob_condition(self, expression: str, pattern: str) -> tuple[str, str]:
        """The condition that a text matches a pattern, and the value bound in it; see `db.glob_condition`."""

    def contains(self, expression: str, text: str) -> tuple[str, str]:
        """The condition that a text contains another, and the value bound in it; see `db.contains`."""

    def joined(self, expression: str) -> str:
        """The aggregate that joins distinct numbers by commas; see `db.joined`."""

    def set_short_lock_timeout(self) -> None:
        """Let statements of this transaction fail soon when they wait for a lock."""

    def is_conflict(self, error: BaseException) -> bool:
        """Whether `error` says that a transaction got in the way of another and may succeed when repeated."""

    def limit_waiting(self, seconds: float) -> None:
        """End statements on this thread's connection that take longer; see `db.limit_waiting`."""

    def prefer_index_order(self) -> None:
        """Have this transaction read rows through the index that has them in the order wanted.

        A planner that has not yet noticed how long the queue has become would fetch and sort all of it.
        """

    def acquire_lock(self, what: str) -> None:
        """Acquire the lock named `what` until the transaction ends."""

    def notify(self, topics: Sequence[str]) -> None:
        """Wake the listeners to these topics once this transaction is committed."""

    def open_listener(self, topic: str) -> Listener:
        """Open a listener for commits of other connections that notify of `topic`."""

    def is_unavailable(self, error: BaseException) -> bool:
        """Whether `error` says that the database cannot be reached or used now."""

    def analyze(self) -> None:
        """Count how tables are filled, for the planner, where the database does not do so by itself."""

    def analyze_if_grown(self) -> bool:
        """Count anew what has grown much since it was counted; returns whether anything had. See `db`."""

    def size(self) -> int:
        """The size of the database, in bytes."""

    def grant(self) -> bool:
        """Give the role of the admin application its rights; returns whether there is one. See `grants`."""

    def now_at(self, offset: float) -> None:
        """Let the database's clock of this connection run `offset` seconds ahead; for tests."""


class Listener(Protocol):
    """Waits for commits of other connections."""

    def wait(self, timeout: float, until: Callable[[], bool]) -> bool:
        """Wait at most `timeout` seconds, or until `until` says so, for a commit of another connection.

        Returns:
            Whether there was one.
        """

    def close(self) -> None:
        """Stop listening."""


def containing(text: str) -> str:
    """The pattern of LIKE for whatever contains `text`, with a backslash before what would be wild."""
    for sign in ("\\", "%", "_"):
        text = text.replace(sign, f"\\{sign}")
    return f"%{text}%"

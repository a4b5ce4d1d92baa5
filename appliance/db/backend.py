"""What a database must be able to do here: the few things SQLite and PostgreSQL do differently."""

from __future__ import annotations

from collections.abc import Callable
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

    def locking(self, table: str = "", *, skip: bool = False) -> str:
        """What a SELECT ends with whose rows, those of `table` if it has several, shall stay as they are.

        With `skip` it leaves out those that another transaction holds.
        """

    def matches(self, expression: str) -> str:
        """The condition that a text matches a regular expression, which is bound; see `db.matches`."""

    def give_way(self) -> None:
        """Have this transaction fail rather than wait long for what another holds."""

    def collided(self, error: BaseException) -> bool:
        """Whether `error` says that a transaction got in the way of another and may succeed when repeated."""

    def by_index(self) -> None:
        """Have this transaction read rows through the index that has them in the order wanted.

        A planner that has not yet noticed how long the queue has become would fetch and sort all of it.
        """

    def in_turn(self, what: str) -> None:
        """Wait until no other transaction is between this call for `what` and its end."""

    def notify(self) -> None:
        """Wake who waits for news, once this transaction is committed."""

    def waiter(self) -> Waiter:
        """Something to wait on for news."""

    def lost(self, error: BaseException) -> bool:
        """Whether `error` says that the database cannot be reached or used now."""

    def now_at(self, offset: float) -> None:
        """Let the database's clock of this connection run `offset` seconds ahead; for tests."""


class Waiter(Protocol):
    """Something to wait on for commits of others."""

    def wait(self, timeout: float, until: Callable[[], bool]) -> bool:
        """Wait at most `timeout` seconds, or until `until` says so, for a commit of another connection.

        Returns:
            Whether there was one.
        """

    def close(self) -> None:
        """Give up what waiting takes."""

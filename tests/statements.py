"""The statements that are sent to the database, to count them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from appliance import db


@contextmanager
def statements() -> Iterator[list[str]]:
    """Yield a list that gets the SQL of every statement of this process, on all its threads, while the block runs."""
    sent: list[str] = []
    kind = type(db.database.obj)
    execute = kind.execute_sql

    def note(self: Any, sql: str, *given: Any, **named: Any) -> Any:
        sent.append(sql)
        return execute(self, sql, *given, **named)

    with patch.object(kind, "execute_sql", note):
        yield sent


def count_statements(body: Callable[[], object]) -> int:
    """Return how many statements `body` sends."""
    with statements() as sent:
        body()
    return len(sent)

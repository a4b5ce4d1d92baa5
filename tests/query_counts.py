"""Counts the statements that something sends to the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from appliance import db


@contextmanager
def noted() -> Iterator[list[str]]:
    """Yield a list that gets every statement of this process, on all its threads, while the body runs."""
    opened, ran = db.database.obj, list[str]()
    execute = opened.execute_sql

    def note(sql: str, params: Any = None) -> Any:
        ran.append(sql)
        return execute(sql, params)

    with patch.object(opened, "execute_sql", note):
        yield ran


def count(body: Callable[[], object]) -> int:
    """Return how many statements `body` sends."""
    with noted() as ran:
        body()
    return len(ran)

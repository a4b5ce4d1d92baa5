"""The statements that are sent to the database, to count them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from appliance import db


@contextmanager
def statements() -> Iterator[list[str]]:
    """Return a list that holds the SQL of every statement of this process while the block runs."""
    sent: list[str] = []
    kind = type(db.database.obj)
    execute = kind.execute_sql

    def note(self: Any, sql: str, *given: Any, **named: Any) -> Any:
        sent.append(sql)
        return execute(self, sql, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "execute_sql", note)
        yield sent

"""The statements that the code of the product sends while tests run, each with what sent it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from peewee import PostgresqlDatabase, SqliteDatabase

_ROOT: Final = Path(__file__).resolve().parents[2]
_PRODUCT: Final = str(_ROOT / "appliance") + "/"
_DATABASE: Final = (_PRODUCT + "db/", _PRODUCT + "migrations/")
#: The end of a sender's name that reads or counts a list by `db.keyset`.
BY_PAGES: Final = ", by pages"
_WORDS: Final = ("SELECT", "WITH", "UPDATE", "DELETE", "INSERT")

#: Is given who sent a statement, such as `queue/store.py: claim`, its SQL and its values.
Note = Callable[[str, str, Sequence[Any]], None]


@contextmanager
def recording(note: Note) -> Iterator[None]:
    """Call `note` for every statement of this process that the product sends, before it is sent."""
    kinds = (SqliteDatabase, PostgresqlDatabase)

    def noting(kind: type) -> Callable[..., Any]:
        execute = kind.execute_sql

        def execute_sql(self: Any, sql: str, params: Any = None, *rest: Any) -> Any:
            if sql.lstrip().startswith(_WORDS) and (sender := _sender()):
                note(sender, sql, params or ())
            return execute(self, sql, params, *rest)

        return execute_sql

    with (
        patch.object(kinds[0], "execute_sql", noting(kinds[0])),
        patch.object(kinds[1], "execute_sql", noting(kinds[1])),
    ):
        yield


def _sender() -> str:
    """The function of the product that the running statement is of; empty if a test or benchmark sent it."""
    frame, pages = sys._getframe(2), ""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_PRODUCT):
            if file.startswith(_DATABASE[1]):
                return ""
            if file.endswith("/db/keyset.py"):
                pages = BY_PAGES
            if not file.startswith(_DATABASE[0]):
                name = frame.f_code.co_qualname.partition(".<locals>")[0]
                return f"{file.removeprefix(_PRODUCT)}: {name}{pages}"
        elif file.startswith(str(_ROOT) + "/tests/") and "/query_plans/" not in file:
            return ""
        frame = frame.f_back
    return ""

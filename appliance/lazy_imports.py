"""Imports that libraries make and most commands do not need: skipped, so that commands start quickly.

peewee imports every installed driver, and psycopg imports asyncio and ssl. That takes as long as everything else that
a short command on SQLite imports. So peewee does not see psycopg until `db.postgres` imports it. invoke imports
unittest.mock, and with it asyncio, for a class that only tests of tasks use. These libraries work without what is
hidden from them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


@contextmanager
def skip_mock_import() -> Iterator[None]:
    """Import inside the block with a stub in place of unittest.mock, unless that is imported already."""
    name, bare = "unittest.mock", ModuleType("unittest.mock")
    bare.Mock = None  # type: ignore[attr-defined]
    kept = sys.modules.setdefault(name, bare)
    try:
        yield
    finally:
        if kept is bare:
            del sys.modules[name]


def skip_driver_import() -> None:
    """Hide psycopg from peewee when peewee is imported; does nothing if either is imported already."""
    if "peewee" not in sys.modules:
        sys.modules.setdefault("psycopg", None)  # type: ignore[arg-type]  # Python's way to say that there is none


def import_psycopg() -> ModuleType:
    """Import psycopg, and give peewee the names that it would have imported from it."""
    if sys.modules.get("psycopg", sys) is None:
        del sys.modules["psycopg"]
    import psycopg
    from psycopg.pq import TransactionStatus
    from psycopg.types.json import Json, Jsonb

    peewee: Any = import_module("peewee")
    if peewee.psycopg is None:
        peewee.psycopg, peewee.TransactionStatus = psycopg, TransactionStatus
        peewee.Json_pg3, peewee.Jsonb_pg3 = Json, Jsonb
        adapter = peewee.Psycopg3Adapter
        adapter.txn_idle, adapter.txn_inerror = TransactionStatus.IDLE, TransactionStatus.INERROR
        adapter.txn_unknown = TransactionStatus.UNKNOWN
    return psycopg

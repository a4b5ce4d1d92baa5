"""Rows of models by fixed SQL, where a model's own methods would take longer than the database.

peewee composes its SQL anew for each call. Here the statement for a model and its columns is composed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from peewee import Model

from appliance import db

M = TypeVar("M", bound=Model)


def insert(model: type[Model], values: Mapping[str, Any]) -> Any:
    """Insert one row and return its primary key, which must be one column. Fields not in `values` get their defaults.

    Args:
        model: the model.
        values: by the names of fields; for a foreign key the id or the row itself.
    """
    given = {**model._meta.get_default_dict(), **values}
    fields = [model._meta.fields[name] for name in given]
    statement = _statement(model, tuple(given))
    return db.execute(
        statement, [field.db_value(value) for field, value in zip(fields, given.values(), strict=True)]
    ).fetchone()[0]


@lru_cache(maxsize=256)
def _statement(model: type[Model], names: tuple[str, ...]) -> str:
    meta: Any = model._meta
    columns = ", ".join(f'"{meta.fields[name].column_name}"' for name in names)
    returned = f'"{meta.primary_key.column_name}"'
    return f'INSERT INTO "{meta.table_name}" ({columns}) VALUES ({db.placeholders(len(names))}) RETURNING {returned}'


def select(model: type[M], sql: str, parameters: Sequence[Any]) -> list[M]:
    """Return the rows that a fixed SELECT finds, as instances of the model."""
    return list(model.raw(db.backend().translate(sql), *parameters))

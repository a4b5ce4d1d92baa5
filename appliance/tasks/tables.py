"""Tables of the reference: the keys of a TOML table with type, default and meaning, as people write them."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

MADE = "<!-- Made by `./inv docs`; change the code instead. -->"


def table_of(model: type[BaseModel], left_out: Collection[str] = ()) -> str:
    """Every key of a table but those left out."""
    rows = [
        f"| `{name}` | {_type(field.annotation)}{_limits(field)} | {_default(field)} | {field.description} |"
        for name, field in model.model_fields.items()
        if not field.exclude and name not in left_out
    ]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The table an annotation means, alone or in a list; None for plain values."""
    for candidate in (annotation, *typing.get_args(annotation)):
        if inspect.isclass(candidate) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _type(annotation: Any) -> str:
    """How a person calls a type."""
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{_toml(value)}`" for value in arguments)
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return "table"
    if type(None) in arguments:
        return _type(next(argument for argument in arguments if argument is not type(None)))
    if origin is typing.Annotated:
        return _type(arguments[0])
    return {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}[annotation]


def _limits(field: FieldInfo) -> str:
    low = next((f"from {m.ge}" for m in field.metadata if hasattr(m, "ge")), "")
    above = next((f"more than {m.gt}" for m in field.metadata if hasattr(m, "gt")), "")
    high = next((f"to {m.le}" for m in field.metadata if hasattr(m, "le")), "")
    words = " ".join(filter(None, (low or above, high)))
    return f", {words}" if words else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    default = field.get_default(call_default_factory=True, validated_data={})
    return "none" if default is None or default is PydanticUndefined else f"`{_toml(default)}`"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return "{}"
    return str(value) if isinstance(value, int | float) else f'"{value}"'

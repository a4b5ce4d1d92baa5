"""What a row of the audit changed, field by field and line by line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: Lines around a change that are shown with it.
_CONTEXT: Final = 3


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that changed."""

    name: str
    #: Each line with `-` for one that was, `+` for one that is, and a space for one that stayed.
    lines: tuple[tuple[str, str], ...]


def changes_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """Return the fields of both sides of a row, in the order of their names."""
    return [
        FieldChange(name, tuple(_compared(_lines(before, name), _lines(after, name))))
        for name in sorted(before.keys() | after.keys())
    ]


def _compared(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    if old == new:
        return [(" ", line) for line in old]
    lines = list(difflib.unified_diff(old, new, n=_CONTEXT, lineterm=""))[3:]  # the first three only say where it is
    return [(" ", "…") if line.startswith("@@") else (line[0], line[1:]) for line in lines]


def _lines(values: Mapping[str, Any], name: str) -> list[str]:
    if name not in values:
        return []
    value = values[name]
    if isinstance(value, Mapping) and isinstance(value.get("text"), str) and "length" in value:
        return [*value["text"].splitlines(), f"… ({value['length']:,} characters in all)"]
    if isinstance(value, str):
        return value.splitlines() or [""]
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True).splitlines()

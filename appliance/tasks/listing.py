"""A list for people: a row a thing, fitted to a terminal, whole elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from appliance.tasks.console import out, warn

STYLES: Mapping[str, str] = {
    "draft": "dim", "scheduled": "yellow", "published": "green", "pending": "yellow", "approved": "green",
    "spam": "red",
}  # fmt: skip
#: Columns of numbers.
_RIGHT = ("id", "entries", "bytes")


def show_list(columns: Mapping[str, Sequence[str]], wide: Mapping[str, int]) -> None:
    """Columns by their headings; those of `wide` share the room that is left, and are cut where it is too narrow."""
    rows = list(zip(*columns.values(), strict=True))
    if not out.is_terminal:
        widths = [max(map(len, (name, *cells))) for name, cells in columns.items()]
        for row in (tuple(columns), *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(
            name,
            ratio=wide.get(name),
            no_wrap=True,
            justify="right" if name in _RIGHT else "left",
            overflow="ellipsis" if name in wide else "fold",
        )
    for row in rows:
        table.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in row))
    out.print(table, soft_wrap=False)


def cut(found: list[Any], limit: int) -> list[Any]:
    """The first `limit` of what was found, all for 0; says so on standard error when there are more."""
    if 0 < limit < len(found):
        warn(f"Only the first {limit:,} are listed; --limit 0 lists all.")
        return found[:limit]
    return found


def one_more(limit: int) -> int | None:
    """How many to ask for, so that `cut` can tell whether there are more."""
    return limit + 1 if limit > 0 else None


def one_line(text: str) -> str:
    """`text` without line breaks."""
    return " ".join(text.split())


def short(moment: str | None) -> str:
    """`2026-11-22 08:30` of a moment in ISO 8601."""
    return (moment or "")[:16].replace("T", " ")

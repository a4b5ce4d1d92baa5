"""Lists: columns fitted to a terminal, full columns elsewhere, and rows as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from appliance import clock
from appliance.paging import Count, Page, all_rows
from appliance.tasks.command_line import console, is_terminal, warn
from appliance.terminal_text import escape_line

Row = TypeVar("Row")

STYLES: Mapping[str, str] = {
    "draft": "dim",
    "scheduled": "yellow",
    "published": "green",
    "pending": "yellow",
    "approved": "green",
    "spam": "red",
}
#: The number of rows to read at once.
_PAGE: Final = 500
#: Columns of numbers, aligned to the right.
_RIGHT = ("id", "entries", "bytes")


def print_columns(columns: Mapping[str, Sequence[str]], wide: Mapping[str, int]) -> None:
    """Print columns by heading. Those in `wide` share the remaining width in these proportions and may be truncated."""
    columns = {name: [escape_line(cell) for cell in cells] for name, cells in columns.items()}
    rows = list(zip(*columns.values(), strict=True))
    if not is_terminal():
        widths = [max(map(len, (name, *cells))) for name, cells in columns.items()]
        for row in (tuple(columns), *rows):
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return
    from rich.table import Table
    from rich.text import Text

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
    console().print(table, soft_wrap=False)


def read_rows(read: Callable[[int, str | None], Page[Row]], limit: int) -> list[Row]:
    """Return the first `limit` rows of a list, or all for 0. Warns on standard error if there are more.

    `read` returns a page, given its size and the cursor to start after.
    """
    size = min(limit + 1, _PAGE) if limit > 0 else _PAGE
    rows = all_rows(lambda after: read(size, after))
    found = list(islice(rows, limit + 1 if limit > 0 else None))
    if 0 < limit < len(found):
        warn(f"Only the first {limit:,} are listed; --limit 0 lists all.")
        return found[:limit]
    return found


def row_json(row: Any) -> dict[str, Any]:
    """Return a row for JSON, with dates in ISO 8601 and counts as numbers."""
    return {field.name: _json(getattr(row, field.name)) for field in fields(row)}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.number if isinstance(value, Count) else value


def one_line(text: str) -> str:
    """Return `text` without line breaks."""
    return " ".join(text.split())


def format_date(date: datetime | None) -> str:
    """Return a date as `2026-11-22 08:30`, or an empty string."""
    return f"{date:%Y-%m-%d %H:%M}" if date else ""


def format_timestamp(at: float | None) -> str:
    """Return seconds since the epoch as `format_date` does, in UTC."""
    return "" if at is None else format_date(clock.to_datetime(at))

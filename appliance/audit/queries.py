"""The audit as people read it: pages of a list in the order of time, one row, and the export of all.

A page is read from an index, whatever the list is filtered by, and costs the same at any number of rows.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TextIO

from appliance import db
from appliance.audit.chain import COLUMNS
from appliance.db import keyset
from appliance.db.keyset import ALL, Condition, Listing, Order
from appliance.paging import PAGE_SIZE, Page


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows. Empty fields do not restrict."""

    #: The name of a site.
    site: str = ""
    #: The name of who acted.
    actor: str = ""
    #: A noun and a verb, or a noun with a period for all its verbs: `entry.`.
    action: str = ""
    subject: str = ""
    subject_id: str = ""
    via: str = ""
    #: Seconds since the epoch: the first moment, and the first moment that is too late.
    since: float | None = None
    until: float | None = None


ANYTHING: Final = AuditFilter()


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Something that somebody did; `models.Audit` describes the fields."""

    id: int
    at: float
    actor: str
    via: str
    address: str
    request: str
    token: str
    site: str
    action: str
    subject: str
    subject_id: str
    label: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    previous: str
    digest: str


_COLUMNS: Final = ", ".join(COLUMNS)
_ORDER: Final = Order(("at", "id"), (float, int), descending=True)
_NUMBERS: Final = Order(("id",), (int,))
#: Columns that are compared with a filter's values.
_EQUAL: Final = ("site", "actor", "action", "subject", "subject_id", "via")
#: Those that an index begins with. The first that a filter has leaves the fewest rows.
_INDEXED: Final = (frozenset({"subject", "subject_id"}), *map(frozenset, ({"actor"}, {"action"}, {"site"})))
#: Rows that an export reads at once.
_MANY: Final = 1000


def list_audit(
    wanted: AuditFilter = ANYTHING, *, size: int = PAGE_SIZE, after: str | None = None, with_total: bool = True
) -> Page[AuditRow]:
    """Read a page of the rows that match a filter, the newest first.

    Raises:
        CursorError: the cursor is of another list.
    """
    return keyset.page(
        _listing(wanted), "audit", _COLUMNS, _rows, size=size, after=after, with_total=with_total
    )  # fmt: skip


def find_row(number: int) -> AuditRow | None:
    """Return the row with this number."""
    found = db.execute(f"SELECT {_COLUMNS} FROM audit WHERE id = ?", [number]).fetchone()
    return _rows([found])[0] if found else None


def list_oldest(
    wanted: AuditFilter = ANYTHING, *, size: int = PAGE_SIZE, after: str | None = None, with_total: bool = True
) -> Page[AuditRow]:
    """Read a page of the rows that match a filter, by their numbers: the oldest first, as an export has them.

    Raises:
        CursorError: the cursor is of another list.
    """
    first, rest = _conditions(wanted)
    listing = Listing("audit", _NUMBERS, (first & _times(wanted),), rest)
    return keyset.page(
        listing, "oldest audit", _COLUMNS, _rows, size=size, after=after, with_total=with_total
    )  # fmt: skip


def export(stream: TextIO, rows: Iterable[AuditRow]) -> int:
    """Write rows to a stream as JSON lines; return how many.

    The lines hold all columns, so that whoever has all lines, the oldest first, can verify the chain.
    """
    count = 0
    for row in rows:
        stream.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
        count += 1
    return count


def export_file(file: Path, rows: Iterable[AuditRow]) -> int:
    """Write rows to a file that only its owner can read, whole or not at all; return how many.

    Raises:
        OSError: the file cannot be written.
    """
    number, temporary = tempfile.mkstemp(prefix=".audit-", dir=file.absolute().parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as stream:
            count = export(stream, rows)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(file)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return count


def all_rows(wanted: AuditFilter = ANYTHING) -> Iterator[AuditRow]:
    """Yield the rows that match a filter, the oldest first, a thousand read at once.

    Rows that are added meanwhile may come too.
    """
    first, rest = _conditions(wanted)
    chosen, last = first & _times(wanted) & rest, 0
    while True:
        some = chosen & Condition("id > ?", (last,))
        found = db.execute(
            f"SELECT {_COLUMNS} FROM audit WHERE {some.where} ORDER BY id LIMIT ?", (*some.values, _MANY)
        ).fetchall()
        yield from _rows(found)
        if len(found) < _MANY:
            return
        last = found[-1][0]


def _listing(wanted: AuditFilter) -> Listing:
    first, rest = _conditions(wanted)
    return Listing("audit", _ORDER, (first & _times(wanted),), rest)


def _conditions(wanted: AuditFilter) -> tuple[Condition, Condition]:
    """The conditions that an index has in the order of time, and those that are tested row by row."""
    given = {column: getattr(wanted, column) for column in _EQUAL if getattr(wanted, column)}
    noun = given.pop("action") if wanted.action.endswith(".") else ""
    first = next((columns for columns in _INDEXED if columns <= given.keys()), frozenset[str]())
    rest = Condition("substr(action, 1, ?) = ?", (len(noun), noun)) if noun else ALL
    indexed = ALL
    for column, value in given.items():
        same = Condition(f"{column} = ?", (value,))
        indexed, rest = (indexed & same, rest) if column in first else (indexed, rest & same)
    return indexed, rest


def _times(wanted: AuditFilter) -> Condition:
    since = Condition("at >= ?", (wanted.since,)) if wanted.since is not None else ALL
    return since & (Condition("at < ?", (wanted.until,)) if wanted.until is not None else ALL)


def _rows(found: Sequence[Sequence[Any]]) -> list[AuditRow]:
    return [AuditRow(**{**dict(zip(COLUMNS, row, strict=True)), **_values(row)}) for row in found]


def _values(row: Sequence[Any]) -> dict[str, Any]:
    return {name: _parsed(row[COLUMNS.index(name)]) for name in ("before", "after")}


def _parsed(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    # Only somebody who changed the table by other means makes anything else of it, which `verify` finds.
    return found if isinstance(found, dict) else {"unreadable": str(text)}

"""Verifying the audit: finding the first row that does not fit into the chain.

A chain alone cannot show that its end was cut off, or that all of it was written anew. Whoever noted the number and the
digest of a row elsewhere can: they must still be in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance import db
from appliance.audit.chain import COLUMNS, digest
from appliance.errors import AuditError

_MANY: Final = 1000
_COLUMNS: Final = ", ".join(COLUMNS)


@dataclass(frozen=True, slots=True)
class Head:
    """The number and the digest of a row, by which the rows up to it are recognised later."""

    number: int = 0
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.number}:{self.digest}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found."""

    #: The number of rows that fit, from the first.
    rows: int
    #: The newest row in the table.
    head: Head
    #: The number of the first row that does not fit; None if all do.
    row: int | None = None
    #: Why it does not fit; empty if all rows do.
    fault: str = ""


def parse_head(text: str) -> Head:
    """Return the head that somebody noted as `NUMBER:DIGEST`.

    Raises:
        AuditError: this is none.
    """
    found = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", text.strip().lower(), re.ASCII)
    if not found:
        raise AuditError(f"“{text}” is not the head of an audit; write NUMBER:DIGEST, as audit.verify prints it")
    return Head(int(found[1]), found[2])


def read_head() -> Head:
    """Return the head: number and digest of the newest row."""
    return Head(*(db.execute("SELECT id, digest FROM audit ORDER BY id DESC LIMIT 1").fetchone() or ()))


def verify(expected: Sequence[Head] = ()) -> Verification:
    """Verify the whole chain, and that the rows `expected` are in it with these digests."""
    with db.snapshot():
        head, last = read_head(), Head()
        wanted = {one.number: one.digest for one in expected}
        for row in _rows():
            if fault := _fault(row, last) or _unexpected(row, wanted):
                return Verification(last.number, head, *fault)
            last = Head(row[0], row[-1])
        missing = min((number for number in wanted if number > last.number), default=None)
        if missing is not None:
            return Verification(last.number, head, missing, _cut_off(last, missing))
    return Verification(last.number, head)


def _rows() -> Iterator[Sequence[Any]]:
    last: Any = None
    while True:
        after, bound = ("", []) if last is None else ("WHERE id > ?", [last])
        found = db.execute(f"SELECT {_COLUMNS} FROM audit {after} ORDER BY id LIMIT ?", [*bound, _MANY]).fetchall()
        yield from found
        if len(found) < _MANY:
            return
        last = found[-1][0]


def _fault(row: Sequence[Any], last: Head) -> tuple[Any, str] | None:
    """Return the number of a row and why it does not follow the last one that fits; None if it does."""
    number, previous = row[0], row[-2]
    expected = last.number + 1
    if number != expected:
        where = f"after row {last.number}" if last.number else "at the beginning"
        return expected, f"row {expected} is missing {where}: the next is row {number}"
    if _digest(row) != row[-1]:
        return number, f"row {number} was changed: its digest is not that of what it says"
    if previous != last.digest:
        return number, f"row {number} does not follow row {last.number}: one of them was removed, inserted or rewritten"
    return None


def _digest(row: Sequence[Any]) -> str:
    try:
        return digest(row[:-1])
    except (TypeError, ValueError):  # SQLite takes any type in any column
        return ""


def _unexpected(row: Sequence[Any], wanted: dict[int, str]) -> tuple[Any, str] | None:
    if row[0] in wanted and wanted[row[0]] != row[-1]:
        return row[0], (
            f"row {row[0]} is not the one that was expected: it or one before it was written anew, with a chain of its"
            " own"
        )
    return None


def _cut_off(last: Head, missing: int) -> str:
    newest = f"the newest is row {last.number}" if last.number else "there are none"
    return f"row {missing} was expected and is gone: rows were cut off from the end, {newest}"

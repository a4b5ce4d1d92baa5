"""Exports of the audit: JSON lines, which the chain can be verified by, and CSV for spreadsheets.

Rows are sent as they are read, so that an export of any length takes no memory.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Final

from flask import Response

from appliance import audit
from appliance.audit import AuditFilter, AuditRow

_COLUMNS: Final = tuple(field.name for field in fields(AuditRow))
#: Spreadsheets take text that begins so for a formula, and run it.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Format:
    """A format of exports."""

    ending: str
    type: str
    lines: Callable[[Iterable[AuditRow]], Iterator[str]]


def export(wanted: AuditFilter, format: Format) -> Response:
    """Answer with all rows that match a filter, the oldest first."""
    response = Response(format.lines(audit.all_rows(wanted)), content_type=format.type)
    response.headers["Content-Disposition"] = f'attachment; filename="audit.{format.ending}"'
    return response


def _json_lines(rows: Iterable[AuditRow]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(asdict(row), ensure_ascii=False) + "\n"


def _csv_lines(rows: Iterable[AuditRow]) -> Iterator[str]:
    yield _csv_line(_COLUMNS)
    for row in rows:
        yield _csv_line([_cell(getattr(row, name)) for name in _COLUMNS])


def _csv_line(values: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


JSON_LINES: Final = Format("jsonl", "application/jsonl; charset=utf-8", _json_lines)
CSV: Final = Format("csv", "text/csv; charset=utf-8", _csv_lines)

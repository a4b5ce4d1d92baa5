"""What the last pulls of each source did: a row for each, with the report of its import.

Guarantees that a source which is pulled every few seconds keeps what matters: pulls in a row that changed nothing, or
failed for the same reason, are one row with their number, and only the newest rows of a source are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from peewee import AutoField, DoubleField, ForeignKeyField, IntegerField, TextField

from appliance import db
from appliance.content.models import Source
from appliance.db import NOW, BaseModel

#: Rows that are kept of each source.
KEPT: Final = 20
#: Lines of a report that are kept, and characters of a line.
_LINES, _LINE = 200, 1000


class SourcePull(BaseModel):
    """A pull, or several in a row with the same result. Times are seconds since the epoch on the database's clock."""

    id = AutoField()
    source = ForeignKeyField(Source, backref="pulls", on_delete="CASCADE")
    #: When the first of them began.
    first_at = DoubleField()
    #: When the last of them began and ended.
    started_at = DoubleField()
    ended_at = DoubleField()
    times = IntegerField(default=1)
    #: 'changed', 'unchanged' or 'failed'.
    outcome = TextField()
    #: The id of the commit; empty for a folder.
    revision = TextField(default="")
    #: Empty unless it failed.
    error = TextField(default="")
    #: The lines of the report; empty if nothing was imported.
    report = TextField(default="")


@dataclass(frozen=True, slots=True)
class PullRow:
    """A row of the history; see `SourcePull`."""

    first_at: float
    started_at: float
    ended_at: float
    times: int
    outcome: str
    revision: str
    error: str
    lines: tuple[str, ...]


_NEWEST: Final = "SELECT id, outcome, error FROM source_pull WHERE source_id = ? ORDER BY id DESC LIMIT 1"
_REPEAT: Final = f"""
UPDATE source_pull SET started_at = ?, ended_at = {NOW}, times = times + 1, revision = ?, report = ? WHERE id = ?
"""
_ADD: Final = f"""
INSERT INTO source_pull (source_id, first_at, started_at, ended_at, times, outcome, revision, error, report)
VALUES (?, ?, ?, {NOW}, 1, ?, ?, ?, ?)
"""
_PRUNE: Final = """
DELETE FROM source_pull WHERE source_id = ? AND id NOT IN
    (SELECT id FROM source_pull WHERE source_id = ? ORDER BY id DESC LIMIT ?)
"""
_LIST: Final = """
SELECT p.first_at, p.started_at, p.ended_at, p.times, p.outcome, p.revision, p.error, p.report
FROM source_pull p JOIN source s ON s.id = p.source_id JOIN site ON site.id = s.site_id
WHERE site.name = ? AND s.name = ? ORDER BY p.id DESC LIMIT ?
"""


def record(
    source: int, started_at: float, outcome: str, *, revision: str = "", error: str = "", lines: Sequence[str] = ()
) -> None:
    """Record a pull that ends now. Call it in the transaction that ends the pull.

    Args:
        source: the id of the source's row.
        started_at: when it began, by the database's clock.
        outcome: 'changed', 'unchanged' or 'failed'.
        revision: the id of the commit; empty for a folder, or if none was fetched.
        error: why it failed.
        lines: the report of the import; a long one is shortened.
    """
    report = "\n".join(_shortened(lines))
    last = db.execute(_NEWEST, [source]).fetchone()
    if last is not None and outcome != "changed" and tuple(last[1:]) == (outcome, error):
        db.execute(_REPEAT, [started_at, revision, report, last[0]])
        return
    db.execute(_ADD, [source, started_at, started_at, outcome, revision, error, report])
    db.execute(_PRUNE, [source, source, KEPT])


def read(site: str, source: str) -> list[PullRow]:
    """The last pulls of a source, the newest first; none of one that was never pulled."""
    return [_row(values) for values in db.execute(_LIST, [site, source, KEPT]).fetchall()]


def _row(values: Sequence[Any]) -> PullRow:
    found = (*values[:-1], tuple(values[-1].splitlines()))
    return PullRow(*found)


def _shortened(lines: Sequence[str]) -> list[str]:
    kept = [line if len(line) <= _LINE else f"{line[:_LINE]} …" for line in lines[:_LINES]]
    return [*kept, f"… and {len(lines) - _LINES} more lines"] if len(lines) > _LINES else kept

"""Files compared with what would be built now: asked for by people, made by a worker, kept for a day.

Guarantees that asking publishes nothing, that any number of questions about one file while it is being built make one
build, and that what is kept of each is bounded.

    request ─► a job of the kind `compare` ─► a worker builds the file in memory (`comparison_job`) ─► save
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from peewee import DoubleField, IntegerField, TextField

from appliance import actor, audit, db
from appliance.config import Config
from appliance.db import NOW, BaseModel
from appliance.errors import SourceExcerpt
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.failures import decode_excerpt, encode_excerpt

#: The kind of job that compares a file. The key of the job is the path of the file.
COMPARE: Final = "compare"
#: Higher than the priority of any artifact, since somebody waits, and lower than that of plans.
_PRIORITY: Final = 15
#: Seconds that a comparison is kept.
KEPT: Final = 86_400.0

#: What came out. `opaque` files differ and are no text; `gone` is a file that the site has no more, and `broken` one
#: that cannot be built.
Result = Literal["same", "differs", "opaque", "gone", "broken"]

#: Each line with `-` for one that is published, `+` for one that would be, a space for one that stays, and `…` where
#: lines that stay are left out.
Line = tuple[str, str]


class StoredComparison(BaseModel):
    """The last comparison of a file. Times are seconds since the epoch on the database's clock."""

    path = TextField(primary_key=True)
    requested_at = DoubleField()
    #: When it was built; null or earlier than `requested_at` while a build is waited for.
    built_at = DoubleField(null=True)
    #: The publishing host that built it and whose docroot it was compared with.
    host = TextField(default="")
    #: A `Result`; empty until the first build has ended.
    result = TextField(default="")
    #: Why it cannot be built, or what is left out.
    message = TextField(default="")
    published_size = IntegerField(null=True)
    built_size = IntegerField(null=True)
    #: The lines that differ and those around them, as JSON.
    lines = TextField(null=True)
    #: The lines of the theme around the fault, as JSON.
    excerpt = TextField(null=True)

    class Meta:
        """The table is named after what a row is."""

        table_name = "comparison"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is published at a path, and what would be built now."""

    result: Result
    host: str
    #: Why it cannot be built, or what is left out; mostly empty.
    message: str = ""
    #: Bytes; None if there is no such file.
    published_size: int | None = None
    built_size: int | None = None
    lines: Sequence[Line] = ()
    excerpt: SourceExcerpt | None = None


@dataclass(frozen=True, slots=True)
class ComparisonState:
    """The last comparison of a file, and whether another is being made."""

    requested_at: float
    built_at: float | None
    is_awaited: bool
    comparison: Comparison | None


_ASK = f"""
INSERT INTO comparison (path, requested_at, host, result, message) VALUES (?, {NOW}, '', '', '')
ON CONFLICT (path) DO UPDATE SET requested_at = excluded.requested_at
"""


def request(config: Config, site: str, path: str) -> None:
    """Ask for a comparison of the file of a site; a worker makes it, and publishes nothing."""
    with db.write():
        db.execute(_ASK, [path]).close()
        asked = [JobRequest(path, _PRIORITY, site)]
        enqueue(COMPARE, asked, ageing=config.queue.ageing, causes=[Cause("compared", actor.current().name)])
        audit.record("job.compare", "file", path, site=site)


_FIND = """
SELECT requested_at, built_at, host, result, message, published_size, built_size, lines, excerpt
FROM comparison WHERE path = ?
"""


def find(path: str) -> ComparisonState | None:
    """Return the last comparison of a file; None if nobody asked for one of late."""
    row = db.execute(_FIND, [path]).fetchone()
    if row is None:
        return None
    requested_at, built_at, host, result, message, published_size, built_size, lines, excerpt = row
    made = Comparison(
        result, host, message, published_size, built_size,
        tuple((mark, text) for mark, text in json.loads(lines or "[]")), decode_excerpt(excerpt),
    )  # fmt: skip
    return ComparisonState(requested_at, built_at, (built_at or 0.0) < requested_at, made if result else None)


_SAVE = f"""
UPDATE comparison SET built_at = {NOW}, host = ?, result = ?, message = ?, published_size = ?, built_size = ?,
                      lines = ?, excerpt = ?
WHERE path = ?
"""


def save(path: str, made: Comparison) -> None:
    """Save what a worker has made."""
    lines = json.dumps(made.lines, ensure_ascii=False) if made.lines else None
    values = (made.host, made.result, made.message, made.published_size, made.built_size, lines)
    with db.write():
        db.execute(_SAVE, [*values, encode_excerpt(made.excerpt), path]).close()


def prune(older_than: float = KEPT) -> int:
    """Delete comparisons that were asked for so many seconds ago; returns how many."""
    with db.write():
        return int(db.execute(f"DELETE FROM comparison WHERE requested_at < {NOW} - ?", [older_than]).rowcount)

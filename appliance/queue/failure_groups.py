"""Failed jobs grouped by what is wrong: one row for each fault to mend, however many jobs it failed.

Guarantees that reading the groups costs one step through an index for each, and for its count no more than a bound: a
hundred thousand failed jobs of one broken template cost as little as a few.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.db import keyset
from appliance.errors import SourceExcerpt
from appliance.paging import Count
from appliance.queue import failures
from appliance.queue.failures import FailureDetails
from appliance.queue.job_filter import JobFilter

#: Groups that are read at most.
MOST: Final = 200
#: Jobs of one transaction that are put into groups.
_MANY: Final = 1000


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed jobs of one site, kind, error, place and message. Times are seconds since the epoch."""

    #: 20 letters and digits.
    name: str
    number: Count
    first_at: float
    last_at: float
    #: The newest job of the group; it says what all have in common.
    newest: int
    kind: str
    scope: str
    key: str
    error_class: str
    message: str
    #: What the jobs failed on: for publishing, the template; empty if that is not known.
    about: str
    #: The lines of the theme's file around the fault; None if none are known.
    excerpt: SourceExcerpt | None

    @property
    def place(self) -> str:
        """The file of the theme and its line, as `archive.html:12`; empty if none is known."""
        return f"{self.excerpt.file}:{self.excerpt.line}" if self.excerpt else ""

    @property
    def sentence(self) -> str:
        """What is wrong, in one line."""
        return failures.shortened(self.message, self.key, self.excerpt)

    @property
    def same_in_all(self) -> str:
        """A part of the message that all jobs of the group have, to search for them; perhaps empty."""
        return failures.same_in_all(self.message, self.key)


# A step to the next name for each group, whatever the number of jobs.
_STATISTICS = """
WITH RECURSIVE one (name) AS (
    SELECT MIN(fault) FROM job WHERE state = 'failed' {start}
    UNION ALL
    SELECT (SELECT MIN(fault) FROM job WHERE state = 'failed' AND fault > one.name) FROM one
    WHERE one.name IS NOT NULL {more})
SELECT name,
       (SELECT COUNT(*) FROM (SELECT 1 FROM job WHERE state = 'failed' AND fault = one.name LIMIT ?) AS counted),
       (SELECT MIN(finished_at) FROM job WHERE state = 'failed' AND fault = one.name),
       (SELECT MAX(finished_at) FROM job WHERE state = 'failed' AND fault = one.name),
       (SELECT id FROM job WHERE state = 'failed' AND fault = one.name ORDER BY finished_at DESC, id DESC LIMIT 1)
FROM one WHERE name IS NOT NULL LIMIT ?
"""
_NEWEST = """
SELECT j.id, j.kind, j.scope, j.key, COALESCE(j.error_class, ''), COALESCE(j.error_message, ''), a.about, a.excerpt
FROM job AS j LEFT JOIN job_attempt AS a ON a.job_id = j.id AND a.number = j.attempt
WHERE j.id IN ({})
"""


def list_groups(scopes: Collection[str] | None = None) -> tuple[list[FailureGroup], bool]:
    """Return the groups of failed jobs, those that failed last first, and whether there are more than were read.

    Args:
        scopes: the sites whose groups are wanted; None for all, also of jobs of no site.
    """
    with db.snapshot():
        sql = _STATISTICS.format(start="", more="")
        rows = db.execute(sql, [keyset.CAP + 1, MOST + 1]).fetchall()
        groups = _completed(rows[:MOST])
    seen = [group for group in groups if scopes is None or group.scope in scopes]
    return sorted(seen, key=lambda group: (-group.last_at, group.name)), len(rows) > MOST


def find_group(name: str) -> FailureGroup | None:
    """Return a group by its name; None if no job of it is failed any more."""
    with db.snapshot():
        sql = _STATISTICS.format(start="AND fault = ?", more="AND false")
        found = _completed(db.execute(sql, [name, keyset.CAP + 1, 1]).fetchall())
    return found[0] if found else None


def jobs_of(group: FailureGroup) -> JobFilter:
    """Return the filter of the failed jobs of a group."""
    return JobFilter(states=("failed",), scopes=(group.scope,), faults=(group.name,))


def _completed(rows: Sequence[tuple[str, int, float, float, int]]) -> list[FailureGroup]:
    """The groups with what their newest jobs say."""
    newest = [row[4] for row in rows]
    told = db.execute(_NEWEST.format(db.placeholders(len(newest)) or "NULL"), newest).fetchall()
    by_job = {row[0]: row[1:] for row in told}
    return [_group(row, by_job[row[4]]) for row in rows]


def _group(row: tuple[str, int, float, float, int], told: tuple[str, ...]) -> FailureGroup:
    name, number, first_at, last_at, newest = row
    kind, scope, key, error_class, message, about, excerpt_text = told
    counted = Count(min(number, keyset.CAP), number > keyset.CAP)
    excerpt = failures.decode_excerpt(excerpt_text)
    return FailureGroup(
        name, counted, first_at, last_at, newest, kind, scope, key, error_class, message, about or "", excerpt
    )


_UNGROUPED = """
SELECT id, kind, key, scope, COALESCE(error_class, ''), COALESCE(error_message, '') FROM job
WHERE state = 'failed' AND fault IS NULL LIMIT ?
"""


def group_others() -> int:
    """Put the jobs that a release without groups failed into groups; returns how many."""
    grouped = 0
    while rows := db.execute(_UNGROUPED, [_MANY]).fetchall():
        with db.write():
            for job, kind, key, scope, error, message in rows:
                name = failures.group_of(kind, key, scope, FailureDetails(error, message, ""))
                db.execute("UPDATE job SET fault = ? WHERE id = ? AND fault IS NULL", [name, job]).close()
        grouped += len(rows)
    return grouped

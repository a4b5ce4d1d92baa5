"""Why a job exists, as people ask it: which change of what, whose, and the row of the audit that tells all of it.

A change and its row are written in one transaction, so the row is the one about the same thing at that moment. Changes
are pruned earlier than audits; of an older one only the trigger is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.planning.permalinks import OF_ENTRY
from appliance.queue.administration import Trigger

#: Seconds from the time of a change, which is cut to a whole number, until that of its row in the audit. The clocks of
#: the host and of the database may differ a little.
_BEFORE, _AFTER = 0.5, 3.0
#: Kinds of things that the audit names as changes do.
_AUDITED: Final = ("entry", "comment", "asset", "category", "author", "tag")


@dataclass(frozen=True, slots=True)
class Cause:
    """A trigger of a job, with the change behind it as far as it is still known."""

    trigger: Trigger
    #: The entry that the change concerned, its title, and the path of its page; None and empty if there is none.
    entry: int | None = None
    title: str = ""
    path: str = ""
    #: The number of the row in the audit, and the site of that row.
    audit: int | None = None
    audit_site: str = ""


def causes_of(chain: Sequence[Trigger]) -> list[Cause]:
    """Return what is behind each trigger, by the same number of queries for any number of them."""
    numbers = [trigger.change_id for trigger in chain if trigger.change_id is not None]
    with db.snapshot():
        changes = _changes(numbers)
        entries = _entries([entry for _, _, _, entry in changes.values() if entry is not None])
        audited = _audited({number: row[:3] for number, row in changes.items() if row[0] in _AUDITED})
    found = []
    for trigger in chain:
        number = trigger.change_id or 0
        entry = changes[number][3] if number in changes else None
        title, path = entries.get(entry or 0, ("", ""))
        row, site = audited.get(number, (None, ""))
        found.append(Cause(trigger, entry, title, path, row, site))
    return found


#: The subject of a change, its id, when it was, and the entry that it affected.
_Change = tuple[str, int | None, int, int | None]


def _changes(numbers: Sequence[int]) -> dict[int, _Change]:
    rows = db.execute(
        "SELECT id, subject, subject_id, at, entry_id FROM change"
        f" WHERE id IN ({db.placeholders(len(numbers)) or 'NULL'})",
        numbers,
    ).fetchall()
    return {number: (subject, subject_id, at, entry) for number, subject, subject_id, at, entry in rows}


def _entries(numbers: Sequence[int]) -> dict[int, tuple[str, str]]:
    """The title of each entry and the path of its page."""
    rows = db.execute(
        f"SELECT e.id, e.title, p.path FROM entry e LEFT JOIN {OF_ENTRY}"
        f" WHERE e.id IN ({db.placeholders(len(numbers)) or 'NULL'})",
        numbers,
    ).fetchall()
    return {number: (title, path or "") for number, title, path in rows}


_AUDIT: Final = """
WITH asked (number, subject, subject_id, at) AS (VALUES {})
SELECT found.number, a.id, a.site FROM (
    SELECT asked.number, (SELECT b.id FROM audit b WHERE b.subject = asked.subject AND b.subject_id = asked.subject_id
                          AND b.at >= asked.at - ? AND b.at <= asked.at + ?
                          ORDER BY b.at, b.id LIMIT 1) AS audit_id FROM asked) AS found
JOIN audit a ON a.id = found.audit_id
"""
_ASKED: Final = "(CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS DOUBLE PRECISION))"


def _audited(changes: dict[int, tuple[str, int | None, int]]) -> dict[int, tuple[int, str]]:
    """The row of the audit about each change, and its site."""
    if not changes:
        return {}
    values = [
        value
        for number, (subject, subject_id, at) in changes.items()
        for value in (number, subject, str(subject_id), float(at))
    ]
    asked = ", ".join([_ASKED] * len(changes))
    rows = db.execute(_AUDIT.format(asked), [*values, _BEFORE, _AFTER]).fetchall()
    return {number: (row, site) for number, row, site in rows}

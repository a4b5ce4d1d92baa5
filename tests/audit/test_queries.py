"""Reading the audit: filters, pages in the order of time, and the export that anybody can verify."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace

import pytest

from appliance import actor, audit, db
from appliance.actor import Actor
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.errors import CursorError
from appliance.paging import all_rows


@pytest.fixture
def moments(database: Config) -> list[float]:
    """Six rows, and the moments before each of them and after the last."""
    times = []
    for n in range(6):
        times.append(db.now())
        with actor.acting(Actor(f"user {n % 2}", "api" if n % 3 else "shell")):
            action = "entry.edit" if n < 4 else "comment.moderate"
            audit.record(action, action.partition(".")[0], n % 2, site=f"site {n % 3}")
    return [*times, db.now()]


def numbers(wanted: AuditFilter = audit.ANYTHING) -> list[int]:
    return [row.id for row in audit.list_audit(wanted).rows]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (AuditFilter(), [6, 5, 4, 3, 2, 1]),
        (AuditFilter(site="site 0"), [4, 1]),
        (AuditFilter(actor="user 1"), [6, 4, 2]),
        (AuditFilter(action="entry.edit"), [4, 3, 2, 1]),
        (AuditFilter(action="comment."), [6, 5]),
        (AuditFilter(action="comm."), []),
        (AuditFilter(subject="entry"), [4, 3, 2, 1]),
        (AuditFilter(subject_id="0"), [5, 3, 1]),
        (AuditFilter(subject="entry", subject_id="0"), [3, 1]),
        (AuditFilter(via="shell"), [4, 1]),
        (AuditFilter(site="site 0", actor="user 1"), [4]),
        (AuditFilter(site="site 0", actor="user 1", action="entry.", via="shell", subject="entry"), [4]),
        (AuditFilter(actor="nobody"), []),
    ],
)
def test_filters(moments: list[float], wanted: AuditFilter, found: list[int]) -> None:
    page = audit.list_audit(wanted)
    assert [row.id for row in page.rows] == found
    assert page.total is not None
    assert page.total.number == len(found)
    stream = io.StringIO()
    assert audit.export(stream, audit.all_rows(wanted)) == len(found)
    assert [json.loads(line)["id"] for line in stream.getvalue().splitlines()] == sorted(found)


def test_times(moments: list[float]) -> None:
    assert numbers(AuditFilter(since=moments[2])) == [6, 5, 4, 3]
    assert numbers(AuditFilter(until=moments[2])) == [2, 1]
    assert numbers(AuditFilter(since=moments[1], until=moments[4], actor="user 1")) == [4, 2]


def test_pages(moments: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = list(all_rows(lambda after: audit.list_audit(size=2, after=after)))
    assert [row.id for row in rows] == [6, 5, 4, 3, 2, 1]
    with pytest.raises(CursorError):
        audit.list_audit(after="nonsense")
    monkeypatch.setattr("appliance.audit.queries._MANY", 2)
    stream = io.StringIO()
    assert audit.export(stream, audit.all_rows()) == 6


def test_one_row(moments: list[float]) -> None:
    assert audit.find_row(3) == audit.list_audit().rows[3]
    assert audit.find_row(7) is None


def test_an_exported_line_holds_what_its_digest_is_made_of(moments: list[float]) -> None:
    """As docs/explanation/audit.md says how to verify an export without the appliance."""
    audit.record("entry.edit", "entry", 7, label="Grüße", after={"title": "Grüße", "tags": ["b", "a"]})
    stream, previous = io.StringIO(), ""
    audit.export(stream, audit.all_rows())

    def compact(value: object) -> str:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))

    for line in stream.getvalue().splitlines():
        row = json.loads(line)
        digest = row.pop("digest")
        assert row["previous"] == previous
        for name in ("before", "after"):
            row[name] = row[name] and compact(row[name])
        previous = hashlib.sha256(compact(row).encode()).hexdigest()
        assert digest == previous
    assert audit.read_head() == audit.Head(7, previous)


def test_a_value_that_somebody_made_unreadable_is_shown(database: Config) -> None:
    audit.record("entry.edit", "entry")
    (row,) = audit.list_audit().rows
    if not database.database_url:
        db.execute("DROP TRIGGER audit_kept_from_UPDATE")
        db.execute("UPDATE audit SET after = 'x'")
        assert audit.list_audit().rows == (replace(row, after={"unreadable": "x"}),)

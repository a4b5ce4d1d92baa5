"""Recording: a row for what is committed, none for what is rolled back, and a chain whoever writes at once."""

from __future__ import annotations

import pytest
from peewee import PeeweeException

from appliance import actor, audit, db
from appliance.actor import Actor
from appliance.config import Config
from appliance.content.models import Site

ADA = Actor("ada", "api", "203.0.113.9", "r-1", "nightly")


def rows() -> list[audit.AuditRow]:
    return list(reversed(audit.list_audit(size=1000).rows))


def test_a_row_says_who_did_what(database: Config) -> None:
    before = db.now()
    with actor.acting(ADA), db.write():
        audit.record(
            "entry.edit", "entry", 7, site="blog", label="A title", before={"title": "Old"}, after={"title": "New"}
        )
    (row,) = rows()
    assert (row.id, row.actor, row.via, row.address, row.request, row.token) == (1, *(
        "ada", "api", "203.0.113.9", "r-1", "nightly"
    ))  # fmt: skip
    assert (row.site, row.action, row.subject, row.subject_id, row.label) == (
        "blog", "entry.edit", "entry", "7", "A title"
    )  # fmt: skip
    assert (row.before, row.after) == ({"title": "Old"}, {"title": "New"})
    assert before <= row.at <= db.now()
    assert audit.verify() == audit.Verification(1, audit.Head(1, row.digest))


def test_who_is_given_counts_before_who_acts(database: Config) -> None:
    with actor.acting(ADA):
        audit.record("site.publish", "site", actor=Actor("bob", "shell"))
        audit.record("site.publish", "site", actor=actor.UNKNOWN)
    assert [(row.actor, row.via) for row in rows()] == [("bob", "shell"), ("ada", "api")]


def test_a_transaction_is_one_piece_of_the_chain(database: Config) -> None:
    with db.write():
        audit.record("term.edit", "tag", 1)
        with db.write():
            audit.record("term.edit", "tag", 2)
        assert rows() == []
        audit.record("term.edit", "tag", 3)
    assert [row.subject_id for row in rows()] == ["1", "2", "3"]
    assert audit.verify().fault == ""


def test_what_is_rolled_back_leaves_no_row(database: Config) -> None:
    with pytest.raises(RuntimeError), db.write():
        audit.record("entry.add", "entry", 1)
        raise RuntimeError
    with db.write(rollback=True):
        audit.record("entry.add", "entry", 2)
    with db.write():
        audit.record("entry.add", "entry", 3)
        with pytest.raises(RuntimeError), db.write():
            audit.record("entry.add", "entry", 4)
            raise RuntimeError
        with db.write(rollback=True):
            audit.record("entry.add", "entry", 5)
        audit.record("entry.add", "entry", 6)
    assert [row.subject_id for row in rows()] == ["3", "6"]
    assert [row.id for row in rows()] == [1, 2]


def test_a_commit_that_fails_leaves_no_row(database: Config) -> None:
    def fail() -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError), db.write():
        audit.record("entry.add", "entry", 1)
        db.before_commit("fault", fail)
    assert rows() == []


def test_rows_are_written_after_all_else(database: Config) -> None:
    """What is done before the commit may need locks that somebody holds who waits for that of the audit."""
    seen: list[int] = []
    with db.write():
        audit.record("site.publish", "site", 1)
        db.before_commit("late", lambda: seen.append(len(rows())))
        db.before_commit("recorded", lambda: audit.record("site.publish", "site", 2))
    assert seen == [0]
    assert [row.subject_id for row in rows()] == ["1", "2"]


def test_what_cannot_be_stored_does_not_stop_the_act(database: Config) -> None:
    audit.record(
        "entry.edit", "entry", label="a\0b\ud800c", after={"text": "a\0\ud800", "n": float("nan"), "o": {1, 2}}
    )
    (row,) = rows()
    assert row.label == "a\ufffdb?c"
    assert row.after == {"text": "a\0\ud800", "n": "nan", "o": [1, 2]}
    assert audit.verify().fault == ""


def test_long_values_are_shortened(database: Config) -> None:
    audit.record("entry.edit", "entry", after={"text": "ä" * 5000, "ids": list(range(300))})
    (row,) = rows()
    assert row.after is not None
    assert row.after["text"]["text"] == "ä" * 2000
    assert row.after["text"]["length"] == 5000
    assert len(row.after["text"]["sha256"]) == 64
    assert row.after["ids"] == {"first": list(range(100)), "count": 300}
    audit.record("entry.edit", "entry", after={f"field {n}": "ä" * 2000 for n in range(50)})
    assert rows()[1].after is not None
    assert set(rows()[1].after or ()) == {"fields", "length", "sha256"}


@pytest.mark.parametrize("sql", ["DELETE FROM audit", "UPDATE audit SET actor = 'bob'", "replace"])
def test_the_database_itself_keeps_the_rows(database: Config, sql: str) -> None:
    audit.record("entry.add", "entry", 1)
    if sql == "replace":
        if database.database_url:
            pytest.skip("PostgreSQL replaces no row by inserting one")
        sql = "INSERT OR REPLACE INTO audit SELECT * FROM audit"
    with pytest.raises(PeeweeException, match="never changed or deleted"), db.write():
        db.execute(sql)
    assert len(rows()) == 1


def test_rows_stay_when_what_they_are_about_goes(database: Config) -> None:
    site = Site.create(name="gone", title="Gone", url="https://gone.example/")
    audit.record("site.publish", "site", site.id, site="gone")
    Site.delete().where(Site.id == site.id).execute()
    assert [row.site for row in rows()] == ["gone"]

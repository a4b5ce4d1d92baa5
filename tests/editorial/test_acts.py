"""What editorial commands leave in the audit: one row for each thing that changed, with the values that changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance import actor, audit, editorial
from appliance.actor import Actor
from appliance.config import Config
from appliance.content import sites
from appliance.content.comment_models import CommentOrigin
from appliance.editorial import senders
from appliance.errors import ContentError

ADA = Actor("ada", "api", "203.0.113.9")


@pytest.fixture
def site(database: Config) -> Config:
    sites.sync(database)
    return database


def rows() -> list[tuple[str, str, str, str, Any, Any]]:
    """The rows of the audit that editors left: action, subject with its id, label, before and after."""
    return [
        (row.action, f"{row.subject} {row.subject_id}".strip(), row.label, row.site, row.before, row.after)
        for row in audit.all_rows()
        if not row.action.startswith("site.")
    ]


def added(config: Config, title: str = "A title", **fields: Any) -> int:
    return int(editorial.add_entry(config, "blog", title, "Text", later=True, **fields).subject.id)


def test_who_acts_is_who_is_given_or_who_is_acting(site: Config) -> None:
    with actor.acting(ADA):
        added(site)
        added(site, actor=Actor("bob", "browser"))
    assert [(row.actor, row.via) for row in audit.all_rows(audit.AuditFilter(action="entry.add"))] == [
        ("ada", "api"), ("bob", "browser"),
    ]  # fmt: skip


def test_entries(site: Config) -> None:
    number = added(site, date="2026-11-01T10:00:00Z", categories=["News/Local"], tags=["one"])
    values = {
        "kind": "entry", "status": "draft", "title": "A title", "slug": "a-title", "format": "markdown", "text": "Text",
        "date": "2026-11-01T10:00:00Z", "allow_comments": True, "categories": ["news/local"], "tags": ["one"],
    }  # fmt: skip
    editorial.edit_entry(site, "blog", number, title="Another", tags=["two", "one"], later=True)
    editorial.edit_entry(site, "blog", number, title="Another", later=True)
    editorial.publish_entry(site, "blog", number, later=True)
    editorial.unpublish_entry(site, "blog", number, later=True)
    editorial.schedule_entry(site, "blog", number, "2036-01-01T00:00:00Z", later=True)
    editorial.delete_entries(site, "blog", number, later=True)
    name, date = f"entry {number}", "2026-11-01T10:00:00Z"
    edited = {**values, "title": "Another", "tags": ["two", "one"]}
    gone = {**edited, "status": "scheduled", "date": "2036-01-01T00:00:00Z", "excerpt": "x", "summary": "x"}
    found = rows()
    assert found[:-1] == [
        ("entry.add", name, "A title", "blog", None, values),
        (
            "entry.edit", name, "Another", "blog",
            {"title": "A title", "tags": ["one"]}, {"title": "Another", "tags": ["two", "one"]},
        ),
        ("entry.publish", name, "Another", "blog", {"status": "draft"}, {"status": "published"}),
        ("entry.publish", name, "Another", "blog", {"status": "published"}, {"status": "draft"}),
        (
            "entry.publish", name, "Another", "blog",
            {"status": "draft", "date": date}, {"status": "scheduled", "date": "2036-01-01T00:00:00Z"},
        ),
    ]  # fmt: skip
    assert found[-1][:2] == ("entry.delete", name)
    assert found[-1][4] == {name: value for name, value in gone.items() if value != "x"}


def test_an_edit_of_the_text_keeps_both(site: Config) -> None:
    number = added(site)
    editorial.edit_entry(site, "blog", number, text="Other", excerpt="Short", later=True)
    assert rows()[-1][4:] == ({"text": "Text", "excerpt": "<p>Text</p>"}, {"text": "Other", "excerpt": "<p>Short</p>"})


def test_an_edit_that_is_refused_leaves_no_row(site: Config) -> None:
    number = added(site)
    before = rows()
    with pytest.raises(ContentError):
        editorial.edit_entry(site, "blog", number, title=" ", later=True)
    assert rows() == before


def test_an_act_on_many_entries_is_one_row(site: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [added(site, f"Title {n}") for n in range(4)]
    monkeypatch.setattr("appliance.editorial.acts._FEW", 2)
    editorial.delete_entries(site, "blog", numbers[0], later=True)
    assert [row[:2] for row in rows()[4:]] == [("entry.delete", f"entry {numbers[0]}")]
    editorial.delete_entries(site, "blog", *numbers[1:], later=True)
    assert rows()[5:] == [("entry.delete", "entry", "", "blog", {"ids": numbers[1:]}, None)]


def commented(config: Config) -> tuple[int, int]:
    entry = added(config, status="published", date="2026-11-01T10:00:00Z")
    comment = editorial.add_comment(
        config, "blog", entry, "Hello", author="Ida", email="ida@example.org", later=True
    ).subject
    return entry, comment.id


def test_comments(site: Config) -> None:
    entry, comment = commented(site)
    name = f"comment {comment}"
    editorial.edit_comment(site, "blog", comment, text="Hello!", email="eve@example.org", later=True)
    editorial.edit_comment(site, "blog", comment, email="ena@example.org", later=True)
    editorial.moderate_comments(site, "blog", [comment], "pending", later=True)
    editorial.moderate_comments(site, "blog", [comment], "pending", later=True)
    editorial.delete_comments(site, "blog", comment, later=True)
    found = rows()[1:]
    after = {"entry": entry, "author": "Ida", "email": "i…@example.org", "status": "approved", "text": "Hello"}
    assert found[:-1] == [
        ("comment.add", name, "A title", "blog", None, after),
        (
            "comment.edit", name, "A title", "blog",
            {"text": "Hello", "email": "i…@example.org"}, {"text": "Hello!", "email": "e…@example.org"},
        ),
        (
            "comment.edit", name, "A title", "blog", {"email": "e…@example.org"}, {"email": "e…@example.org"},
        ),
        ("comment.moderate", name, "A title", "blog", {"status": "approved"}, {"status": "pending"}),
    ]  # fmt: skip
    assert found[-1][:2] == ("comment.delete", name)
    assert found[-1][4]["text"]["length"] == 6
    assert "text" not in found[-1][4]["text"]


def test_senders(site: Config) -> None:
    _, comment = commented(site)
    CommentOrigin.create(
        comment=comment, address="203.0.113.7", network="203.0.113.7/32", user_agent="", referrer="", submission=None,
        created_at=0,
    )  # fmt: skip
    senders.ban(site, "blog", str(comment), reason="spam")
    senders.ban(site, "blog", str(comment), reason="spam")
    senders.unban(site, "blog", "ida@example.org")
    senders.erase(site, "blog", "ida@example.org")
    found = [(action, before, after) for action, _, _, _, before, after in rows()[2:]]
    email = {"kind": "email", "value": "i…@example.org", "reason": "spam"}
    assert found == [
        ("comment.ban", None, {"kind": "network", "value": "203.0.113.0/24", "reason": "spam"}),
        ("comment.ban", None, email),
        ("comment.ban", email, None),
        ("comment.erase", None, {"comments": [comment]}),
    ]


def test_terms(site: Config) -> None:
    added(site, categories=["News", "Old"], tags=["one"], authors=["Ida"])
    editorial.rename_term(site, "blog", "category", "News", "Latest", slug="latest", later=True)
    editorial.rename_term(site, "blog", "category", "Latest", "Latest", later=True)
    editorial.rename_term(site, "blog", "category", "Old", parent="Latest", later=True)
    editorial.merge_terms(site, "blog", "category", "Latest/Old", "Latest", later=True)
    editorial.delete_term(site, "blog", "tag", "one", later=True)
    found = [(action, label, before, after) for action, _, label, _, before, after in rows()[1:]]
    assert found == [
        ("term.edit", "Latest", {"name": "News", "slug": "news"}, {"name": "Latest", "slug": "latest"}),
        ("term.edit", "Old", {"parent": None}, {"parent": "latest"}),
        (
            "term.edit", "Old", {"name": "Old", "slug": "old"},
            {"merged_into": found[2][3]["merged_into"], "name": "Latest", "entries": 1},
        ),
        ("term.delete", "one", {"name": "one", "slug": "one", "entries": 1}, None),
    ]  # fmt: skip


def test_files(site: Config, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one")
    editorial.upload_asset(site, "blog", file, later=True)
    editorial.upload_asset(site, "blog", file, later=True)
    file.write_text("two!")
    editorial.upload_asset(site, "blog", file, later=True)
    editorial.move_asset(site, "blog", "a.txt", "b.txt", later=True)
    editorial.remove_assets(site, "blog", "b.txt", later=True)
    found = [(action, label, before, after) for action, _, label, _, before, after in rows()]
    assert [row[:2] for row in found] == [
        ("asset.upload", "a.txt"), ("asset.replace", "a.txt"), ("asset.replace", "b.txt"), ("asset.delete", "b.txt"),
    ]  # fmt: skip
    assert found[0][2] is None
    assert found[1][2] == {"digest": found[0][3]["digest"], "size": 3}
    assert found[1][3]["size"] == 4
    assert found[2][2:] == ({"path": "a.txt"}, {"path": "b.txt"})
    assert found[3][2]["digest"] == found[1][3]["digest"]

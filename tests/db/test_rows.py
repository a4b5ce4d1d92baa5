"""Rows written and read by fixed SQL are those that the model's own methods would write and read."""

from __future__ import annotations

import pytest
from peewee import IntegrityError

from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.models import Comment, Entry, Site
from appliance.db import rows
from tests.local_site import moment

pytestmark = pytest.mark.usefixtures("database")


def _entry() -> Entry:
    site = Site.create(name="rows", url="https://rows.example/", title="Rows")
    data = EntryData(title="Tides", slug="tides", text="", published_at=moment("2026-11-01"), allow_comments=True)
    return entries.save(site, data)[0]


def test_a_row_gets_the_defaults_of_its_model() -> None:
    entry = _entry()
    values = {"author_name": "Ada", "text": "Words.", "html": "<p>Words.</p>", "created_at": 7}
    number = rows.insert(Comment, {"entry": entry, **values})
    same = Comment.create(entry=entry, **values)
    fields = set(Comment._meta.fields) - {"id"}
    found = Comment.get_by_id(number)
    assert {name: getattr(found, name) for name in fields} == {name: getattr(same, name) for name in fields}
    assert same.id == number + 1


def test_a_row_that_breaks_a_rule_is_refused() -> None:
    with pytest.raises(IntegrityError):
        rows.insert(Comment, {"entry": None, "author_name": "Ada", "text": "", "html": "", "created_at": 0})


def test_a_selected_row_has_the_types_of_its_model() -> None:
    entry = _entry()
    (found,) = rows.select(Entry, "SELECT id, site_id, allow_comments FROM entry WHERE slug = ?", ["tides"])
    assert (found.id, found.site_id, found.allow_comments) == (entry.id, entry.site_id, True)
    assert found.allow_comments is True

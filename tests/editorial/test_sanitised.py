"""HTML of authors who may not publish it as written."""

from __future__ import annotations

import pytest

from appliance import editorial
from appliance.config import Config
from appliance.content import sites
from appliance.content.models import Entry
from appliance.errors import ContentError

SCRIPT = "Hello <script>alert(1)</script>*there*"
CLEAN = "<p>Hello <em>there</em></p>\n"


@pytest.fixture(autouse=True)
def site(database: Config) -> None:
    sites.sync(database)


def add(config: Config, text: str = SCRIPT, *, as_written: bool) -> editorial.EntryDetails:
    result = editorial.add_entry(config, "blog", "Hello", text, as_written=as_written, later=True)
    return editorial.get_entry(config, "blog", result.subject.id)


def edit(config: Config, entry: int, *, as_written: bool, **changes: object) -> editorial.EntryDetails:
    editorial.edit_entry(config, "blog", entry, as_written=as_written, later=True, **changes)
    return editorial.get_entry(config, "blog", entry)


def test_a_new_entry_is_sanitised_and_marked(database: Config) -> None:
    entry = add(database, as_written=False)
    assert (entry.html, entry.sanitised, entry.text) == (CLEAN, True, SCRIPT)
    trusted = add(database, as_written=True)
    assert ("<script>" in trusted.html, trusted.sanitised) == (True, False)


def test_the_mark_stays_when_an_editor_corrects_a_word(database: Config) -> None:
    entry = add(database, as_written=False)
    corrected = edit(database, entry.id, as_written=True, text=SCRIPT.replace("Hello", "Hi"))
    assert (corrected.html, corrected.sanitised) == (CLEAN.replace("Hello", "Hi"), True)
    released = edit(database, entry.id, as_written=True, sanitised=False)
    assert ("<script>" in released.html, released.sanitised) == (True, False)
    assert released.version != corrected.version


def test_an_author_cannot_take_the_mark_away(database: Config) -> None:
    entry = add(database, as_written=False)
    with pytest.raises(ContentError, match="stays sanitised"):
        edit(database, entry.id, as_written=False, sanitised=False)


def test_an_author_who_edits_the_text_of_an_editor_has_it_sanitised(database: Config) -> None:
    entry = add(database, as_written=True)
    renamed = edit(database, entry.id, as_written=False, title="Bye")
    assert ("<script>" in renamed.html, renamed.sanitised) == (True, False)
    edited = edit(database, entry.id, as_written=False, text=f"{SCRIPT}!")
    assert ("<script>" in edited.html, edited.sanitised) == (False, True)


def test_an_excerpt_is_sanitised_too(database: Config) -> None:
    entry = add(database, "Hello", as_written=True)
    edited = edit(database, entry.id, as_written=False, excerpt="a <script>alert(1)</script>b")
    assert "script" not in edited.excerpt


def test_rows_of_the_release_before_are_not_marked(database: Config) -> None:
    entry = add(database, as_written=True)
    assert Entry.get_by_id(entry.id).sanitised is None
    assert not editorial.edit_entry(database, "blog", entry.id, title="Hello", later=True).changed

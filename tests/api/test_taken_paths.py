"""An author takes over no page of others: not by an address, a slug or an upload, as a file or as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from appliance import editorial
from appliance.config import Config
from tests.api.conftest import Caller, MakeCaller, published
from tests.api.test_resources import upload

BLOG = "/sites/blog"
ENTRIES = f"{BLOG}/entries"
TEXT = b"one line\n"
CLAIMS: tuple[dict[str, Any], ...] = (
    {"address": "index.html"},
    {"address": "feed.xml"},
    {"address": "404.html"},
    {"address": "tides/index.html"},
    {"address": "tides"},
    {"address": "tides/index.html/x.html"},
    {"address": "old/tides"},
    {"address": "robots.txt"},
    {"address": "page.xhtml"},
    {"address": ".well-known/x.html"},
    {"aliases": ["index.html"]},
    {"aliases": ["archives"]},
    {"aliases": ["tides"]},
    {"kind": "page", "slug": "archives"},
)
#: What nothing is published at yet, and the theme makes one day.
FUTURE: tuple[dict[str, Any], ...] = (
    {"address": "2027/01/index.html"},
    {"address": "2027"},
    {"address": "2027/12/page/2/index.html"},
    {"address": "2027/01/index.html/x.html"},
    {"address": "page/2/index.html"},
    {"address": "tag/storms"},
    {"address": "category/weather/storms/page/3/index.html"},
    {"address": "author/bob"},
    {"address": "theme/about.html"},
    {"aliases": ["2027/01/index.html"]},
    {"aliases": ["tag/storms"]},
)
FUTURE_UPLOADS = ("theme/x.txt", "2027/01/index.html/x.txt", "sitemap-entry-1.xml/x.txt")
UPLOADS = ("index.html/x.txt", "tides/index.html/x.txt", "feed.xml/a/x.txt", "robots.txt")


@pytest.fixture
def author(config: Config, caller: MakeCaller) -> Caller:
    """An author of a blog on which somebody else's entry is published."""
    editorial.add_entry(
        config, "blog", "Tides", "High", address="tides", aliases=["old/tides"], status="published", later=True
    )
    published(config)
    return caller(blog="author")


def files(config: Config) -> dict[str, bytes]:
    folder = Path(config.docroot) / "blog"
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_nothing_that_an_author_names_displaces_a_page(config: Config, author: Caller) -> None:
    before = files(config)
    own = author.post(ENTRIES, {"title": "Own"}).json["id"]
    for fields in CLAIMS:
        new = author.post(ENTRIES, {"title": "Mine", "status": "published", **fields})
        edited = author.patch(f"{ENTRIES}/{own}", {"status": "published", **fields})
        assert (new.status_code, edited.status_code) == (422, 422), fields
    assert author.post(ENTRIES, {"title": "Archives", "kind": "page", "status": "published"}).status_code == 422
    for path in UPLOADS:
        assert upload(author, path, TEXT).status_code == 422, path
    published(config)
    assert files(config) == before


def test_nothing_that_an_author_names_is_what_the_theme_makes_one_day(config: Config, author: Caller) -> None:
    own = author.post(ENTRIES, {"title": "Own"}).json["id"]
    for fields in FUTURE:
        new = author.post(ENTRIES, {"title": "Mine", "status": "published", **fields})
        edited = author.patch(f"{ENTRIES}/{own}", {"status": "published", **fields})
        assert (new.status_code, edited.status_code) == (422, 422), fields
        assert "is kept for" in new.json["detail"], new.json
    for path in FUTURE_UPLOADS:
        assert upload(author, path, TEXT).status_code == 422, path
    free = ({"address": "2027/13"}, {"address": "2027/01/notes"}, {"address": "tag/a/b"}, {"address": "page/two"})
    for fields in free:
        answer = author.post(ENTRIES, {"title": "Mine", "status": "published", **fields})
        assert answer.status_code == 201, answer.json


def test_an_author_edits_an_entry_that_an_editor_has_put_in_the_place_of_a_page(
    config: Config, author: Caller, caller: MakeCaller
) -> None:
    made = author.post(ENTRIES, {"title": "January", "status": "published"}).json
    place = f"{ENTRIES}/{made['id']}"
    assert caller(blog="editor").patch(place, {"address": "2027/01/"}).status_code == 200
    answer = author.patch(place, {"address": "2027/01/", "text": "It snows."})
    assert answer.status_code == 200, answer.json
    editorial.add_entry(config, "blog", "Frost", date="2027-01-05", status="published", later=True)
    published(config)
    assert b"It snows." in files(config)["2027/01/index.html"]


def test_a_name_leads_where_the_theme_has_nothing(config: Config, author: Caller) -> None:
    answer = author.post(ENTRIES, {"title": "January", "kind": "page", "folder": "2027", "slug": "01",
                                   "status": "published", "text": "It snows."})  # fmt: skip
    assert answer.status_code == 201, answer.json
    published(config)
    assert b"It snows." in files(config)["2027/01-2/index.html"]
    editorial.add_entry(config, "blog", "Frost", date="2027-01-05", status="published", later=True)
    published(config)
    assert b"Frost" in files(config)["2027/01/index.html"]
    assert b"It snows." in files(config)["2027/01-2/index.html"]


def test_an_editor_may_put_files_and_pages_in_the_place_of_others(author: Caller, caller: MakeCaller) -> None:
    editor = caller(blog="editor")
    for path in UPLOADS:
        assert upload(editor, path, TEXT).status_code == 201
    assert editor.post(ENTRIES, {"title": "Home", "address": "index.html"}).status_code == 201


def test_an_author_keeps_changing_addresses_that_are_free(config: Config, author: Caller) -> None:
    made = author.post(ENTRIES, {"title": "Mine", "status": "published", "address": "mine", "aliases": ["old/mine"]})
    place = f"{ENTRIES}/{made.json['id']}"
    published(config)
    for changes in ({"address": "mine", "text": "More"}, {"address": "old/mine"}, {"address": "mine/new.html"}):
        answer = author.patch(place, {**changes, "aliases": []})
        assert answer.status_code == 200, answer.json
        published(config)
    assert author.patch(place, {"address": None, "slug": "mine"}).status_code == 200
    assert author.post(ENTRIES, {"title": "Mine", "status": "published"}).status_code == 201
    assert upload(author, "files/x.txt", TEXT).status_code == 201

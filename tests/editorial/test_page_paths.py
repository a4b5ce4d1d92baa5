"""What people write who look for a page: paths, addresses as browsers show them, and beginnings of either."""

from __future__ import annotations

import pytest

from appliance import db
from appliance.config import Config
from appliance.content import sites
from appliance.delivery import journal
from appliance.delivery.journal import Delete, Put
from appliance.editorial.page_paths import candidate_paths, find_path, similar_paths

PUBLISHED = ("index.html", "2026/11/first/index.html", "2026/11/second/index.html", "über/index.html", "feed.xml")


@pytest.fixture(autouse=True)
def pages(database: Config) -> None:
    """A few pages, and one that is deleted."""
    sites.sync(database)
    with db.write():
        journal.append([Put(path, 1, "d", 1) for path in PUBLISHED], "here")
        journal.append([Put("gone/index.html", 1, "d", 1), Delete("gone/index.html", 2)], "here")


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("2026/11/first/index.html", "2026/11/first/index.html"),
        ("/2026/11/first/", "2026/11/first/index.html"),
        ("2026/11/first", "2026/11/first/index.html"),
        ("https://blog.example/2026/11/first/", "2026/11/first/index.html"),
        ("https://blog.example/2026/11/first/?from=mail#comments", "2026/11/first/index.html"),
        ("https://blog.example", "index.html"),
        ("https://blog.example/", "index.html"),
        ("/", "index.html"),
        ("https://blog.example/%C3%BCber/", "über/index.html"),
        ("https://blog.example/feed.xml", "feed.xml"),
        (" /feed.xml ", "feed.xml"),
        ("/gone/", "gone/index.html"),
        ("2026/11/third/", None),
        ("https://elsewhere.example/feed.xml", None),
        ("../../etc/passwd", None),
        ("a\x00b", None),
        ("", "index.html"),
    ],
)
def test_a_page_is_found_by_what_one_has_at_hand(written: str, path: str | None) -> None:
    assert find_path(written) == path


@pytest.mark.parametrize(
    ("written", "similar"),
    [
        ("2026/11/fir", ["2026/11/first/index.html"]),
        ("2026/11/third/", ["2026/11/first/index.html", "2026/11/second/index.html"]),
        ("https://blog.example/2026/12/", ["2026/11/first/index.html", "2026/11/second/index.html"]),
        ("gone/", []),
        ("nothing-like-it", []),
        ("", []),
    ],
)
def test_others_that_begin_alike_are_named(written: str, similar: list[str]) -> None:
    assert similar_paths(written) == similar


def test_what_could_never_be_published_is_no_candidate() -> None:
    assert candidate_paths("..") == []
    assert candidate_paths("a\\b") == []

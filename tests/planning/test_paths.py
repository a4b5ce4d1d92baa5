"""Path patterns: both spellings, what is refused, and that nothing published lies outside the docroot."""

from __future__ import annotations

import os.path
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ThemeError
from appliance.planning.paths import FIELDS, Pattern, Subject, address_path, path_fault, sibling_path, url_path

MOMENT = datetime(2026, 3, 9, 7, 5, 2)
SUBJECT = Subject(
    moment=MOMENT, id=42, slug="my_first-post", category="news_and/local-life", author="ada_q", tag="tide",
    folder="docs/how_to", page=3, named=True,
)  # fmt: skip
LISTING = Subject(moment=MOMENT, id=7, category="news_and/local-life", author="ada_q", tag="tide")


@pytest.mark.parametrize(
    ("archive", "pattern", "path"),
    [
        ("entry", "%y/%m/%-f", "2026/03/my-first-post.html"),
        ("page", "%-c/%-f", "docs/how-to/my-first-post.html"),
        ("daily", "%y/%m/%d/%f", "2026/03/09/index.html"),
        ("weekly", "%y/%m/%d-week/%i", "2026/03/09-week/index.html"),
        ("monthly", "%y/%m/%i", "2026/03/index.html"),
        ("yearly", "%y/%i", "2026/index.html"),
        ("category", "%-c/%i", "news-and/local-life/index.html"),
        ("author", "author/%-a/%f", "author/ada-q/index.html"),
        ("category-daily", "%-c/%y/%m/%d/%f", "news-and/local-life/2026/03/09/index.html"),
        ("category-weekly", "%-c/%y/%m/%d-week/%i", "news-and/local-life/2026/03/09-week/index.html"),
        ("category-monthly", "%-c/%y/%m/%i", "news-and/local-life/2026/03/index.html"),
        ("category-yearly", "%-c/%y/%i", "news-and/local-life/2026/index.html"),
        ("author-daily", "author/%-a/%y/%m/%d/%f", "author/ada-q/2026/03/09/index.html"),
        ("author-weekly", "author/%-a/%y/%m/%d-week/%f", "author/ada-q/2026/03/09-week/index.html"),
        ("author-monthly", "author/%-a/%y/%m/%f", "author/ada-q/2026/03/index.html"),
        ("author-yearly", "author/%-a/%y/%f", "author/ada-q/2026/index.html"),
    ],
)
def test_the_default_paths_of_movable_type(archive: str, pattern: str, path: str) -> None:
    subject = SUBJECT if archive in ("entry", "page") else LISTING
    made = Pattern(pattern, archive, "here").path(subject)
    assert made == path
    assert path_fault(made) is None


@pytest.mark.parametrize(
    ("letters", "path"),
    [
        ("%a/%_a/%-a", "ada_q/ada_q/ada-q"),
        ("%b|%-b|%_b", "my_first-post|my-first-post|my_first_post"),
        ("%c", "news_and/local-life"),
        ("%d %D %j", "09 mon 068"),
        ("%e %E", "000042 42"),
        ("%f %F", "my_first-post.html my_first-post"),
        ("%h %H %n %s", "07 7 05 02"),
        ("%i %I", "index.html index"),
        ("%b%x", "my_first-post.html"),
        ("%m %M", "03 mar"),
        ("%y %Y", "2026 26"),
    ],
)
def test_every_specifier(letters: str, path: str) -> None:
    assert Pattern(letters, "entry", "here").path(SUBJECT) == path


@pytest.mark.parametrize(
    ("archive", "pattern", "path"),
    [
        ("entry", "{year}/{month}/{day}/{slug}/", "2026/03/09/my_first-post/index.html"),
        ("entry", "{category}/{author}-{id}.html", "news_and/local-life/ada_q-42.html"),
        ("entry", "{hour}{minute}{second}/index.html", "070502/index.html"),
        ("page", "{folder}/{slug}/index.html", "docs/how_to/my_first-post/index.html"),
        ("tag", "tag/{tag}.html", "tag/tide.html"),
        ("index", "feed.xml", "feed.xml"),
    ],
)
def test_readable_patterns(archive: str, pattern: str, path: str) -> None:
    assert Pattern(pattern, archive, "here").path(SUBJECT) == path


@pytest.mark.parametrize("pattern", ["{folder}/{category}/{slug}.html", "x/{folder}/{category}/{author}/{slug}.html"])
def test_what_is_empty_leaves_no_empty_segment(pattern: str) -> None:
    made = Pattern(pattern, "page", "here").path(Subject(slug="about", named=True))
    assert made.removeprefix("x/") == "about.html"
    assert path_fault(made) is None


def test_years_have_four_digits() -> None:
    assert Pattern("{year}/{slug}.html", "entry", "here").path(Subject(datetime(987, 1, 1), slug="a")) == "0987/a.html"


@pytest.mark.parametrize(
    ("archive", "pattern", "says"),
    [
        ("entry", "", "is empty"),
        ("entry", "/", "is empty"),
        ("entry", "/{slug}.html", "absolute"),
        ("entry", "../{slug}.html", "would leave the docroot"),
        ("entry", "{year}/../../{slug}.html", "would leave the docroot"),
        ("entry", "./{slug}.html", "would leave the docroot"),
        ("entry", "{slag}.html", "names “{slag}”, which is not known here"),
        ("entry", "{tag}.html", "names “{tag}”"),
        ("entry", "100%.html", "names “%”"),
        ("entry", "{slug.html", "names “{”"),
        ("entry", "%z.html", "names “%z”"),
        ("yearly", "{year}/{month}.html", "use {year}"),
        ("yearly", "%y/%m.html", "names “%m”"),
        ("index", "{year}.html", "use no fields"),
    ],
)
def test_what_is_refused(archive: str, pattern: str, says: str) -> None:
    with pytest.raises(ThemeError) as caught:
        Pattern(pattern, archive, "theme.toml: archive.0.path")
    assert says in str(caught.value)
    assert str(caught.value).startswith("theme.toml: archive.0.path: ")


def test_further_pages_need_their_number() -> None:
    with pytest.raises(ThemeError, match=r"lacks \{page\}"):
        Pattern("more/index.html", "category", "here", pages=True)
    with pytest.raises(ThemeError, match=r"names “\{page\}”"):
        Pattern("{page}.html", "category", "here")
    assert Pattern("p/{page}.html", "category", "here", pages=True).path(SUBJECT) == "p/3.html"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "empty"), ("a//b", "empty"), ("/etc/passwd", "empty"), ("a/", "empty"),
        ("../a", "leave"), ("a/../../b", "leave"), ("a/./b", "leave"),
        (".git/config", "begins with a dot"), ("a/.htaccess", "begins with a dot"),
        ("a\\b", "backslash"), ("a\nb", "control character"), ("a\0b", "control character"),
        ("é" * 128, "longer than 255 bytes"), ("a/" * 1500 + "b", "longer than"), ("\ud800", "not text"),
    ],
)  # fmt: skip
def test_paths_that_cannot_be_published(path: str, says: str) -> None:
    assert says in (path_fault(path) or "")


@pytest.mark.parametrize("path", ["a", "a/b.html", "é" * 127, ".well-known/x", "a b/c", "…/x", "a.b/..c"])
def test_paths_that_can(path: str) -> None:
    assert (path_fault(path) is None) is not path.endswith("..c")


_PIECE = st.sampled_from(["..", ".", "/", "%2e%2e", "a", "\\", "\0", "é", "~", "index.html", "-", "_"])
_FIELD = st.sampled_from([*(f"{{{name}}}" for name in sorted(FIELDS["entry"])), "%-c", "%f"])
_TEXT = st.lists(_PIECE | st.text(max_size=3), max_size=5).map("".join)


@given(
    pieces=st.lists(_PIECE | _FIELD, max_size=8),
    slug=_TEXT, category=_TEXT, author=_TEXT, folder=_TEXT, named=st.booleans(),
)  # fmt: skip
def test_nothing_published_lies_outside_the_docroot(
    pieces: list[str], slug: str, category: str, author: str, folder: str, named: bool
) -> None:
    try:
        pattern = Pattern("".join(pieces), "entry", "here")
    except ThemeError:
        return
    subject = Subject(MOMENT, 1, slug, category, author, "", folder, 1, named)
    stays_inside(pattern.path(subject))


@given(address=_TEXT, suffix=_TEXT)
def test_no_address_or_further_page_lies_outside_the_docroot(address: str, suffix: str) -> None:
    stays_inside(address_path(address))
    stays_inside(sibling_path(address_path(address), suffix))


def stays_inside(path: str) -> None:
    if path_fault(path) is not None:
        return
    whole = os.path.normpath(os.path.join("/srv/www", path))  # noqa: PTH118 - what the system will make of it
    assert whole == "/srv/www/" + path
    assert "\0" not in path


def test_links_go_by_the_folder_of_an_index_file() -> None:
    assert [url_path(p) for p in ("index.html", "a/index.html", "a/b.html", "aindex.html")] == [
        "", "a/", "a/b.html", "aindex.html",
    ]  # fmt: skip


def test_addresses_are_files_or_folders() -> None:
    made = {"about": "about/index.html", "/a/b/": "a/b/index.html", "old/page.html": "old/page.html", "": "index.html",
            "1.88.0": "1.88.0/index.html", "Rust-1.0": "Rust-1.0/index.html", "feed.XML": "feed.XML"}  # fmt: skip
    assert {address: address_path(address) for address in made} == made

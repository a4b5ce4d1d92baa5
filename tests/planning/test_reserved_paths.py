"""What a theme may make one day, told from its patterns before there is any content."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ThemeError
from appliance.planning import reserved_paths
from appliance.planning.archives import split_type
from appliance.planning.paths import FIELDS, Pattern, Subject, path_fault, sibling_path
from appliance.planning.theme import Theme
from tests.local_site import LISTING, archive, index, write_theme

LISTINGS = sorted(set(FIELDS) - {"entry", "page", "index"})
_WORD = st.text("abcä01._-", min_size=1, max_size=6)
_LITERAL = st.sampled_from(["/", "/", "-", "archive", "a.b", "(x)", "index.html", "+", "\u00fc"])
#: Movable Type's letters for what every listing has, and for dates.
_LETTERS = {"daily": "%y %m %d %j %D %M %Y", "weekly": "%y %m %d", "monthly": "%y %m %M %Y", "yearly": "%y %Y"}


@st.composite
def patterns(draw: st.DrawFn) -> tuple[str, str]:
    """An archive type, and a pattern for it."""
    kind = draw(st.sampled_from(LISTINGS))
    fields = [f"{{{name}}}" for name in sorted(FIELDS[kind])]
    letters = ["%f", "%F", "%i", "%I", "%x", *_LETTERS.get(split_type(kind)[1], "").split()]
    letters += [letter for letter in ("%c", "%-c", "%_a", "%a") if _is_allowed(letter, kind)]
    pieces = draw(st.lists(_LITERAL | st.sampled_from(fields) | st.sampled_from(letters), min_size=1, max_size=7))
    return kind, "".join(pieces)


def _is_allowed(letter: str, kind: str) -> bool:
    return {"c": "category", "a": "author"}[letter[-1]] in FIELDS[kind]


SUBJECTS = st.builds(
    Subject,
    moment=st.integers(0, 40_000).map(lambda days: date(1970, 1, 1) + timedelta(days)),
    id=st.integers(1, 10**7), slug=_WORD, author=_WORD, tag=_WORD,
    category=st.lists(_WORD, min_size=1, max_size=3).map("/".join),
)  # fmt: skip


@given(
    patterns(), SUBJECTS, st.sampled_from(["page/{page}/index.html", "{page}.html", "p{page}/"]), st.integers(2, 999)
)
def test_whatever_a_pattern_makes_is_reserved(
    made: tuple[str, str], subject: Subject, further: str, number: int
) -> None:
    kind, text = made
    try:
        first = Pattern(text, kind, "here")
    except ThemeError:
        return
    path = first.path(subject)
    assert re.fullmatch(first.expression, path), (text, first.expression, path)
    pages = Pattern(further, kind, "here", pages=True)
    second = sibling_path(path, pages.path(Subject(page=number)))
    expression = first.folder_expression + pages.expression
    assert re.fullmatch(expression, second) or path_fault(second), (text, expression, second)


@pytest.fixture(scope="module")
def default() -> list[reserved_paths.ReservedPath]:
    return list(reserved_paths.reserved_paths(Theme.load("default", Path())))


@pytest.mark.parametrize(
    ("path", "what"),
    [("index.html", "a page of the theme"), ("page/2/index.html", "a further page of a page of the theme"),
     ("2027/index.html", "a yearly archive"), ("2027/01/index.html", "a monthly archive"),
     ("2027/01/page/9/index.html", "a further page of a monthly archive"), ("tag/a/index.html", "a tag archive"),
     ("category/a/b/index.html", "a category archive"), ("theme/site.css", "a file of the theme"), ("theme", "a file"),
     ("category/a/b/page/3/index.html", "category archive"), ("sitemap-entry-12.xml", "a part of the sitemap"),
     ("2027/01/index.html/x/y.html", "a monthly archive"), ("a/cat-480w.jpg", "a smaller copy of a picture"),
     ("cat-960w.PNG", "a smaller copy of a picture")],
)  # fmt: skip
def test_what_the_default_theme_may_make(default: list[reserved_paths.ReservedPath], path: str, what: str) -> None:
    found = reserved_paths.find_reserved(default, path)
    assert found is not None
    assert what in found.what


@pytest.mark.parametrize("path", ["about/index.html", "2027/01/hello/index.html", "2027/13/index.html", "a.html",
                                  "27/index.html", "tag/a/b.html", "themes/x.css", "cat-481w.jpg", "cat-480w.pdf",
                                  "page/two/index.html", "2027/01.html"])  # fmt: skip
def test_what_it_never_makes(default: list[reserved_paths.ReservedPath], path: str) -> None:
    assert reserved_paths.find_reserved(default, path) is None


def test_a_pattern_that_fits_every_path_binds_no_names(tmp_path: Path) -> None:
    folders = archive("category", "{category}/index.html") + index("index.html") + archive("yearly", "%y/")
    theme = Theme.load(str(write_theme(tmp_path / "theme", folders, {"listing.html": LISTING})), tmp_path)
    assert reserved_paths.find_reserved(list(reserved_paths.reserved_paths(theme)), "my/post/index.html")
    assert not reserved_paths.is_certain(theme, "my/post/index.html")
    assert reserved_paths.is_certain(theme, "2027/index.html")


def test_nothing_is_certain_without_outputs(tmp_path: Path) -> None:
    more: dict[str, Any] = {"listing.html": LISTING}
    theme = Theme.load(str(write_theme(tmp_path / "bare", "[thumbnails]\nwidths = []\n", more)), tmp_path)
    assert not reserved_paths.is_certain(theme, "")
    assert not reserved_paths.is_certain(theme, "index.html")

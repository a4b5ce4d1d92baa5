"""What readers say asks for the pages that may show it, and for no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import db
from appliance.content import comments
from appliance.planning.showing import speaking
from appliance.planning.theme import Theme
from tests.workshop import ENTRY, Workshop, archive, index, workshop, write_theme

COUNTS = "{% for e in listing.entries %}{{ e.title }} {{ e.comment_count }};{% endfor %}\n"
TITLES = "{% for e in listing.entries %}{{ e.title }};{% endfor %}\n"
MANIFEST = "".join(
    [
        index("index.html", "counts.html", "paginate = 2"),
        index("titles.html", "titles.html"),
        archive("entry", "{slug}/index.html", "entry.html"),
        archive("monthly", "{year}/{month}/index.html", "titles.html"),
        archive("yearly", "{year}/index.html", "counts.html"),
    ]
)
FILES = {
    "entry.html": ENTRY + "{% for c in entry.comments %}{{ c.html }}{% endfor %}",
    "counts.html": COUNTS,
    "titles.html": TITLES,
}


def asked(shop: Workshop) -> set[str]:
    shop.publish()
    return {row[0] for row in db.execute("SELECT key FROM job WHERE state = 'pending'").fetchall()}


@pytest.mark.conformance("B10")
def test_a_comment_asks_for_its_page_and_those_that_show_its_count(tmp_path: Path) -> None:
    with workshop(tmp_path, MANIFEST, FILES) as shop:
        posts = [shop.save(f"Post {n}", f"2026-0{n}-01", slug=f"post-{n}") for n in range(1, 7)]
        shop.run()
        before = shop.tree()
        comments.add(posts[1], "Ada", "Hello")  # the fifth of six: on the third page of two
        assert asked(shop) == {"post-2/index.html", "page/3/index.html", "2026/index.html"}
        shop.drain()
        differing = {path for path, text in shop.tree().items() if before[path] != text}
        assert differing == {"post-2/index.html", "page/3/index.html", "2026/index.html"}


def test_where_a_template_is_named_by_an_expression_anything_may_be_shown(tmp_path: Path) -> None:
    for include in (
        "{% include 'entry' ~ '.html' %}",
        "{% include 'counts.html' if page_url else y %}",
        "{%include x%}",
    ):
        folder = write_theme(tmp_path / "theme", MANIFEST, {**FILES, "titles.html": include})
        told = speaking(Theme.load(str(folder), tmp_path))
        assert "titles.html" in told.of_any


def test_what_is_included_counts(tmp_path: Path) -> None:
    files = {**FILES, "titles.html": '{% include "part.html" %}', "part.html": "{{ site.recent(1)[0].comment_count }}"}
    folder = write_theme(tmp_path / "theme", MANIFEST, files)
    told = speaking(Theme.load(str(folder), tmp_path))
    assert told.of_any == {"titles.html"}
    assert told.of_listed == {"titles.html", "counts.html", "entry.html"}

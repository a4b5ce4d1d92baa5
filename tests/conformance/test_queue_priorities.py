"""What goes first on the queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import db
from appliance.queue import store
from tests.local_site import EVERY_ARCHIVE, LocalSite, archive, index, local_site


def priorities(shop: LocalSite) -> dict[str, int]:
    rows = db.execute("SELECT key, priority FROM job WHERE state = 'pending'").fetchall()
    return {path.removesuffix("/index.html"): priority for path, priority in rows}


@pytest.mark.conformance("B4")
def test_priorities_of_every_kind_of_file(tmp_path: Path) -> None:
    pages = {k: p for k, p in EVERY_ARCHIVE.items() if k in ("entry", "page")}
    manifest = (
        index("index.html") + index("default.htm") + index("Index.php") + index("sub/index.xml")
        + index("news.xml", more="feed = true") + index("robots.txt") + index("my-index.html")
        + "".join(archive(kind, path) for kind, path in EVERY_ARCHIVE.items())
        + "".join(archive(kind, f"print/{path}") for kind, path in pages.items())
    )  # fmt: skip
    with local_site(tmp_path, manifest) as shop:
        shop.save("Post", "2026-11-02", categories=[["News"]], authors=["Ada"], tags=["tide"])
        shop.save("About", "2026-11-02", kind="page")
        shop.publish()
        assert priorities(shop) == {
            "2026/11/post": 10, "about": 10,
            "index.html": 9, "default.htm": 9, "Index.php": 9, "sub/index.xml": 9, "news.xml": 9,
            "robots.txt": 8, "my-index.html": 8,
            "print/2026/11/post": 5, "print/about": 5,
            "daily/2026/11/02": 4, "weekly/2026/11/02": 3, "monthly/2026/11": 2,
            "yearly/2026": 1, "category/news": 1, "author/ada": 1, "tag/tide": 1,
            **{f"{t}-{p}/{n}/on/{d}": 1 for t, n in (("category", "news"), ("author", "ada"))
               for p, d in (("daily", "2026/11/02"), ("weekly", "2026/11/02"), ("monthly", "2026/11"),
                            ("yearly", "2026"))},
        }  # fmt: skip
        claims = store.claim("w", ["publish"], 100, 30.0)
        assert [c.priority for c in claims] == sorted((c.priority for c in claims), reverse=True)


@pytest.mark.conformance("B4")
def test_the_preferred_map_is_the_one_that_says_so(tmp_path: Path) -> None:
    manifest = archive("entry", "a/{slug}.html") + archive("entry", "b/{slug}.html", more="preferred = true")
    with local_site(tmp_path, manifest) as shop:
        shop.save("Post")
        shop.publish()
        assert priorities(shop) == {"a/post.html": 5, "b/post.html": 10}


@pytest.mark.conformance("B4")
def test_a_theme_may_say_otherwise(tmp_path: Path) -> None:
    manifest = index("robots.txt", more="priority = 0") + archive("entry", "{slug}.html", more="priority = 7")
    with local_site(tmp_path, manifest) as shop:
        shop.save("Post")
        shop.publish()
        assert priorities(shop) == {"robots.txt": 0, "post.html": 7}

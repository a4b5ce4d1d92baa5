"""The comment form and the search box of the default theme come, change and go with the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from appliance.content import comments
from tests.local_site import LocalSite, local_site

MAIL = {"host": "localhost", "sender": "site@example.org"}
FORM = '<form class="comment-form" method="post" action="/-/blog/comments"'
BOX = '<form class="search" role="search" action="/-/blog/search">'


def site(folder: Path, rules: dict[str, Any] | None = None, **settings: Any) -> Any:
    return local_site(folder, sites=[{"theme": "default", "comments": rules or {}}], **settings)


def written(shop: LocalSite) -> set[str]:
    """Publish and drain; the paths whose bytes changed."""
    before = shop.tree()
    shop.run()
    after = shop.tree()
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


def test_the_form_follows_the_settings(tmp_path: Path) -> None:
    with site(tmp_path) as shop:
        entry = shop.save("Open", text="Text.")
        comments.add(entry, "Ada", "First.")
        shop.save("Closed", allow_comments=False, text="Text.")
        shop.run()
        bare = shop.tree()
        assert not any(b"<form" in content for path, content in bare.items() if path.endswith(".html"))
    with site(tmp_path, web={"path": "/-/"}) as shop:
        pages = {path for path in bare if path.endswith(".html") and not path.startswith("theme/")}
        assert written(shop) == pages | {"robots.txt"}
        assert {path for path in pages if BOX in shop.text(path)} == pages
        assert {path for path in pages if FORM in shop.text(path)} == {"2026/11/open/index.html"}
        assert "notify" not in shop.text("2026/11/open/index.html"), "there is no server for mail"
        first = shop.tree()
        shop.run(everything=True, force=True)
        assert shop.tree() == first
    for rules in ({"moderation": "all"}, {"moderation": "all", "delete_minutes": 5}):
        with site(tmp_path, rules, web={"path": "/-/"}) as shop:
            assert written(shop) == {"2026/11/open/index.html"}
    with site(tmp_path, rules, web={"path": "/-/"}, mail=MAIL) as shop:
        assert written(shop) == {"2026/11/open/index.html"}
        assert 'name="notify"' in shop.text("2026/11/open/index.html")
    with site(tmp_path, rules, mail=MAIL) as shop:
        shop.run()
        assert shop.tree() == bare

"""What is kept from batch to batch: no change is missed, and what was read is known as if nothing were kept."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from appliance import db
from appliance.building import fragments, kept_posts
from appliance.building.builder import Builder
from appliance.content import comments, entry_edits, term_edits
from appliance.content.models import Author, Category, Entry
from appliance.queue import store
from appliance.queue.worker import Worker
from tests.building.conftest import OpenSite
from tests.local_site import LocalSite, archive, index, local_site

THEME = (
    index("index.html", more="paginate = 3")
    + index("news.html", "news.html")
    + archive("entry", "{slug}.html")
    + "".join(
        archive(kind, f"{kind}/{{{kind}}}/index.html", more="paginate = 2") for kind in ("category", "tag", "author")
    )
)
FILES = {
    "listing.html": """\
{% from 'macros.html' import byline, counted %}
{% set short = listing.type == 'tag' %}
{% for entry in listing.entries %}{% include 'card.html' %}{{ byline(entry) }}{{ byline(entry, comments=true) }}
{{ counted(entry, loop.index) }}{% include 'place.html' %}
{% for shared in [1, '1', true] %}{{ counted(entry, shared) }}{% endfor %}
{% endfor %}""",
    "card.html": "{{ entry.title }} {% include 'terms.html' %}{% if not short %}{{ entry.excerpt }}{% endif %}",
    "terms.html": "{% for t in entry.categories + entry.tags %}{{ t.name }} {{ t.url }} {% endfor %}{{ site.title }}",
    "place.html": "{{ loop.index }} of {{ loop.length }} {{ page_url }} {{ entry.slug }}",
    "macros.html": """\
{% macro byline(e, comments=false) %}{{ names(e.authors) }} {{ e.url }}{% if comments %} {{ e.comment_count }}
{% endif %}{% endmacro %}
{% macro names(people) %}{% for p in people %}{{ p.name }} {% endfor %}{% endmacro %}
{% macro counted(e, number) %}{{ number }} {{ e.summary }}{{ static('a.css') }}{% endmacro %}""",
    "news.html": "{% set short = false %}{% for entry in site.recent(3) %}{% include 'card.html' %}{% endfor %}",
    "static/a.css": "a",
}


def _fill(shop: LocalSite, number: int = 8) -> None:
    chance = random.Random(0)
    for one in range(number):
        shop.save(
            f"Post {one}",
            f"2026-01-{one + 1:02}",
            text=f"Text {one} with *words*",
            categories=[[name] for name in chance.sample(["News", "Art", "Local"], 2)],
            tags=chance.sample(["a", "b", "c"], 2),
            authors=chance.sample(["Ada", "Bo"], 1),
        )


def _what_was_read() -> list[list[tuple[Any, ...]]]:
    """Everything recorded of what artifacts read, without the numbers of their rows."""
    queries = (
        "SELECT a.path, r.kind, r.subject, r.aspects FROM reading r JOIN artifact a ON a.id = r.artifact_id"
        " ORDER BY 1, 2, 3",
        "SELECT a.path, k.key FROM artifact a JOIN recipe_key k ON k.recipe_id = a.recipe ORDER BY 1, 2",
        "SELECT path, shown, reads FROM artifact ORDER BY 1",
        "SELECT key, digest FROM answer ORDER BY 1",
    )
    return [[tuple(row) for row in db.execute(query).fetchall()] for query in queries]


def test_a_fragment_carries_what_it_read_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for name in ("kept", "plain"):
        if name == "plain":
            monkeypatch.setattr(fragments, "place_of", lambda *_values: None)
        with local_site(tmp_path / name, THEME, FILES) as shop:
            _fill(shop)
            shop.run()
            found.append((shop.tree(), _what_was_read()))
    assert found[0][0] == found[1][0]
    assert found[0][1] == found[1][1]


def test_a_card_is_rendered_once_for_all_listings(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, int] = {}
    make = fragments.kept_or_made

    def counted(place: fragments.Place, render: Any) -> str:
        def noted() -> str:
            name = getattr(place[1][0], "name", "")
            made[name] = made.get(name, 0) + 1
            return str(render())

        return make(place, noted)

    monkeypatch.setattr(fragments, "kept_or_made", counted)
    shop = open_site(THEME, FILES)
    _fill(shop)
    shop.run()
    assert made["card.html"] == 2 * 8, "once for each entry, in long and in short"
    assert "place.html" not in made, "a loop is different on each page"


def test_posts_stay_within_their_room(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = open_site(THEME, FILES)
    _fill(shop)
    shop.run()
    whole = shop.tree()
    monkeypatch.setattr(kept_posts, "ROOM", 4 * kept_posts._OBJECT)
    monkeypatch.setattr("appliance.building.builder.ROOM", 4 * kept_posts._OBJECT)
    shop.save("Post 8")
    shop.run(everything=True)
    kept = _builder(shop)._renderers[shop.site.id].kept_posts
    assert 0 < len(kept) <= 4
    assert set(shop.tree()) > set(whole)


def _builder(shop: LocalSite) -> Builder:
    assert shop.kind is not None
    builder: Builder = shop.kind.perform.__self__._builder  # type: ignore[attr-defined]
    return builder


def _change(shop: LocalSite, chance: random.Random, number: int) -> None:
    entry = chance.choice(list(Entry.select().order_by(Entry.id)))
    what = chance.choice(["title", "tags", "draft", "date", "comment", "category", "author", "add", "theme"])
    if what == "title":
        entry_edits.edit(entry, title=f"Edited {number}")
    elif what == "tags":
        entry_edits.edit(entry, tags=chance.sample(["a", "b", "c", "d"], 2))
    elif what == "draft":
        entry_edits.edit(entry, status=chance.choice(["draft", "published"]))
    elif what == "date":
        entry_edits.edit(entry, published_at=entry.published_at + 86400 * chance.randint(-3, 3))
    elif what == "comment":
        comments.add(entry, "Reader", f"Comment {number}")
    elif what == "category":
        term_edits.rename(Category.select().order_by(Category.id).first(), f"Name {number}")
    elif what == "author":
        term_edits.rename(Author.select().order_by(Author.id).first(), f"Author {number}")
    elif what == "add":
        shop.save(f"New {number}", f"2026-01-{chance.randint(1, 9):02}", tags=["a"], authors=["Ada"])
    else:
        (shop.folder / "theme" / "card.html").write_text(FILES["card.html"] + f" {number}", "utf-8")


@pytest.mark.parametrize("seed", range(8))
def test_no_change_between_or_during_batches_is_missed(
    seed: int, open_site: OpenSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes, planned or not yet, while posts are kept, and while a batch that has been loaded is built."""
    chance = random.Random(seed)
    shop = open_site(THEME, FILES)
    _fill(shop)
    left = 12
    load = Builder.load

    def change() -> None:
        nonlocal left
        if left and chance.random() < 0.5:
            left -= 1
            _change(shop, chance, left)
            if chance.random() < 0.6:
                shop.publish()

    def loaded(builder: Builder, artifacts: Any) -> Any:
        found = load(builder, artifacts)
        late.append(True)
        return found

    late: list[bool] = []
    monkeypatch.setattr(Builder, "load", loaded)
    shop.publish(everything=True)
    shop.drain()
    assert shop.kind is not None
    settings = shop.config.queue
    for _ in range(4):
        shop.publish(everything=True)
        worker = Worker("w", [shop.kind], settings, wake=None, should_stop=lambda: _between(late, change))  # type: ignore[arg-type]
        while claims := store.claim(worker.name, list(worker.kinds), 3, settings.lease):
            worker.run_batch(claims)
            change()
    shop.run()
    whole = shop.tree()
    shutil.rmtree(shop.docroot)
    _builder(shop).close()
    shop.kind = None
    shop.run(everything=True)
    assert shop.tree() == whole


def _between(late: list[bool], change: Any) -> bool:
    """Change something before a job of a batch that has been loaded."""
    if late:
        late.clear()
        change()
    return False

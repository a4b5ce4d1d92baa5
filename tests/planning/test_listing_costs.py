"""What one entry more, one fewer or one moved writes: the same number of files, however many entries there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import db
from appliance.content import entries
from appliance.content.models import Entry
from tests.local_site import LocalSite, archive, index, local_site, moment

MANIFEST = "[redirect]\n" + "".join(
    [
        index("index.html", "list.html", "paginate = 10"),
        archive("entry", "{slug}.html", "entry.html"),
        index("feed.xml", "list.html", "entries = 10"),
        *(
            archive(kind, path, "list.html", "paginate = 10")
            for kind, path in {
                "category": "category/{category}/index.html",
                "tag": "tag/{tag}/index.html",
                "author": "author/{author}/index.html",
                "yearly": "{year}/index.html",
                "monthly": "{year}/{month}/index.html",
                "author-yearly": "by/{author}/{year}/index.html",
            }.items()
        ),
    ]
)
#: As the default theme has it: how many there are is shown on the listing's own address.
FILES = {
    "list.html": """\
{% if listing.page == 1 %}{{ listing.total }} {{ listing.pages }}{% endif %}
{{ listing.period.start if listing.period }} {{ listing.previous_url }} {{ listing.next_url }}
{% for e in listing.entries %}{{ e.title }};{% endfor %}
"""
}
SMALL, LARGE = 300, 3000


def fill(shop: LocalSite, count: int) -> None:
    """Entries evenly over ten years, in categories with ancestors, with tags and authors."""
    first, last = moment("2015-01-01"), moment("2025-01-01")
    with db.write():
        for n in range(count):
            at = first + (last - first) * n // count
            shop.save(
                f"Entry {n}",
                slug=f"entry-{n}",
                published_at=at,
                categories=[["News", "Local"] if n % 3 else ["News", "World"], ["Archive"]],
                tags=["all", "odd" if n % 2 else "even"],
                authors=["Ada" if n % 2 else "Bo"],
            )
    shop.run()


def written(shop: LocalSite) -> list[str]:
    """Publish; the paths of the files that were written or deleted."""
    before = len(shop.journal())
    shop.run()
    return sorted(path for path, _, _ in shop.journal()[before:])


def costs(shop: LocalSite, count: int) -> dict[str, int]:
    """How many files each kind of change writes. In the middle, so that no page is full or empty."""
    fill(shop, count)
    found = {}
    new = shop.save("New", "2025-01-02", categories=[["News", "Local"]], tags=["all", "odd"], authors=["Ada"])
    found["one new entry"] = len(written(shop))
    shop.save("New", "2025-01-03", entry=new, categories=[["News", "Local"]], tags=["all", "odd"], authors=["Ada"])
    found["the newest a day later"] = len(written(shop))
    old = Entry.get(Entry.slug == f"entry-{count // 4 + 1}")
    other = Entry.get(Entry.slug == f"entry-{count // 2 + 1}")
    named = {"categories": [["News", "Local"]], "tags": ["all", "odd"], "authors": ["Ada"], "slug": old.slug}
    shop.save(old.title, entry=old, published_at=other.published_at + 1, **named)
    found["an old one elsewhere"] = len(written(shop))
    entries.delete(Entry.get(Entry.slug == f"entry-{count // 3 + 1}"))
    found["an old one removed"] = len(written(shop))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("costs")


def test_the_files_that_a_change_writes_do_not_grow_with_the_site(folder: Path) -> None:
    found = {}
    for count in (SMALL, LARGE):
        with local_site(folder / str(count), MANIFEST, FILES) as shop:
            found[count] = costs(shop, count)
    print(found)
    for change, files in found[SMALL].items():
        assert found[LARGE][change] <= files + 6, (change, found)
        assert files < 40, (change, found)

"""Pages of listings, counted from the oldest entries: where they begin, and that a full look at them finds no fault."""

from __future__ import annotations

import pytest

from appliance import db
from appliance.content import entries
from appliance.content.models import Entry
from appliance.planning import listing_pages
from appliance.planning.steps import Steps
from tests.local_site import LocalSite, archive, index
from tests.planning.conftest import OpenSite

MANIFEST = (
    "[redirect]\n"
    + index("index.html", more="paginate = 2")
    + index("again.html", more='paginate = 3\npage_path = "more/{page}.html"')
    + archive("entry", "{slug}.html", "entry.html")
    + archive("category", "c/{category}/index.html", more="paginate = 2")
    + archive("yearly", "{year}/index.html", more="paginate = 2")
)


def boundaries() -> list[tuple[object, ...]]:
    return list(db.execute("SELECT * FROM listing_page ORDER BY 1, 2, 3, 4, 5, 6").fetchall())


def shown(shop: LocalSite, first: str = "index.html", folder: str = "") -> dict[str, str]:
    """What each page of a listing lists, by path."""
    own = {first: shop.text(first).strip()}
    further = {path: shop.text(path).strip() for path in shop.paths() if path.startswith(f"{folder}page/")}
    return own | {path: text for path, text in further.items() if not text.startswith("->")}


@pytest.fixture
def shop(open_site: OpenSite) -> LocalSite:
    """Six entries, of the first to the sixth of January: three pages of two."""
    made = open_site(MANIFEST)
    for number in range(1, 7):
        made.save(f"e{number}", f"2026-01-0{number}", categories=[["News", "Local"]] if number % 2 else [["News"]])
    made.run()
    return made


@pytest.fixture(autouse=True)
def consistent(shop: LocalSite) -> object:
    """After every test a full look at all listings changes no boundary."""
    yield
    shop.run()
    before = boundaries()
    with db.write():
        listing_pages.update_all(shop.site, shop.theme, Steps())
    assert boundaries() == before


def entry(slug: str) -> Entry:
    return Entry.get(Entry.slug == slug)


def test_the_oldest_entries_are_on_the_first_further_page(shop: LocalSite) -> None:
    assert shown(shop) == {"index.html": "e6;e5;", "page/3/index.html": "e4;e3;", "page/2/index.html": "e2;e1;"}


def test_a_page_without_entries_is_dropped_and_its_address_leads_to_the_listing(shop: LocalSite) -> None:
    entries.delete(entry("e3"))
    entries.delete(entry("e4"))
    shop.run()
    assert shown(shop) == {"index.html": "e6;e5;", "page/2/index.html": "e2;e1;"}
    assert shop.text("page/3/index.html").strip() == "-> /"
    for number in (7, 8):  # the number is given again
        shop.save(f"e{number}", f"2026-01-0{number}")
        shop.run()
    assert shown(shop) == {"index.html": "e8;e7;", "page/3/index.html": "e6;e5;", "page/2/index.html": "e2;e1;"}


def test_a_page_that_grew_is_divided_and_no_other_changes(shop: LocalSite) -> None:
    for number in range(2):
        shop.save(f"late{number}", f"2026-01-01T1{number}:00")
        shop.run()
    assert shown(shop) == {
        "index.html": "e6;e5;", "page/3/index.html": "e4;e3;", "page/2/index.html": "late0;e1;",
        "page/4/index.html": "e2;late1;",
    }  # fmt: skip


def test_the_own_address_takes_in_what_it_lacks(shop: LocalSite) -> None:
    entries.delete(entry("e6"))
    shop.run()
    assert shown(shop) == {"index.html": "e5;e4;e3;", "page/2/index.html": "e2;e1;"}
    for slug in ("e5", "e4", "e3", "e2"):
        entries.delete(entry(slug))
    shop.run()
    assert shown(shop) == {"index.html": "e1;"}
    assert not [row for row in boundaries() if row[1] == "index"]


def test_many_old_entries_at_once_are_divided_in_order(shop: LocalSite) -> None:
    for number in range(4):
        shop.save(f"old{number}", f"2025-05-0{number + 1}")
    shop.run()
    found = shown(shop)
    assert found["page/2/index.html"] == "old1;old0;"
    assert [found[f"page/{number}/index.html"] for number in (4, 5)] == ["old3;old2;", "e2;e1;"]
    assert shown(shop, "2025/index.html", "2025/") == {
        "2025/index.html": "old3;old2;",
        "2025/page/2/index.html": "old1;old0;",
    }


def test_entries_of_one_moment_are_told_apart(shop: LocalSite) -> None:
    for number in range(5):
        shop.save(f"same{number}", "2026-01-07")
        shop.run()
    listed = "".join(
        shown(shop)[f"{path}index.html"]
        for path in ("", "page/5/", "page/4/", "page/3/", "page/2/")
        if f"{path}index.html" in shown(shop)
    )
    assert listed == "same4;same3;same2;same1;same0;e6;e5;e4;e3;e2;e1;"


def test_another_number_of_entries_a_page_makes_pages_anew(shop: LocalSite) -> None:
    manifest = shop.folder / "theme" / "theme.toml"
    manifest.write_text(manifest.read_text().replace("paginate = 2", "paginate = 1"), "utf-8")
    shop.run()
    assert list(shown(shop)) == ["index.html", *(f"page/{n}/index.html" for n in range(2, 7))]
    assert {row[4] for row in boundaries()} == {1, 3}


def test_pages_counted_from_the_newest_are_as_before(shop: LocalSite) -> None:
    manifest = shop.folder / "theme" / "theme.toml"
    counted = manifest.read_text().replace("paginate = 2", 'paginate = 2\ncount_pages_from = "newest"')
    manifest.write_text(counted, "utf-8")
    shop.run()
    assert shown(shop) == {"index.html": "e6;e5;", "page/2/index.html": "e4;e3;", "page/3/index.html": "e2;e1;"}
    shop.save("e7", "2026-01-07")
    shop.run()
    assert shown(shop)["page/4/index.html"] == "e1;"

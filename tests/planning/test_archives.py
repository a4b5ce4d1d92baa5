"""Every archive type with a little content: which artifacts a site has."""

from __future__ import annotations

from collections import defaultdict

import pytest

from appliance import db
from appliance.building import template_variables
from appliance.content import terms
from appliance.planning import listing_pages, path_claims, placements, sitemaps
from appliance.planning.steps import Steps
from tests.local_site import EVERY_ARCHIVE, LocalSite, archive, index
from tests.planning.conftest import OpenSite

EVERY = "".join(archive(kind, path) for kind, path in EVERY_ARCHIVE.items())


def by_type(shop: LocalSite) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    placements.count_anew(shop.site, shop.theme)
    listing_pages.update_all(shop.site, shop.theme, Steps())
    for row in path_claims.wanted_artifacts(shop.site, shop.theme):
        found[row.type].append(row.path.removesuffix("/index.html"))
    return {kind: sorted(paths) for kind, paths in found.items()}


def fill(shop: LocalSite) -> None:
    shop.save("One", "2026-11-01T23:30", categories=[["News", "Local"]], authors=["Ada"], tags=["tide", "fog"])
    shop.save("Two", "2026-11-02", categories=[["News"], ["Sport"]], authors=["Ada", "Bo"], tags=["tide"])
    shop.save("Three", "2025-12-31", authors=["Bo"])
    shop.save("Four", "2024-01-01", status="draft", categories=[["Secret"]], authors=["Eve"], tags=["hush"])
    shop.save("Five", "2999-01-01", status="scheduled", tags=["later"])
    shop.save("Guide", "2023-05-05", kind="page", folder="docs", authors=["Cy"], tags=["paged"])


def test_every_archive_type(open_site: OpenSite) -> None:
    shop = open_site(EVERY)
    fill(shop)
    days = {"2026/11/01": ("one",), "2026/11/02": ("two",), "2025/12/31": ("three",)}
    assert by_type(shop) == {
        "entry": ["2025/12/three", "2026/11/one", "2026/11/two"],
        "page": ["docs/guide"],
        "daily": sorted(f"daily/{day}" for day in days),
        "weekly": ["weekly/2025/12/29", "weekly/2026/10/26", "weekly/2026/11/02"],
        "monthly": ["monthly/2025/12", "monthly/2026/11"],
        "yearly": ["yearly/2025", "yearly/2026"],
        "category": ["category/news", "category/news/local", "category/sport"],
        "author": ["author/ada", "author/bo"],
        "tag": ["tag/fog", "tag/tide"],
        "category-daily": [
            "category-daily/news/local/on/2026/11/01",
            "category-daily/news/on/2026/11/01", "category-daily/news/on/2026/11/02",
            "category-daily/sport/on/2026/11/02",
        ],
        "category-weekly": [
            "category-weekly/news/local/on/2026/10/26",
            "category-weekly/news/on/2026/10/26", "category-weekly/news/on/2026/11/02",
            "category-weekly/sport/on/2026/11/02",
        ],
        "category-monthly": [
            f"category-monthly/{c}/on/2026/11" for c in ("news/local", "news", "sport")
        ],
        "category-yearly": [f"category-yearly/{c}/on/2026" for c in ("news/local", "news", "sport")],
        "author-daily": [
            "author-daily/ada/on/2026/11/01", "author-daily/ada/on/2026/11/02",
            "author-daily/bo/on/2025/12/31", "author-daily/bo/on/2026/11/02",
        ],
        "author-weekly": [
            "author-weekly/ada/on/2026/10/26", "author-weekly/ada/on/2026/11/02",
            "author-weekly/bo/on/2025/12/29", "author-weekly/bo/on/2026/11/02",
        ],
        "author-monthly": ["author-monthly/ada/on/2026/11", "author-monthly/bo/on/2025/12",
                           "author-monthly/bo/on/2026/11"],
        "author-yearly": ["author-yearly/ada/on/2026", "author-yearly/bo/on/2025", "author-yearly/bo/on/2026"],
    }  # fmt: skip


def test_what_each_archive_shows(open_site: OpenSite) -> None:
    """Planning groups by columns of text, building asks by moments: they must agree, to the second and the zone."""
    shop = open_site(EVERY, sites=[{"timezone": "Pacific/Auckland", "week_starts": "sunday"}])
    fill(shop)
    shop.run()
    shown = {p.removesuffix("/index.html"): t.decode().strip() for p, t in shop.tree().items()}
    # One, of 23:30 UTC on Sunday the 1st, is of Monday the 2nd in Auckland, Three of New Year's Day 2026.
    assert shown["daily/2026/11/02"] == "Two;One;"
    assert shown["weekly/2026/11/01"] == "Two;One;"
    assert shown["weekly/2025/12/28"] == "Three;"
    assert shown["monthly/2025/12"] == "Three;"
    assert shown["yearly/2026"] == "Two;One;"
    assert shown["category/news"] == "Two;One;"
    assert shown["category/news/local"] == "One;"
    assert shown["category-weekly/news/on/2026/11/01"] == "Two;One;"
    assert shown["author/bo"] == "Two;Three;"
    assert shown["author-monthly/bo/on/2025/12"] == "Three;"
    assert shown["tag/tide"] == "Two;One;"
    assert all(text for text in shown.values())


@pytest.mark.parametrize(("starts", "first"), [("monday", ["2026/10/26", "2026/11/02"]), ("sunday", ["2026/11/01"])])
def test_weeks_start_where_the_site_says(open_site: OpenSite, starts: str, first: list[str]) -> None:
    shop = open_site(archive("weekly", "%y/%m/%d-week/%i"), sites=[{"week_starts": starts}])
    shop.save("Sunday", "2026-11-01")
    shop.save("Monday", "2026-11-02")
    assert by_type(shop)["weekly"] == [f"{day}-week" for day in first]


def test_terms_without_entries_have_no_page_unless_asked_for(open_site: OpenSite) -> None:
    maps = "".join(archive(k, EVERY_ARCHIVE[k]) for k in ("category", "author", "tag"))
    shop = open_site(maps)
    fill(shop)
    assert by_type(shop)["category"] == ["category/news", "category/news/local", "category/sport"]
    secret = terms.SiteTerms(shop.site).category_id(["Secret"])
    terms.update_category(secret, name="Secret", address="hidden/place", description="", always=True)
    assert "hidden/place" in by_type(shop)["category"]
    site = shop.site
    site.empty_archives = True
    site.save()
    found = by_type(shop)
    assert found["author"] == ["author/ada", "author/bo", "author/cy", "author/eve"]
    assert found["tag"] == ["tag/fog", "tag/tide"]


@pytest.mark.parametrize(("count", "pages"), [(0, 1), (1, 1), (3, 1), (5, 1), (6, 2), (8, 2), (9, 3)])
def test_pagination(open_site: OpenSite, count: int, pages: int) -> None:
    manifest = (
        index("index.html", more="paginate = 3")
        + archive("entry", "{slug}.html", "entry.html")
        + archive("tag", "tag/{tag}/index.html", more='paginate = 3\npage_path = "p{page}.html"')
    )
    shop = open_site(manifest)
    for number in range(count):
        shop.save(f"e{number}", f"2026-01-0{number + 1}", tags=["all"])
    found = by_type(shop)
    assert found["index"] == sorted(["index.html", *(f"page/{n}" for n in range(2, pages + 1))])
    assert found.get("tag", []) == ["tag/all", *(f"tag/all/p{n}.html" for n in range(2, pages + 1))] * bool(count)
    shop.run()
    newest_first = "".join(f"e{n};" for n in reversed(range(count)))
    paths = ["index.html", *(f"page/{n}/index.html" for n in range(pages, 1, -1))]
    assert "".join(shop.text(path).strip() for path in paths) == newest_first


def test_a_large_sitemap_is_split(open_site: OpenSite, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sitemaps, template_variables):
        monkeypatch.setattr(module, "BLOCK_SIZE", 3)
    sitemap = "{% for u, at in sitemaps + urls %}{{ u }} {{ at | iso if at else '-' }}\n{% endfor %}"
    manifest = (
        index("sitemap.xml", "sitemap.xml", "sitemap = true")
        + index("404.html")
        + archive("entry", "{slug}.html", "entry.html")
        + archive("monthly", "{year}/{month}/")
        + archive("monthly", "again/{year}/{month}/")
    )
    shop = open_site(manifest, {"sitemap.xml": sitemap})
    for number in range(3):
        shop.save(f"e{number}", "2026-01-01T10:00")
    shop.run()
    entries = [f"https://blog.example/e{n}.html 2026-01-01T10:00:00+00:00" for n in range(3)]
    assert shop.text("sitemap.xml").splitlines() == ["https://blog.example/2026/01/ -", *entries]
    fourth = shop.save("status-404", "2026-01-01T10:00")
    shop.run()
    parts = ["sitemap-entry-1.xml", "sitemap-entry-2.xml", "sitemap-monthly-1.xml"]
    assert shop.text("sitemap.xml").splitlines() == [f"https://blog.example/{part} -" for part in parts]
    last = "https://blog.example/status-404.html 2026-01-01T10:00:00+00:00"
    assert shop.text("sitemap-entry-1.xml").splitlines() == entries[:2]  # ids 1 and 2
    assert shop.text("sitemap-entry-2.xml").splitlines() == [entries[2], last]
    assert shop.text("sitemap-monthly-1.xml").splitlines() == ["https://blog.example/2026/01/ -"]
    shop.save("status-404", "2026-01-01T10:00", entry=fourth, status="draft")
    shop.run()
    assert "sitemap-entry-1.xml" not in shop.paths()
    assert shop.text("sitemap.xml").splitlines() == ["https://blog.example/2026/01/ -", *entries]


def test_an_address_of_its_own_replaces_the_preferred_path_only(open_site: OpenSite) -> None:
    maps = archive("entry", "{year}/{slug}.html", "entry.html") + archive("entry", "print/{slug}.html", "entry.html")
    shop = open_site(maps)
    shop.save("Moved", address="elsewhere/at-home")
    assert by_type(shop)["entry"] == ["elsewhere/at-home", "print/moved.html"]


def test_pictures_are_published_in_the_widths_below_their_own(open_site: OpenSite) -> None:
    shop = open_site("[thumbnails]\nwidths = [10, 40, 20]\n", {"static/a.css": "a", "static/deep/b.js": "b"})
    db.execute(
        "INSERT INTO asset (site_id, path, digest, size, media_type, width, height) VALUES"
        " (?, 'in/cat.jpg', 'd', 1, 'image/jpeg', 40, 40), (?, 'cat.gif', 'd', 1, 'image/gif', 40, 40)",
        [shop.site.id, shop.site.id],
    )
    found = by_type(shop)
    assert found["thumbnail"] == ["in/cat-10w.jpg", "in/cat-20w.jpg"]
    assert found["asset"] == ["cat.gif", "in/cat.jpg"]
    assert found["static"] == ["theme/a.css", "theme/deep/b.js"]

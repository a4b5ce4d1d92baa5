"""Claims of authors who may not replace pages of the site: the theme goes first, whoever came first."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import db
from appliance.content import assets, entries, entry_edits
from appliance.content.models import Asset, Entry
from appliance.errors import ContentError
from appliance.planning.archives import listing_artifacts
from appliance.planning.artifact_store import GIVES_WAY
from tests.building.test_pages import picture
from tests.local_site import LocalSite, archive, index, local_site
from tests.planning.conftest import OpenSite
from tests.planning.test_conflicts import FILES, MONTHS, faults_of

JANUARY = "2027/01/index.html"


def _upload(shop: LocalSite, path: str, content: bytes) -> Asset:
    asset = shop.upload(path, content)
    Asset.update(gives_way=True).where(Asset.id == asset.id).execute()
    return asset


def _by_address(shop: LocalSite) -> None:
    shop.save("Squat", address="2027/01", gives_way=True)


def _by_name(shop: LocalSite) -> None:
    shop.save("Squat", kind="page", folder="2027", slug="01", gives_way=True)


def _by_upload(shop: LocalSite) -> None:
    _upload(shop, JANUARY, b"Squat")


def _by_folder(shop: LocalSite) -> None:
    shop.save("Squat", address=f"{JANUARY}/x.html", gives_way=True)


def _by_file(shop: LocalSite) -> None:
    _upload(shop, "2027/01", b"Squat")


def _by_alias(shop: LocalSite) -> None:
    shop.save("Elsewhere", "2026-05-05", aliases=[JANUARY], gives_way=True)


@pytest.mark.parametrize("claim", [_by_address, _by_name, _by_upload, _by_folder, _by_file, _by_alias])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_the_page_of_the_theme_wins_and_the_claim_is_named(
    open_site: OpenSite, claim: Callable[[LocalSite], None], first: bool
) -> None:
    shop = open_site(MONTHS, FILES)
    if first:
        claim(shop)
        shop.run()
    shop.save("Frost", "2027-01-05")
    if not first:
        shop.run()
        claim(shop)
    shop.save("Other", "2026-12-05")
    said = faults_of(shop.run())
    assert shop.text(JANUARY) == "Frost;"
    tree = shop.tree()
    assert {"2027/01/frost/index.html", "2026/12/other/index.html", "2026/12/index.html"} <= tree.keys()
    if claim is _by_name:
        assert "Squat" in shop.text("2027/01-2/index.html")
    else:
        assert any("Squat" in one or "2027/01" in one for one in said), said
        assert not any(b"Squat" in content for content in tree.values() if content != tree["index.html"])
    before = shop.journal()
    shop.run(everything=True, force=True)
    assert (shop.tree(), shop.journal()) == (tree, before), "and stays so, without a file written again"


@pytest.mark.parametrize("claim", [_by_address, _by_upload, _by_folder, _by_file])
def test_the_claim_is_published_while_the_theme_has_nothing_there(
    open_site: OpenSite, claim: Callable[[LocalSite], None]
) -> None:
    shop = open_site(MONTHS, FILES)
    frost = shop.save("Frost", "2027-01-05")
    claim(shop)
    shop.run()
    entry_edits.edit(frost, status="draft")
    assert faults_of(shop.run()) == []
    assert any(b"Squat" in content for content in shop.tree().values())


def test_whoever_may_replace_pages_still_does(open_site: OpenSite) -> None:
    shop = open_site(MONTHS, FILES)
    page = shop.save("Mine", address="2027/01")
    shop.save("Home", kind="page", address="index.html")
    shop.save("Frost", "2027-01-05")
    (fault,) = faults_of(shop.run())
    assert "the monthly 2027-01 and the entry “Mine”" in fault
    assert "Mine" in shop.text(JANUARY)
    assert "Home" in shop.text("index.html")
    entry_edits.edit(page, gives_way=True)
    (fault,) = faults_of(shop.run())
    assert "the entry “Mine” and the monthly 2027-01" in fault
    assert shop.text(JANUARY) == "Frost;"
    entry_edits.edit(page, gives_way=False)
    shop.run()
    assert "Mine" in shop.text(JANUARY)


def test_a_further_page_of_the_home_page_wins(open_site: OpenSite) -> None:
    shop = open_site(index("index.html", more="paginate = 2") + archive("entry", "{slug}/index.html"))
    shop.save("Squat", address="page/2/index.html", gives_way=True)
    shop.save("One")
    shop.run()
    assert "Squat|" in shop.text("page/2/index.html")
    shop.save("Two", "2026-11-02")
    shop.save("Three", "2026-11-03")
    assert any("“Squat”" in one for one in faults_of(shop.run()))
    assert "Squat|" not in shop.text("page/2/index.html")


def test_a_smaller_copy_of_a_picture_wins(open_site: OpenSite) -> None:
    shop = open_site(MONTHS + "[thumbnails]\nwidths = [20]\n", FILES)
    squat = _upload(shop, "a-20w.png", b"Squat")
    shop.run()
    _upload(shop, "a.png", picture(40))
    assert any("a-20w.png" in one for one in faults_of(shop.run()))
    assert shop.tree()["a-20w.png"] != b"Squat"
    assets.delete(squat)
    assert faults_of(shop.run()) == []


def test_between_authors_nothing_is_different(open_site: OpenSite) -> None:
    """The one that has an address keeps it, whether or not it gives way to the theme."""
    shop = open_site(MONTHS, FILES)
    shop.save("First", "2024-05-01", slug="notes", gives_way=True)
    shop.run()
    shop.save("Second", "2024-05-20", slug="notes")
    shop.run()
    assert "First" in shop.text("2024/05/notes/index.html")
    assert "Second" in shop.text("2024/05/notes-2/index.html")


_CLAIMS = st.sampled_from(
    [{"address": "2026/11"}, {"address": "2026/11/index.html"}, {"address": "2026/11/index.html/x.html"},
     {"address": "tags/red"}, {"address": "index.html"},
     {"slug": "11", "folder": "2026", "kind": "page"}, {"slug": "red", "folder": "tags", "kind": "page"}, {},
     {"aliases": ["2026/11/"]}, {"tags": ["red"]}]
)  # fmt: skip
_EDITS = st.lists(st.tuples(st.integers(0, 4), _CLAIMS, st.booleans(), st.booleans()), min_size=2, max_size=7)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(_EDITS)
def test_many_small_plans_are_one_large_one(edits: list[tuple[int, dict[str, object], bool, bool]]) -> None:
    """Whoever claims what and when, a rebuild of everything changes nothing, and the theme has what is its own."""
    with TemporaryDirectory() as folder, local_site(Path(folder), MONTHS, FILES) as shop:
        known: dict[int, Entry] = {}
        for number, (which, claim, gives_way, published) in enumerate(edits):
            if which in known and not claim:
                entries.delete(known.pop(which))
            else:
                values = {"slug": f"e{which}", **claim}
                with suppress(ContentError):  # another entry has that name
                    known[which] = shop.save(
                        f"Post {which}", f"2026-11-{which + 1:02}", entry=known.get(which), gives_way=gives_way,
                        text=f"Text {number}", status="published" if published else "draft", **values,
                    )  # fmt: skip
            shop.run()
        before = shop.tree()
        shop.run(everything=True, force=True)
        assert shop.tree() == before
        themes = [spec.path for spec in listing_artifacts(shop.site, shop.theme)]
        held = db.execute(
            f"""SELECT path FROM artifact WHERE wanted AND {GIVES_WAY.format("artifact")}
                AND path IN ({db.placeholders(len(themes))})""",
            themes,
        ).fetchall()
        assert held == []

"""The kept totals of listings are those of the content, after any sequence of changes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import db
from appliance.content import term_edits
from appliance.content.models import Category
from appliance.planning import listing_totals, placements
from appliance.planning.listing_totals import Listing
from tests.acceptance.test_one_truth import FIELDS
from tests.acceptance.truth import world
from tests.conftest import empty
from tests.local_site import LocalSite, archive
from tests.planning.conftest import OpenSite

_NUMBERS = st.integers(0, 7)
_TERMS = st.sampled_from(["author", "category", "category", "tag"])
_ACTS = st.sampled_from(["slug", "name", "merge", "delete", "parent", "parent"])
CHANGES = st.lists(
    st.one_of(
        st.tuples(
            st.just("add"), _NUMBERS, st.integers(0, 4), st.sampled_from(["published", "draft"]), st.just("entry")
        ),
        st.tuples(st.just("edit"), _NUMBERS, st.sampled_from(FIELDS), _NUMBERS),
        st.tuples(st.just("edit"), _NUMBERS, st.just("categories"), _NUMBERS),
        st.tuples(st.just("delete"), _NUMBERS),
        st.tuples(st.just("term"), _TERMS, _NUMBERS, _ACTS, _NUMBERS),
        st.tuples(st.just("settings"), st.sampled_from(["timezone", "week_starts"]), _NUMBERS),
        st.tuples(st.just("pass_time"), st.sampled_from([1, 30])),
        st.tuples(st.just("theme"), st.just("toml"), _NUMBERS),
        st.tuples(st.just("publish")),
        st.tuples(st.just("publish")),
    ),
    max_size=12,
)


def stored() -> tuple[list[Any], dict[int, list[Any]]]:
    """The totals, and the placements with the ids in them as sets."""
    totals = db.execute("SELECT site_id, type, subject, period, entries FROM listing_total ORDER BY 1, 2, 3, 4")
    rows = db.execute("SELECT entry_id, site_id, day, week, authors, categories, tags FROM placement").fetchall()
    return totals.fetchall(), {row[0]: [*row[1:4], *(set(ids.split(",")) for ids in row[4:])] for row in rows}


def counted_anew(shop: LocalSite) -> tuple[list[Any], dict[int, list[Any]]]:
    """What would be stored had nothing been stored before."""
    with suppress(InterruptedError), db.write():
        db.execute("DELETE FROM placement")
        db.execute("DELETE FROM listing_total")
        placements.count_anew(shop.site, shop.theme)
        found = stored()
        raise InterruptedError
    return found


def check(database: str | None, changes: list[tuple[Any, ...]]) -> None:
    with world(database and empty(database)) as made:
        made.begin(5)
        for name, *values in changes:
            getattr(made, name)(*values)
            if name == "publish":
                assert stored() == counted_anew(made.shop)
        made.publish()
        assert stored() == counted_anew(made.shop)


_SETTINGS = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@settings(_SETTINGS, max_examples=60)
@given(changes=CHANGES)
def test_the_totals_kept_are_those_counted_anew_on_sqlite(changes: list[tuple[Any, ...]]) -> None:
    check(None, changes)


def test_the_totals_kept_are_those_counted_anew_on_postgresql(request: pytest.FixtureRequest) -> None:
    database = request.getfixturevalue("_postgres_url")

    @settings(_SETTINGS, max_examples=15)
    @given(changes=CHANGES)
    def run(changes: list[tuple[Any, ...]]) -> None:
        check(database, changes)

    run()


def total(shop: LocalSite, kind: str, name: str = "", period: str = "") -> int:
    subject = Category.get(Category.name == name).id if name else 0
    return listing_totals.total(shop.site.id, Listing(kind, subject, period))


def test_an_entry_counts_once_in_a_category_above_two_of_its_own(open_site: OpenSite) -> None:
    shop = open_site(archive("entry", "{slug}.html") + archive("category-monthly", "{category}/{year}/{month}.html"))
    entry = shop.save("One", "2026-11-02", categories=[["News", "Local"], ["News", "Sport"]])
    shop.publish()
    assert [total(shop, "category", name) for name in ("News", "Local", "Sport")] == [1, 1, 1]
    shop.save("One", "2026-12-02", entry=entry, categories=[["News", "Local"]])
    shop.publish()
    assert [total(shop, "category", name) for name in ("News", "Local", "Sport")] == [1, 1, 0]
    assert [total(shop, "category-monthly", "News", f"2026-{month}") for month in (11, 12)] == [0, 1]
    assert total(shop, "index") == total(shop, "monthly", "", "2026-12") == 1


def test_the_entries_of_a_category_that_moves_count_in_those_above_it(open_site: OpenSite) -> None:
    shop = open_site(archive("entry", "{slug}.html"))
    shop.save("One", categories=[["News", "Local", "Town"]])
    shop.save("Two", categories=[["Art"]])
    shop.publish()
    local, art = (Category.get(Category.name == name) for name in ("Local", "Art"))
    term_edits.rename(local, parent=art)
    shop.publish()
    assert [total(shop, "category", name) for name in ("News", "Local", "Town", "Art")] == [0, 1, 1, 2]

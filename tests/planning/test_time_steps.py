"""Time passes where a template shows it: at the next step, not before, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance import db, publishing
from tests.local_site import LocalSite, index, moment
from tests.planning.conftest import OpenSite

FILES = {
    "hours.html": "{{ site.now('1h') | iso }}",
    "days.html": "{{ site.now() | iso }}",
    "never.html": "{{ site.title }}",
}
MANIFEST = "".join(index(name, name) for name in FILES)
NOON = moment("2027-03-01T12:00")


@pytest.fixture
def shop(open_site: OpenSite) -> Iterator[LocalSite]:
    """A site that was published at 12:10 UTC."""
    made = open_site(MANIFEST, FILES)
    at(NOON + 600)
    made.run()
    yield made
    db.backend().now_at(0.0)


def at(time: float) -> None:
    """Let the database's clock show a time."""
    db.backend().now_at(0.0)
    db.backend().now_at(time - db.now())


def built(shop: LocalSite) -> set[str]:
    """What is written because of the time alone."""
    before = len(shop.journal())
    shop.run()
    return {path for path, _, _ in shop.journal()[before:]}


def test_a_page_that_shows_the_hour_is_built_with_the_next_one(shop: LocalSite) -> None:
    assert shop.text("hours.html") == "2027-03-01T12:00:00+00:00"
    at(NOON + 3590)
    assert built(shop) == set()
    at(NOON + 3601)
    assert built(shop) == {"hours.html"}
    assert shop.text("hours.html") == "2027-03-01T13:00:00+00:00"


def test_days_end_at_midnight(shop: LocalSite) -> None:
    at(NOON + 12 * 3600 - 10)
    assert built(shop) == {"hours.html"}
    at(NOON + 12 * 3600 + 1)
    assert built(shop) == {"hours.html", "days.html"}
    assert shop.text("days.html") == "2027-03-02T00:00:00+00:00"


@pytest.mark.conformance("D6")
def test_the_schedule_knows_when_the_next_step_is_due(shop: LocalSite) -> None:
    due = publishing.next_due(["blog"])
    assert due == pytest.approx(NOON + 3600, abs=2)
    assert publishing.publish_due(shop.config) == 0
    at(NOON + 3601)
    assert publishing.publish_due(shop.config) == 1

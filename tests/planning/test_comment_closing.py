"""Entries close for comments at an age: the form goes from their pages when that time has come, and from no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance import db, publishing
from appliance.content import schedule
from appliance.content.models import Entry, Site
from appliance.editorial import reader_comments
from tests.local_site import LocalSite, archive, index, local_site, moment

FILES = {
    "entry.html": "{{ entry.title }} {{ 'open' if entry.allow_comments else 'closed' }}",
    "plain.html": "{% for e in listing.entries %}{{ e.title }} {% endfor %}",
}
MANIFEST = archive("entry", "{slug}.html") + archive("page", "{slug}.html") + index("list.html", "plain.html")
DAY = 86_400
START = moment("2027-03-11T12:00")


@dataclass
class Place:
    """Where an installation is, and its database."""

    folder: Path
    database: Mapping[str, str]

    def open(self, *sites: Mapping[str, Any], path: str = "/-/") -> AbstractContextManager[LocalSite]:
        """Open the installation with these sites, at the time of START."""
        return self._at_start(local_site(
            self.folder, MANIFEST, FILES, sites=sites, web={"path": path}, **self.database,
        ))  # fmt: skip

    @contextmanager
    def _at_start(self, opened: AbstractContextManager[LocalSite]) -> Iterator[LocalSite]:
        with opened as made:
            at(START)
            try:
                yield made
            finally:
                db.backend().now_at(0.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A place for an installation on each database."""
    if request.param == "sqlite":
        return Place(tmp_path, {})
    return Place(tmp_path, {"database": request.getfixturevalue("postgres").fresh()})


def shop(place: Place, close_after: int = 10, **web: str) -> AbstractContextManager[LocalSite]:
    return place.open({"comments": {"close_after": close_after}}, **web)


def at(time: float) -> None:
    """Let the database's clock show a time."""
    db.backend().now_at(0.0)
    db.backend().now_at(time - db.now())


def fill(made: LocalSite) -> None:
    """Old, young, and such that are closed anyway or not published; at START the first has one day left."""
    made.save("First", "2027-03-02T12:00")
    made.save("Second", "2027-03-08T12:00")
    made.save("Imprint", "2027-03-05T12:00", kind="page")
    made.save("Refusing", "2027-03-02T18:00", allow_comments=False)
    made.save("Draft", "2027-03-02T19:00", status="draft")
    made.save("Old", "2027-01-01")
    made.run()


def built(made: LocalSite) -> set[str]:
    """What the schedule publishes now."""
    before = len(made.journal())
    publishing.publish_due(made.config)
    made.drain()
    return {path for path, _, _ in made.journal()[before:]}


def words(made: LocalSite) -> dict[str, str]:
    return {name: made.text(f"{name}.html").split()[-1] for name in ("first", "second", "imprint", "refusing", "old")}


OPEN, CLOSED = "open", "closed"


def test_the_form_goes_from_a_page_when_its_time_has_come(place: Place) -> None:
    with shop(place) as made:
        fill(made)
        assert words(made) == {"first": OPEN, "second": OPEN, "imprint": OPEN, "refusing": CLOSED, "old": CLOSED}
        assert publishing.next_due(["blog"]) == START + DAY
        at(START + DAY - 5)
        assert built(made) == set()
        at(START + DAY + 1)
        assert built(made) == {"first.html"}
        assert words(made)["first"] == CLOSED
        assert publishing.next_due(["blog"]) == START + 4 * DAY, "the page that is not an entry"
        at(START + 30 * DAY)
        assert built(made) == {"second.html", "imprint.html"}
        assert set(words(made).values()) == {CLOSED}
        assert publishing.next_due(["blog"]) is None
        assert built(made) == set()
        assert made.run(everything=True, force=True)
        assert set(words(made).values()) == {CLOSED}, "a build from nothing says the same"


def test_the_page_and_the_intake_agree(place: Place) -> None:
    with shop(place) as made:
        fill(made)
        for time in (START + DAY - 5, START + DAY, START + DAY + 5):
            at(time)
            publishing.publish_due(made.config)
            made.drain()
            entry = made.save("First", "2027-03-02T12:00", entry=_find("first"))
            assert bool(reader_comments.closed(made.config, made.site, entry)) is (words(made)["first"] == CLOSED), time


def test_an_entry_with_a_later_date_opens_again(place: Place) -> None:
    with shop(place) as made:
        fill(made)
        made.save("Old", "2027-03-10", entry=_find("old"))
        made.run()
        assert words(made)["old"] == OPEN
        at(START + 30 * DAY)
        assert "old.html" in built(made)


def test_the_setting_takes_effect_on_pages_that_it_concerns(place: Place) -> None:
    with shop(place) as made:
        fill(made)
    for days, open_ones in ((2, set()), (5, {"second"}), (20, {"first", "second", "imprint"}),
                            (0, {"first", "second", "imprint", "old"})):  # fmt: skip
        with shop(place, days) as made:
            before = words(made)
            changed = {path.removesuffix(".html") for path in built_by(made)}
            after = words(made)
            assert {name for name, word in after.items() if word == OPEN} == open_ones, days
            assert changed == {name for name in after if before[name] != after[name]}, days
    with shop(place, 2, path="") as made:
        assert built_by(made) == set(), "the form posts to nobody, so nothing closes"
        assert publishing.next_due(["blog"]) is None


def test_what_a_clock_that_ran_ahead_closed_is_opened_by_the_next_plan(place: Place) -> None:
    with shop(place) as made:
        fill(made)
        at(START + 365 * DAY)
        assert built(made) == {"first.html", "second.html", "imprint.html"}
        at(START)
        assert built_by(made) == {"first.html", "second.html", "imprint.html"}
        assert words(made)["first"] == OPEN
        at(START + DAY + 1)
        built(made)
        at(START + DAY - 20)
        assert built_by(made) == set(), "a clock that is set right by a moment opens nothing"


def test_another_site_keeps_its_form(place: Place) -> None:
    sites = [{"comments": {"close_after": 10}},
             {"name": "other", "url": "https://blog.example/other/", "folder": "other"}]  # fmt: skip
    with place.open(*sites) as made:
        other = Site.get(Site.name == "other")
        for site in (made.site, other):
            made.save("First", "2027-03-02T12:00", site=site)
        made.run()
        at(START + DAY + 1)
        assert schedule.next_due(["other"]) is None
        assert built(made) == {"first.html"}
        assert made.text("other/first.html") == "First open"


def built_by(made: LocalSite) -> set[str]:
    """What a plan publishes."""
    before = len(made.journal())
    made.run()
    return {path for path, _, _ in made.journal()[before:]}


def _find(slug: str) -> Entry:
    found: Entry = Entry.get(Entry.slug == slug)
    return found

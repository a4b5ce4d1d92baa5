"""A comment counts as visible once the reader's front end shows it, and not earlier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import clock, db
from appliance.config import Config
from appliance.content import comments
from appliance.content.models import Entry
from appliance.delivery import cursors, journal
from appliance.delivery.targets import all_targets, front_ends
from appliance.intake import visibility
from appliance.intake.awaited import AwaitedComment, Look
from appliance.intake.served_docroots import ServedDocroots
from appliance.intake.visibility import Watcher
from tests.conftest import empty
from tests.local_site import LocalSite, archive, local_site

PAGE = "{{ entry.title }}: {{ entry.html }}{% for c in entry.comments %}[{{ c.html }}]{% endfor %}\n"


@pytest.fixture
def site(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    """A published entry and a front end, on each database. No courier runs: the tests say what it confirms."""
    with blog(tmp_path, database.database) as made:
        yield made


@contextmanager
def blog(folder: Path, database: str, **settings: object) -> Iterator[LocalSite]:
    target = {"name": "www1", "address": str(folder / "front"), "other_path": True}
    settings = {"targets": [target], "database": database, **settings}
    with local_site(folder, archive("entry", "{slug}/index.html"), {"entry.html": PAGE}, **settings) as made:
        made.save("Tides", status="published", allow_comments=True)
        made.run()
        confirm(made, journal.newest("here"))
        yield made


def confirm(site: LocalSite, publication: int) -> None:
    cursors.confirm(front_ends(site.config)[0], "here", publication)


def awaited(site: LocalSite) -> AwaitedComment:
    return comment_through(site, ["www1"])[0]


def comment_through(site: LocalSite, names: Sequence[str]) -> list[AwaitedComment]:
    """One new comment, as readers see it who came through web servers of these names."""
    entry, docroots = Entry.get(), ServedDocroots(site.config)
    number = comments.add(entry, "Ida", "Lovely").id
    return [AwaitedComment(site.site.id, entry.id, number, docroots.choose(name)) for name in names]


def is_visible(comment: AwaitedComment) -> bool:
    with db.snapshot():
        return comment.is_visible(Look())


def test_it_is_planned_built_and_confirmed_first(site: LocalSite) -> None:
    comment = awaited(site)
    assert not is_visible(comment)
    site.publish()
    assert not is_visible(comment)
    site.drain()
    assert not is_visible(comment)
    confirm(site, journal.newest("here"))
    assert is_visible(comment)


def test_a_publication_that_was_superseded_before_it_was_sent_shows_nothing(site: LocalSite) -> None:
    comment = awaited(site)
    site.run()
    assert not is_visible(comment)
    superseded = journal.newest("here")
    site.save("Tides", text="Edited", entry=Entry.get(), status="published", allow_comments=True)
    site.run()
    confirm(site, superseded)  # a courier passes over it
    assert not is_visible(comment)
    confirm(site, journal.newest("here"))
    assert is_visible(comment)


def test_a_single_host_that_serves_readers_shows_what_it_builds(site: LocalSite) -> None:
    itself, front, unknown, nameless = comment_through(site, ("here", "www1", "other", ""))
    assert not is_visible(itself)
    site.run()
    assert [is_visible(one) for one in (itself, front, unknown, nameless)] == [True, False, False, False]
    confirm(site, journal.newest("here"))
    assert all(is_visible(one) for one in (front, unknown, nameless))


@pytest.fixture
def pair(_postgres_url: str, tmp_path: Path) -> Iterator[LocalSite]:
    """The first of two publishing hosts whose nginx serves readers, with a front end."""
    empty(_postgres_url)
    hosts = [{"name": name, "address": str(tmp_path / at), "other_path": True}
             for name, at in (("here", "www"), ("there", "www-there"))]  # fmt: skip
    with blog(tmp_path, _postgres_url, publishing_hosts=hosts) as made:
        yield made


def test_a_host_shows_what_it_publishes_at_once_and_what_others_do_once_it_has_it(pair: LocalSite) -> None:
    here, there, front, nameless = comment_through(pair, ("here", "there", "www1", ""))
    pair.run()
    assert [is_visible(one) for one in (here, there, front, nameless)] == [True, False, False, False]
    peer = next(target for target in all_targets(pair.config) if target.peer == "there")
    cursors.confirm(peer, "here", journal.newest("here"))
    assert [is_visible(one) for one in (here, there, front, nameless)] == [True, True, False, False]
    confirm(pair, journal.newest("here"))
    assert is_visible(front)
    assert is_visible(nameless)


def test_who_waits_is_told_when_the_front_end_confirms(site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visibility, "_LOOK", 60.0)
    entry = Entry.get()
    comment = comments.add(entry, "Ida", "Lovely").id
    watcher = Watcher(site.config)
    with ThreadPoolExecutor() as readers:
        answers = [readers.submit(watcher.wait, site.site.id, entry.id, comment, "www1", 40.0) for _ in range(3)]
        site.run()
        assert [answer.done() for answer in answers] == [False] * 3
        began = clock.monotonic()
        confirm(site, journal.newest("here"))
        assert [answer.result() for answer in answers] == [True] * 3
        assert clock.monotonic() - began < 10
    watcher.close(clock.monotonic() + 10)


def test_a_look_that_fails_is_not_the_last(site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher, entry = Watcher(site.config), Entry.get()
    with monkeypatch.context() as patched:
        patched.setattr(AwaitedComment, "is_visible", lambda *_: 1 / 0)
        began = clock.monotonic()
        assert not watcher.wait(site.site.id, entry.id, 1, "www1", 40.0)
        assert clock.monotonic() - began < 20
    assert watcher.wait(site.site.id, entry.id, 1, "www1", 40.0)
    watcher.close(clock.monotonic() + 10)

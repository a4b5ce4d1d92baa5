"""A comment counts as visible once the reader's front end shows it, and not earlier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import db
from appliance.config import Config
from appliance.content import comments
from appliance.content.models import Entry
from appliance.delivery import cursors, journal
from appliance.delivery.targets import front_ends
from appliance.intake.awaited import AwaitedComment, Look
from tests.local_site import LocalSite, archive, local_site

PAGE = "{{ entry.title }}: {{ entry.html }}{% for c in entry.comments %}[{{ c.html }}]{% endfor %}\n"


@pytest.fixture
def site(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    """A published entry and a front end, on each database. No courier runs: the tests say what it confirms."""
    target = {"name": "www1", "address": str(tmp_path / "front"), "other_path": True}
    files = {"entry.html": PAGE}
    with local_site(
        tmp_path, archive("entry", "{slug}/index.html"), files, database=database.database, targets=[target]
    ) as made:
        made.save("Tides", status="published", allow_comments=True)
        made.run()
        confirm(made, journal.newest("here"))
        yield made


def confirm(site: LocalSite, publication: int) -> None:
    cursors.confirm(front_ends(site.config)[0], "here", publication)


def awaited(site: LocalSite) -> AwaitedComment:
    entry = Entry.get()
    comment = comments.add(entry, "Ida", "Lovely")
    return AwaitedComment(site.site.id, entry.id, comment.id, front_ends(site.config))


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

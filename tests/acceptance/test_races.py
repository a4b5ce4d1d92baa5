"""One truth under way: content changes while workers build; when all is built, the docroot is what a rebuild gives."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from appliance import clock, running
from appliance.config import Config
from appliance.installation import open_installation
from appliance.queue import store
from tests.acceptance.truth import World, world
from tests.conftest import empty_database

#: Changes, one after another as fast as they can be made and planned. The last of them leave two entries that want one
#: address.
_CHANGES = 120
_PATIENCE = 60.0


def _work(config: Config) -> None:
    with open_installation(config):
        running.work(config, workers=2)


@contextmanager
def crew(config: Config) -> Iterator[None]:
    """Two worker processes that wait for work."""
    process = multiprocessing.get_context("fork").Process(target=_work, args=(config,))
    process.start()
    try:
        yield
    finally:
        os.kill(process.pid or 0, signal.SIGTERM)
        process.join(30)


def change(made: World, chance: random.Random) -> None:
    """One change of a kind that readers see soon."""
    which, value = chance.randrange(8), chance.randrange(8)
    what = chance.randrange(9)
    if what == 0:
        made.add(value, value % 5, "published", "entry")
    elif what == 1:
        made.comment(which, 2 * value)
    elif what == 2:
        made.term(chance.choice(["tag", "category", "author"]), which, chance.choice(["name", "slug"]), value)
    elif what == 3:
        made.link(which, value)
    elif what == 4:
        made.theme(chance.choice(["macros.html", "static/a.css", "listing.html"]), value)
    elif what == 5:
        made.clash(chance.choice(["upload", "address", "alias", "name", "name"]), which, chance.randrange(16))
    else:
        fields = ("title", "text", "tags", "categories", "authors", "status", "published_at", "slug")
        made.edit(which, chance.choice(fields), value)


def _await_built() -> None:
    end = clock.monotonic() + _PATIENCE
    while store.count_unfinished():
        assert clock.monotonic() < end
        clock.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_changes_while_workers_build_lose_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    url = empty_database(request, kind).get("database")
    chance = random.Random(7)
    with world(url) as made:
        made.begin(5)
        made.publish()
        with crew(made.shop.config):
            for _ in range(_CHANGES):
                change(made, chance)
                made.publish()
            _await_built()
            built = made.shop.tree()
            # It may ask for a page whose build was the first to read something, to be sure; it differs in nothing.
            made.publish()
            _await_built()
            assert made.shop.tree() == built, "nothing may be left that only another planning finds"
        assert made.shop.failed() == {}
        assert made.shop.tree() == made.rebuilt()

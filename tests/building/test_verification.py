"""Files that a publishing host has lost are published again, also by a host that still holds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.building import verification
from appliance.config import Config
from appliance.delivery import cursors, journal
from appliance.delivery.targets import own_docroot
from tests.local_site import LocalSite, archive, local_site
from tests.postgresql import Server


@pytest.fixture
def shop(postgres: Server, tmp_path: Path) -> Iterator[LocalSite]:
    """The host “here”, which has published one entry, and beside it the host “there”."""
    hosts = [{"name": name, "address": str(tmp_path / name), "other_path": True} for name in ("here", "there")]
    with local_site(
        tmp_path, archive("entry", "{slug}.html"), database=postgres.fresh(), publishing_hosts=hosts
    ) as made:
        made.save("Old")
        made.run()
        yield made


@pytest.fixture
def there(shop: LocalSite, tmp_path: Path) -> Config:
    """The settings of the other host, whose docroot is empty."""
    return shop.config.model_copy(update={"host": "there", "docroot": tmp_path / "there"})


def versions(shop: LocalSite) -> list[int]:
    return [version for path, _, version in shop.journal() if path == "old.html"]


def test_a_file_that_its_publisher_has_lost_is_published_by_a_host_that_holds_it(shop: LocalSite) -> None:
    (first,) = versions(shop)
    assert verification.enqueue_missing(shop.config, ["old.html", "never.html"]) == {"never.html"}
    shop.drain()
    assert versions(shop)[1:] > [first]
    assert (shop.config.docroot / "old.html").stat().st_mtime == versions(shop)[-1]


def test_a_file_that_is_on_its_way_from_another_host_is_not_lost(shop: LocalSite, there: Config) -> None:
    assert verification.verify(there).differing == 0


def test_a_host_that_lost_what_it_had_is_sent_it_again(shop: LocalSite, there: Config) -> None:
    own = own_docroot(there)
    assert own
    cursors.confirm(own, "here", journal.newest("here"))
    before = len(shop.journal())
    assert verification.verify(there).differing == before
    shop.drain()
    assert len(shop.journal()) == 2 * before

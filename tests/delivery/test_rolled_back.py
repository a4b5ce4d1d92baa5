"""What a publishing host put in place, rolled back, and sent meanwhile, is outdone by the host that repeats it."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from appliance import db
from appliance.building.docroot import Docroot
from appliance.building.publish_job import publish_kind
from appliance.config import Config, QueueSettings, validate
from appliance.delivery import docroot_sync, journal, spot_check
from appliance.delivery.courier import Couriers
from appliance.delivery.targets import courier_targets
from appliance.queue import store
from appliance.queue.worker import Worker
from tests.local_site import LocalSite, archive, local_site, tree
from tests.postgresql import Server
from tests.test_crash_sweep import Still

from .test_courier import until

PAGE = "one/index.html"
#: Far ahead of every clock, so that the time that passes between two attempts is no excuse for another number.
AHEAD = 4_000_000_000
DAY = 86_400.0


class Pair:
    """Two publishing hosts that share a queue, and one front end; all docroots are folders, written by real rsync."""

    def __init__(self, folder: Path, shop: LocalSite, configs: dict[str, Config]) -> None:
        self.shop, self.configs = shop, configs
        self.front = folder / "front"
        self.entry = shop.save("One", text="first", slug="one")
        #: What readers have seen of the page, by place and version.
        self.seen = defaultdict[tuple[str, int], set[bytes]](set)

    def docroot(self, host: str) -> Path:
        return self.configs[host].docroot

    def edit(self, text: str, **more: Any) -> None:
        self.shop.save("One", text=text, slug="one", entry=self.entry, **more)
        self.shop.publish()

    def build(self, host: str) -> None:
        """Do all that is due and nothing more, as a worker of this host."""
        config = self.configs[host]
        worker = Worker(
            f"{host}:{os.getpid()}", [publish_kind(config, Docroot.prepare(config))], QueueSettings(), Still()
        )
        worker.run(once=True)
        self.look()

    def build_in_vain(self, host: str, how: str) -> None:
        """Do what is due until it would be committed, and fail or die then; what was put in place stays."""
        if how == "killed":
            db.disconnect()
            child = os.fork()
            if not child:
                journal.append = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
                db.open_database(self.configs[host])
                self.build(host)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
            until(lambda: store.rescue(5, worker=f"{host}:{child}") > 0, 10)
        else:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(journal, "append", _full)
                self.build(host)
        db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")
        self.look()

    @contextmanager
    def couriers(self, *hosts: str) -> Iterator[None]:
        """The couriers of these hosts, while readers look."""
        if not hosts:
            yield
            return
        config = self.configs[hosts[0]]
        with Couriers(courier_targets(config), config=config), self.couriers(*hosts[1:]):
            yield

    def push(self, host: str) -> None:
        """Have one host send what it has to the front end, and nothing more."""
        config = self.configs[host]
        with Couriers(courier_targets(config)[:1], config=config) as couriers:
            couriers.settle()
        self.look()

    def look(self) -> None:
        for name, docroot in (("front", self.front), *((name, self.docroot(name)) for name in self.configs)):
            file = docroot / PAGE
            if file.exists():
                self.seen[name, int(file.stat().st_mtime)].add(file.read_bytes())

    def settle(self) -> None:
        """Have everything delivered; every docroot then shows what the journal says."""
        with self.couriers("one", "two"):
            until(self.is_level, 15)
        self.look()
        assert {place: found for place, found in self.seen.items() if len(found) > 1} == {}, "one version, one content"

    def is_level(self) -> bool:
        try:
            shown = [tree(docroot) for docroot in (self.front, *map(self.docroot, self.configs))]
        except OSError:
            return False
        published = db.execute("SELECT path, version FROM publication WHERE latest AND op = 'put'").fetchall()
        times = [
            {(path, int((docroot / path).stat().st_mtime)) for path in tree(docroot)}
            for docroot in (self.front, *map(self.docroot, self.configs))
        ]
        return shown[0] == shown[1] == shown[2] and all(time == set(map(tuple, published)) for time in times)


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.fixture
def pair(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    # It shall not be a spot check that puts things right: those look at a few files and now and then.
    monkeypatch.setattr(spot_check.SpotCheck, "passes", lambda *_: True)
    monkeypatch.setattr(docroot_sync, "_INTERVAL", 0.1)
    hosts = [{"name": n, "address": str(tmp_path / n / "www"), "other_path": True} for n in ("one", "two")]
    shared = {
        "database": postgres.fresh(), "publishing_hosts": hosts, "delivery": {"gather": 0},
        "targets": [{"name": "front", "address": str(tmp_path / "front"), "other_path": True}],
    }  # fmt: skip
    (tmp_path / "one").mkdir()
    manifest = archive("entry", "{slug}/index.html")
    with local_site(tmp_path / "one", manifest, host="one", **shared) as shop:
        other = {
            **shop.config.model_dump(mode="json", exclude_unset=True), **shared,
            "docroot": str(tmp_path / "two/www"), "host": "two",
        }  # fmt: skip
        configs = {"one": shop.config, "two": validate(other, tmp_path / "one/appliance.toml")}
        yield Pair(tmp_path, shop, configs)


@pytest.mark.parametrize("how", ["rolled back", "killed"])
def test_another_host_takes_another_version(pair: Pair, how: str) -> None:
    pair.shop.publish()
    db.execute("UPDATE artifact SET version = ?", [AHEAD])
    pair.build("one")
    pair.edit("never committed")
    pair.build_in_vain("one", how)
    pair.push("one")  # of the version before, in whose place the other one is now
    assert b"never committed" in (pair.front / PAGE).read_bytes(), "the fault was not met"
    pair.edit("committed")
    pair.build("two")
    pair.settle()
    assert b"committed" in (pair.front / PAGE).read_bytes()


def test_a_change_that_was_taken_back_is_taken_back_everywhere(pair: Pair) -> None:
    """The other host has nothing to build: its file is the one that is published."""
    pair.shop.publish()
    pair.build("one")
    pair.settle()
    pair.edit("never committed")
    pair.build_in_vain("one", "rolled back")
    pair.edit("first")
    pair.build("two")
    pair.settle()
    assert b"first" in (pair.docroot("one") / PAGE).read_bytes()


def test_a_page_that_is_withdrawn_before_it_is_published_goes(pair: Pair) -> None:
    """Nobody else ever had it, and the journal does not know of it."""
    pair.shop.publish()
    pair.build_in_vain("one", "rolled back")
    assert (pair.docroot("one") / PAGE).exists()
    pair.edit("first", status="draft")
    pair.build("two")
    pair.settle()
    assert not (pair.docroot("one") / PAGE).exists()


def test_a_deletion_that_was_taken_back_is_taken_back_everywhere(pair: Pair) -> None:
    pair.shop.publish()
    pair.build("one")
    pair.settle()
    pair.edit("first", status="draft")
    pair.build_in_vain("one", "rolled back")
    assert not (pair.docroot("one") / PAGE).exists()
    pair.edit("first", status="published")
    pair.build("two")
    pair.settle()
    assert (pair.docroot("one") / PAGE).exists()


@pytest.mark.parametrize("status", ["published", "draft"])
def test_a_clock_that_ran_ahead_meanwhile_makes_no_version_that_stays(pair: Pair, status: str) -> None:
    """What is served in the end is what the journal says, though something newer was put in place."""
    pair.shop.publish()
    pair.build("one")
    pair.edit("never committed")
    db.backend().now_at(DAY)
    pair.build_in_vain("one", "rolled back")
    pair.push("one")
    assert b"never committed" in (pair.front / PAGE).read_bytes(), "the fault was not met"
    db.backend().now_at(0.0)
    pair.edit("committed", status=status)
    pair.build("two")
    pair.settle()
    assert (pair.front / PAGE).exists() == (status == "published")

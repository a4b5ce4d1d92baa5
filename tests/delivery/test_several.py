"""Two publishing hosts, each with couriers and a docroot, on one PostgreSQL: who sends what, and what becomes of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from appliance import db
from appliance.config import Config, validate
from appliance.delivery import (
    cursors,
    deletions,
    docroot_leftovers,
    docroot_sync,
    journal,
    leases,
    repair,
    send_plan,
    spot_check,
    target_state,
)
from appliance.delivery.courier import Couriers
from appliance.delivery.journal import Delete, Put
from appliance.delivery.targets import courier_targets, front_ends, own_docroot
from appliance.delivery.transports.factory import TransportFactory
from appliance.delivery.transports.rsync import RsyncTransport
from tests.postgresql import Server

from .conftest import tree
from .test_cluster import NOTING, overlapping
from .test_courier import until

HOSTS = ("one", "two")


class Pair:
    """Both hosts, and one front end that is a folder."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self.front = folder / "front"
        script = folder / "noting-rsync"
        script.write_text(NOTING.replace("LOG", str(folder / "runs")).replace("code=$?", "code=$?\nsleep 0.05"))
        script.chmod(0o755)
        self.version = 1_700_000_000
        self.rebuilt: list[str] = []
        self.configs = {name: self._config(name, database, script) for name in HOSTS}
        for config in self.configs.values():
            config.docroot.mkdir(parents=True)

    def _config(self, name: str, database: str, script: Path) -> Config:
        hosts = [{"name": n, "address": str(self.folder / n / "www"), "other_path": True} for n in HOSTS]
        raw = {
            "docroot": str(self.folder / name / "www"), "host": name, "database": database,
            "sites": [{"name": "blog", "title": "Blog", "url": "https://blog.example/"}],
            "targets": [{"name": "front", "address": str(self.front), "other_path": True}],
            "publishing_hosts": hosts, "delivery": {"rsync": str(script), "gather": 0},
        }  # fmt: skip
        return validate(raw, self.folder / name / "appliance.toml")

    def docroot(self, name: str) -> Path:
        return self.configs[name].docroot

    def put(self, host: str, path: str, text: str) -> int:
        """Publish a file as a worker of `host` does; returns its version."""
        self.version += 1
        file, fresh = self.docroot(host) / path, self.folder / "fresh"
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text)
        os.utime(fresh, (self.version, self.version))
        fresh.replace(file)
        digest = hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
        self.append(host, Put(path, self.version, digest, len(text)))
        return self.version

    def delete(self, host: str, path: str) -> None:
        self.version += 1
        deletions._remove(self.docroot(host), path)
        self.append(host, Delete(path, self.version))

    def append(self, host: str, row: Put | Delete) -> None:
        with db.write():
            journal.append([row], host)

    @contextmanager
    def couriers(self, *names: str, rebuild: Callable[[Sequence[str]], set[str]] | None = None) -> Iterator[None]:
        """The couriers of these hosts, woken with every publication."""
        with ExitStack() as stack:
            all_of = [
                stack.enter_context(
                    Couriers(courier_targets(c), config=c, rebuild=rebuild or (lambda paths: set(paths)))
                )
                for c in (self.configs[name] for name in names)
            ]
            real = self.append

            def append(host: str, row: Put | Delete) -> None:
                real(host, row)
                for couriers in all_of:
                    couriers.wake()

            self.append = append  # type: ignore[method-assign]
            try:
                yield
            finally:
                self.append = real  # type: ignore[method-assign]

    def await_same(self, seconds: float = 15) -> None:
        def same() -> bool:
            try:
                return tree(self.docroot("one")) == tree(self.docroot("two")) == tree(self.front)
            except OSError:
                return False

        until(same, seconds)


@pytest.fixture
def pair(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    for name, seconds in (("TAKEOVER_AFTER", 0.4), ("RETRY_AFTER", 0.3)):
        monkeypatch.setattr(send_plan, name, seconds)
    monkeypatch.setattr(spot_check, "INTERVAL", 0.5)
    monkeypatch.setattr(docroot_sync, "_INTERVAL", 0.1)
    made = Pair(tmp_path, postgres.fresh())
    opened = db.connect(made.configs["one"])
    yield made
    opened.close()


def test_both_send_to_one_target_and_never_at_once(pair: Pair) -> None:
    with pair.couriers("one", "two"):
        for number in range(10):
            for host in HOSTS:
                pair.put(host, f"{host}/{number}.html", f"{number}")
        pair.put("one", "index.html", "first")
        until(lambda: (pair.docroot("two") / "index.html").exists(), 5)
        pair.put("two", "index.html", "second")
        pair.await_same()
    assert (pair.front / "index.html").read_text() == "second"
    assert overlapping(pair.folder / "runs") == []


def test_pages_appear_in_the_order_in_which_they_were_published(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index of one host does not appear before the entry of the other."""
    monkeypatch.setattr(send_plan, "TAKEOVER_AFTER", 10.0)
    monkeypatch.setattr(send_plan, "ORDER_WAIT", 10.0)
    seen: list[str] = []
    real = RsyncTransport.push

    def push(one: RsyncTransport, changes: Sequence[journal.PublishedChange], **how: bool) -> object:
        done = real(one, changes, **how)
        if one.target.name == "front":
            seen.extend(change.path for change in changes)
        return done

    monkeypatch.setattr(RsyncTransport, "push", push)
    with pair.couriers("one", "two"):
        for number in range(6):
            pair.put(HOSTS[number % 2], f"{number}.html", "x")
        until(lambda: len(seen) >= 6, 15)
    assert seen == [f"{number}.html" for number in range(6)]


def test_publications_of_a_dead_host_are_sent_by_another(pair: Pair) -> None:
    pair.put("one", "a.html", "a")
    shutil.copy2(pair.docroot("one") / "a.html", pair.docroot("two") / "a.html")  # it had come that far
    with pair.couriers("two"):
        until((pair.front / "a.html").exists, 5)
    assert (pair.front / "a.html").read_text() == "a"


def test_files_that_no_host_has_are_built_again(pair: Pair) -> None:
    pair.put("one", "lost.html", "lost")
    asked: list[str] = []

    def rebuild(paths: Sequence[str]) -> set[str]:
        asked.extend(paths)
        for path in paths:
            pair.put("two", path, "built again")
        return set()

    # The same version and size, other bytes: what a killed run of this host's own left.
    (pair.docroot("two") / "lost.html").write_text("LOST")
    os.utime(pair.docroot("two") / "lost.html", (pair.version, pair.version))
    with pair.couriers("two", rebuild=rebuild):
        until((pair.front / "lost.html").exists, 10)
        until(lambda: target_state.read(front_ends(pair.configs["two"])[0]).level, 10)
    assert (pair.front / "lost.html").read_text() == "built again"
    # Once, or twice when the front end's courier and that of the other docroot look at the same moment.
    assert asked in (["lost.html"], ["lost.html"] * 2)


def test_missing_files_without_an_artifact_block_nothing(pair: Pair) -> None:
    pair.append("one", Put("gone.html", 1, "", 0))
    with pair.couriers("two"):
        until(lambda: target_state.read(front_ends(pair.configs["two"])[0]).level, 10)


def test_each_host_deletes_in_its_own_docroot_what_others_deleted(pair: Pair) -> None:
    with pair.couriers("one", "two"):
        pair.put("one", "a/b.html", "b")
        pair.put("two", "keep.html", "k")
        pair.await_same()
        pair.delete("two", "a/b.html")
        pair.await_same()
        assert not (pair.docroot("one") / "a").exists()
        pair.put("one", "a/b.html", "again")
        pair.await_same()
    assert (pair.front / "a" / "b.html").read_text() == "again"


def test_a_file_newer_than_its_deletion_stays(pair: Pair) -> None:
    """A worker of this host has put it in place and is about to commit."""
    pair.append("one", Delete("a.html", 5))
    file = pair.docroot("two") / "a.html"
    file.write_text("newer")
    os.utime(file, (6, 6))
    stop = threading.Event()
    docroot_sync.DocrootSync(pair.configs["two"], stop).sync()
    assert file.exists()
    os.utime(file, (4, 4))
    docroot_sync.DocrootSync(pair.configs["two"], stop).sync()
    assert not file.exists()


def test_a_publishing_host_that_was_wiped_gets_everything_its_own_included(pair: Pair) -> None:
    with pair.couriers("one", "two"):
        pair.put("one", "a.html", "a")
        pair.put("two", "b.html", "b")
        pair.await_same()
        for file in pair.docroot("one").iterdir():
            file.unlink()
        pair.await_same()
        assert set(tree(pair.docroot("one"))) == {"a.html", "b.html"}


def test_a_cursor_that_was_reset_meanwhile_is_not_moved(pair: Pair) -> None:
    (target,) = front_ends(pair.configs["one"])
    cursors.confirm(target, "one", 5)
    cursors.reset(target.name)
    cursors.confirm(target, "one", 7, expected=5)
    assert cursors.read(target, "one") == 0


def test_a_publication_is_confirmed_only_when_no_older_push_can_undo_it(pair: Pair) -> None:
    """A push that began earlier may end by renaming an older file over one that was published meanwhile."""
    config = pair.configs["one"]
    own = own_docroot(config)
    assert own
    sync = docroot_sync.DocrootSync(config, threading.Event())
    pushing = leases.take(own.name, "two:1")
    assert pushing
    pair.put("one", "a.html", "new")
    assert sync.sync()
    assert cursors.read(own, "one") == 0

    file = pair.docroot("one") / "a.html"
    file.write_text("old")
    os.utime(file, (1, 1))
    leases.release(pushing)
    assert not sync.sync()
    assert cursors.read(own, "one") == 0, "it was confirmed although an older file is in its place"

    pair.put("one", "a.html", "new again")
    assert not sync.sync()
    assert cursors.read(own, "one") == journal.newest("one")
    assert leases.holder_of(own.name) is None


def test_a_repair_leaves_what_a_host_is_just_publishing(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker has renamed its file, and commits once the repair has found that the file is newer."""
    old = pair.put("two", "index.html", "old")
    shutil.copy2(pair.docroot("two") / "index.html", pair.docroot("one") / "index.html")
    config = pair.configs["two"]
    (peer,) = (target for target in courier_targets(config) if target.peer == "one")
    cursors.confirm(peer, "two", journal.newest("two"))
    renamed, waited = threading.Event(), threading.Event()

    def publish() -> None:
        with db.write():
            deletions.lock("one")
            file = pair.docroot("one") / "index.html"
            file.write_text("new")
            os.utime(file, (old + 1, old + 1))
            renamed.set()
            waited.wait(10)
            journal.append([Put("index.html", old + 1, "", 3)], "one")
        db.disconnect()

    worker = threading.Thread(target=publish)
    worker.start()
    assert renamed.wait(10)
    lock = deletions.lock
    monkeypatch.setattr(deletions, "lock", lambda host: (waited.set(), lock(host)))
    with TransportFactory() as transports:
        replaced, _, _ = repair.finish_repair(config, transports.open(peer), target_state.read_control(peer.name))
    waited.set()
    worker.join()
    assert (pair.docroot("one") / "index.html").read_text() == "new"
    assert replaced == 0


def test_a_repair_replaces_what_somebody_touched_on_a_publishing_host(pair: Pair) -> None:
    pair.put("two", "index.html", "right")
    touched = pair.docroot("one") / "index.html"
    touched.write_text("wrong")
    config = pair.configs["two"]
    (peer,) = (target for target in courier_targets(config) if target.peer == "one")
    cursors.confirm(peer, "two", journal.newest("two"))
    with TransportFactory() as transports:
        replaced, _, _ = repair.finish_repair(config, transports.open(peer), target_state.read_control(peer.name))
    assert replaced == 1
    assert touched.read_text() == "right"


def test_what_a_push_left_when_a_host_lost_power_is_removed_when_it_starts(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also under a name that a person may have chosen; what anybody else put there stays."""
    monkeypatch.setattr(docroot_leftovers, "_UNCHANGED", 0.2)
    long = "x" + "nö" * 81 + ".html"  # its bytes are cut within a character
    for name in ("page.html", ".htaccess", long):
        pair.put("two", f"a/{name}", "page")
    shutil.copytree(pair.docroot("two"), pair.docroot("one"), dirs_exist_ok=True)
    folder = pair.docroot("one") / "a"
    shortened = [f".{long.encode()[:247].decode()}.Jptf12", f".{long.encode()[:241].decode(errors='ignore')}.xY3aQz"]
    left = [folder / name for name in (".page.html.Jptf12", ".page.html.xY3aQz", ".htaccess.Jptf12", *shortened)]
    others = [
        folder / name
        for name in (
            ".page.html.backup", ".other.html.Jptf12", ".page.html.Kptf12", f".{long[:60]}.Jptf12",
            f".{long.replace('n', 'm').encode()[:247].decode()}.Jptf12",
        )
    ]  # fmt: skip
    for file in (*left, *others):
        file.write_text("pa")
        file.chmod(0o600)
        os.utime(file, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
    others[0].chmod(0o644)
    os.utime(others[2], (1_700_000_000, 1_700_000_000))
    with pair.couriers("one"):
        until(lambda: not any(file.exists() for file in left), 10)
    assert all(file.exists() for file in others)

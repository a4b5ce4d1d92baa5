"""A target whatever is published and whatever breaks: it never goes back, what it confirmed is there, and it converges.

Two publishing hosts with journals of their own send to one target by the real plan and pusher; the transport is a model
of rsync that can be interrupted after any file and before anything is confirmed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from appliance import db
from appliance.config import DeliverySettings, TargetSettings, validate
from appliance.delivery import (
    cursors,
    deletions,
    file_lists,
    journal,
    send_plan,
    stretches,
    target_pusher,
    target_state,
)
from appliance.delivery.journal import Delete, PublishedChange, Put
from appliance.delivery.target_pusher import CourierContext, TargetPusher
from appliance.delivery.targets import Target
from appliance.delivery.transports.base import PushResult
from appliance.errors import DeliveryError
from tests.conftest import empty

HOSTS = ("one", "two")
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
#: Names of which some lie below others, as if those were folders.
PATHS = ("index.html", "a", "a/b", "a/c/d", "b.html", "c.html", "d/e.html", "d/f.html")
host = st.sampled_from(HOSTS)


class Killed(Exception):  # noqa: N818 - no error
    """The courier is killed here."""


class ModelTransport:
    """Does to a folder what rsync does to a target, and stops after so many files."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target, self.folder = target, folder
        #: After how many files it is interrupted, and whether the courier is killed then.
        self.breaks: int | None = None
        self.kills = False

    def warm(self) -> None: ...

    def close(self) -> None: ...

    def push(self, changes: Sequence[PublishedChange], *, older: bool = False) -> PushResult:
        lists = file_lists.list_files(changes, self.target.docroot)
        for path in lists.puts:
            self._step()
            self._put(path, older)
        for path in lists.deletes:
            self._step()
            deletions._remove(self.folder, path)
        self._step()
        return PushResult(len(lists.puts), 0, len(lists.deletes), 1.0, lists.vanished)

    def _step(self) -> None:
        if self.breaks is not None:
            self.breaks -= 1
            if self.breaks < 0:
                self.breaks = None
                raise Killed if self.kills else DeliveryError("interrupted")

    def _put(self, path: str, older: bool) -> None:
        source, there = self.target.docroot / path, self.folder / path
        if there.is_file() and there.stat().st_mtime > source.stat().st_mtime and not older:
            return
        for above in reversed(there.relative_to(self.folder).parents):
            if (self.folder / above).is_file():
                (self.folder / above).unlink()
        if there.is_dir():
            shutil.rmtree(there)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, self.folder / "..new")
        (self.folder / "..new").replace(there)

    def differing(self, changes: Sequence[PublishedChange], *, newer: bool = False) -> list[PublishedChange]:
        chosen = file_lists.select_current(changes, self.target.docroot)
        return [change for change in chosen if not file_lists.are_applied([change], self.folder)[0]]

    def sweep(self, paths: Sequence[str]) -> int:
        return 0


class _Transports:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, target: Target, permit: object) -> Any:
        return ModelTransport(target, self._folder)


class Delivery(RuleBasedStateMachine):
    """Whatever happens to one target."""

    database: str | None = None

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))
        raw = {
            "docroot": str(self.folder / "one"),
            "sites": [{"name": "blog", "title": "B", "url": "https://b.example/"}],
        }
        if self.database:
            raw["database"] = empty(self.database)
        self.stack.callback(db.open_database(validate(raw, self.folder / "appliance.toml")).close)
        db.migrate()
        self.front = self.folder / "front"
        self.front.mkdir()
        self.version = 1_700_000_000
        #: What the target was last seen to show, by path: the version.
        self.seen: dict[str, int] = {}
        #: Whether it was wiped, and nobody may have noticed.
        self.is_wiped = False
        self.targets = {}
        for name in HOSTS:
            (self.folder / name).mkdir()
            settings = TargetSettings(name="front", address=str(self.front), other_path=True)
            self.targets[name] = Target(settings, self.folder / name, DeliverySettings())
        self.pushers = {name: self._pusher(name) for name in HOSTS}

    def teardown(self) -> None:
        if hasattr(self, "pushers"):
            with self.stack:
                self.settle()

    def _pusher(self, name: str) -> TargetPusher:
        context = CourierContext(name, name, True, threading.Event(), rebuild=lambda paths: set(paths))
        return TargetPusher(context, self.targets[name], _Transports(self.front))  # type: ignore[arg-type]

    @rule(name=host, path=st.sampled_from(PATHS), times=st.integers(1, 3))
    def publish(self, name: str, path: str, times: int) -> None:
        for _ in range(times):
            self._publish(name, path)

    @rule(name=host, paths=st.lists(st.sampled_from(PATHS), min_size=5, max_size=12))
    def publish_much(self, name: str, paths: list[str]) -> None:
        for path in paths:
            self._publish(name, path)

    def _publish(self, name: str, path: str) -> None:
        """Build a file on one host; the others have it at once, since that is another target's courier."""
        self.version += 1
        text = f"{path} {self.version}"
        for below in [other for other in PATHS if other.startswith(f"{path}/") or path.startswith(f"{other}/")]:
            self._delete(name, below)
        for docroot in (self.folder / one for one in HOSTS):
            file = docroot / path
            file.parent.mkdir(parents=True, exist_ok=True)
            (docroot / "..new").write_text(text)
            os.utime(docroot / "..new", (self.version, self.version))
            (docroot / "..new").replace(file)
        digest = hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
        self._append(name, Put(path, self.version, digest, len(text)))

    @rule(name=host, path=st.sampled_from(PATHS))
    def delete(self, name: str, path: str) -> None:
        self._delete(name, path)

    def _delete(self, name: str, path: str) -> None:
        if (self.folder / name / path).is_file():
            self.version += 1
            for docroot in (self.folder / one for one in HOSTS):
                deletions._remove(docroot, path)
            self._append(name, Delete(path, self.version))

    def _append(self, name: str, row: Put | Delete) -> None:
        with db.write():
            journal.append([row], name)

    @rule(name=host)
    def push(self, name: str) -> None:
        with suppress(DeliveryError):
            self.pushers[name]._push_due(0)

    @rule(name=host, breaks=st.integers(0, 6), kills=st.booleans())
    def push_and_break(self, name: str, breaks: int, kills: bool) -> None:
        transport: Any = self.pushers[name].transport
        transport.breaks, transport.kills = breaks, kills
        try:
            self.pushers[name]._push_due(0)
        except DeliveryError:
            self.pushers[name].unsure = True
        except Killed:
            db.execute("UPDATE lease SET until = 0")  # it runs out
            self.pushers[name] = self._pusher(name)
        transport.breaks = None

    @rule(some=st.sets(st.sampled_from(PATHS)))
    def lose(self, some: set[str]) -> None:
        """The front end is restored from a backup or wiped, and an administrator has everything sent again."""
        for path in some:
            if (self.front / path).is_file():
                (self.front / path).unlink()
                self.seen.pop(path, None)
        cursors.reset("front")

    @rule()
    def wipe(self) -> None:
        """Unnoticed, but by the next courier's look."""
        shutil.rmtree(self.front)
        self.front.mkdir()
        self.seen = {}
        self.pushers = {name: self._pusher(name) for name in HOSTS}
        self.is_wiped = True

    @invariant()
    def never_backwards(self) -> None:
        if not hasattr(self, "pushers"):
            return
        shown = {path: int((self.front / path).stat().st_mtime) for path in PATHS if (self.front / path).is_file()}
        for path, version in self.seen.items():
            latest = journal.latest_of(path)
            if path in shown:
                assert shown[path] >= version, f"{path} went back"
            else:
                in_the_way = [other for other in PATHS if other.startswith(f"{path}/") or path.startswith(f"{other}/")]
                is_gone = isinstance(latest, Delete) or any(other in shown for other in in_the_way)
                assert is_gone, f"{path} was lost"
        self.seen = shown

    @invariant()
    def what_was_confirmed_is_there(self) -> None:
        if not hasattr(self, "pushers"):
            return
        positions = cursors.read_all(self.targets["one"])
        for path, (number, origin, _) in journal.read_latest(PATHS).items():
            if not self.is_wiped and positions[origin].has(number):
                change = journal.latest_of(path)
                if isinstance(change, Delete) and not file_lists.select_absent([path], self.folder / "one"):
                    continue  # a file in the place of its folder, which will replace that
                assert change and file_lists.are_applied([change], self.front) == [True], f"{path} is not there"
        state = target_state.read(self.targets["one"])
        assert state.level == all(positions[one].through == journal.newest(one) for one in positions)
        latest = journal.read_latest(PATHS).values()
        assert state.waiting == sum(not positions[origin].has(number) for number, origin, _ in latest)

    @rule()
    def settle(self) -> None:
        """Without a further fault the target shows what the hosts have, soon."""
        for _ in range(200):
            for name in HOSTS:
                self.pushers[name]._plan._retry_at.clear()
                self.pushers[name]._push_due(0)
            if target_state.read(self.targets["one"]).level:
                break
        self.is_wiped = False
        shown, wanted = tree(self.front), tree(self.folder / "one")
        assert shown == wanted


def tree(folder: Path) -> dict[str, tuple[str, float]]:
    found = {}
    for file in folder.rglob("*"):
        if file.is_file():
            found[str(file.relative_to(folder))] = (file.read_text(), file.stat().st_mtime)
    return found


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes at which a few files are far behind."""
    monkeypatch.setattr(stretches, "FIRST", 2)
    monkeypatch.setattr(stretches, "FAR", 1)
    monkeypatch.setattr(stretches, "_LEAST", 1)
    monkeypatch.setattr(send_plan, "BATCH_SIZE", 4)
    monkeypatch.setattr(send_plan, "ORDER_WAIT", 0.0)
    monkeypatch.setattr(send_plan, "TAKEOVER_AFTER", 0.0)
    monkeypatch.setattr(target_pusher, "_LEASE_GAP", 0.0)


def run(examples: int, database: str | None = None) -> None:
    chosen = settings(
        max_examples=int(os.environ.get("APPLIANCE_EXAMPLES", examples)),
        stateful_step_count=25,
        deadline=None,
        derandomize="APPLIANCE_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    run_state_machine_as_test(type("Delivery", (Delivery,), {"database": database}), settings=chosen)  # type: ignore[no-untyped-call]


def test_it_never_goes_back_and_converges_on_sqlite() -> None:
    run(40)


def test_it_never_goes_back_and_converges_on_postgresql(request: pytest.FixtureRequest) -> None:
    run(6, request.getfixturevalue("_postgres_url"))

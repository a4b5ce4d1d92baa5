"""Real front ends, and a publishing host without a builder: tests write docroot and journal themselves."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from appliance import db
from appliance.config import DeliverySettings, TargetSettings
from appliance.delivery import journal
from appliance.delivery.journal import Delete, Put
from appliance.delivery.targets import Target
from appliance.demo.frontend import FrontEnd, write_known_hosts
from tests import rsyncs
from tests.leftovers import none_left

ORIGIN = "publisher"


class Publisher:
    """A docroot with its journal, and front ends to send them to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.docroot = folder / "docroot"
        self.docroot.mkdir()
        self.front_ends: list[FrontEnd] = []
        #: The rsync that front ends receive with.
        self.receiving = "rsync"
        self.version = 1_700_000_000
        self.delivery = DeliverySettings(
            ssh_key=folder / "key",
            known_hosts=folder / "known hosts",
            connect_timeout=2,
            timeout=10,
            gather=0,
        )

    def put(self, path: str, text: str, version: int | None = None) -> Put:
        """Write a file as building does, and its row."""
        row = self.write(path, text, version)
        self.journal(row)
        return row

    def write(self, path: str, text: str, version: int | None = None) -> Put:
        self.version += 1
        version = version or self.version
        file = self.docroot / path
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / "fresh"
        fresh.write_text(text)
        os.utime(fresh, (version, version))
        fresh.replace(file)
        data = text.encode()
        return Put(path, version, hashlib.blake2b(data, digest_size=32).hexdigest(), len(data))

    def delete(self, path: str) -> None:
        """Remove a file and the folders it leaves empty, and write the row."""
        self.version += 1
        file = self.docroot / path
        file.unlink()
        for above in file.parents:
            if above == self.docroot or any(above.iterdir()):
                break
            above.rmdir()
        self.journal(Delete(path, self.version))

    def journal(self, *rows: Put | Delete) -> None:
        with db.write():
            journal.append(rows, ORIGIN)

    def local(self, name: str, **settings: object) -> Target:
        folder = self.folder / f"{name} of it"
        return self.target(TargetSettings(name=name, address=str(folder), other_path=True, **settings))  # type: ignore[arg-type]

    def target(self, settings: TargetSettings, **delivery: object) -> Target:
        return Target(settings, self.docroot, self.delivery.model_copy(update=delivery))

    @property
    def targets(self) -> list[Target]:
        return [self.target(front_end.settings()) for front_end in self.front_ends]


def tree(folder: Path) -> dict[str, tuple[str, int] | None]:
    """All below `folder`: files with content and mtime, folders as None, links by where they point."""
    found: dict[str, tuple[str, int] | None] = {}
    # os.walk, not rglob, which raises when a folder of rsync's own goes meanwhile.
    for above, folders, files in os.walk(folder):
        for path in (Path(above, name) for name in folders + files):
            name = str(path.relative_to(folder))
            with suppress(FileNotFoundError):  # rsync's own, gone meanwhile
                if path.is_symlink():
                    found[name] = (f"-> {path.readlink()}", 0)
                else:
                    found[name] = None if path.is_dir() else (path.read_text(), int(path.stat().st_mtime))
    return found


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    opened = db.open_sqlite(tmp_path / "appliance.db")
    db.migrate()
    yield Publisher(tmp_path)
    opened.close()


@pytest.fixture
def front_ends(publisher: Publisher) -> Iterator[Callable[..., list[FrontEnd]]]:
    """Starts front ends that the publisher's key may publish to; ended with all they started."""

    def start(count: int = 2, *, forced: str | None = None, http: bool = False) -> list[FrontEnd]:
        for number in range(count):
            name = f"front{len(publisher.front_ends)}"
            folder = publisher.folder / f"front {number}"
            front_end = FrontEnd(folder, publisher.folder / "key", name, forced, rsync=publisher.receiving)
            publisher.front_ends.append(front_end)
            front_end.start(http=http)
        write_known_hosts(publisher.folder / "known hosts", publisher.front_ends)
        return publisher.front_ends

    with none_left():
        yield start
        for front_end in publisher.front_ends:
            front_end.stop()


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Private folders, sockets, lists: whatever a courier makes is gone after it."""
    # Its name is short, since paths of sockets are; and another's is left by tests that were killed.
    folder = Path(tempfile.mkdtemp(prefix="t", dir=os.path.realpath("/tmp")))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    for name in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    yield
    left = list(folder.iterdir())
    shutil.rmtree(folder)
    assert left == []


@pytest.fixture(params=rsyncs.PAIRS)
def builds(request: pytest.FixtureRequest, publisher: Publisher) -> str:
    """Who sends and who receives with which kind of rsync, in turn; see `tests.rsyncs`."""
    use_builds(request, publisher, request.param)
    return str(request.param)


def use_builds(request: pytest.FixtureRequest, publisher: Publisher, pair: str) -> None:
    """Have one kind of rsync send and one receive, as a pair of `rsyncs.PAIRS` names them; else skip the test."""
    assert request.config.cache
    folder = request.config.cache.mkdir("rsync")
    sending, receiving = (rsyncs.find(kind, folder) for kind in pair.split("-"))
    publisher.delivery = publisher.delivery.model_copy(update={"rsync": str(sending)})
    publisher.receiving = str(receiving)

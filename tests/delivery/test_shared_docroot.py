"""A shared docroot is used only while it is there and ours; until then jobs wait, and nothing fills the local disk."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import db
from appliance.building import publish_job
from appliance.building.docroot import Docroot
from appliance.config import QueueSettings
from appliance.delivery import shared_docroot
from appliance.delivery.shared_docroot import MARKER, DocrootGuard
from appliance.errors import ConfigError, DocrootAway, DocrootError
from appliance.queue import store
from appliance.queue.worker import Worker
from tests.conftest import MakeConfig
from tests.local_site import LocalSite, archive, index, local_site, tree

pytestmark = pytest.mark.conformance("A10")

MANIFEST = index("index.html") + archive("entry", "{slug}.html")


def mark(folder: Path, name: str = "blog") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text(f'name = "{name}"\n')


def said(call: Callable[..., Any], *arguments: Any, **more: Any) -> str:
    with pytest.raises(DocrootAway) as raised:
        call(*arguments, **more)
    return str(raised.value)


def mount(*words: object) -> bool:
    return subprocess.run(["mount", *map(str, words)], capture_output=True).returncode == 0


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Mounts the folder `exported` at `mnt`, as a file server's; skips where this user may not."""
    exported, point = tmp_path / "exported", tmp_path / "mnt"
    exported.mkdir()
    point.mkdir()
    if not mount("--bind", exported, point):
        pytest.skip("mounting takes root and a kernel that lets it")
    yield lambda: subprocess.run(["mount", "--bind", exported, point], check=True) and None
    subprocess.run(["umount", "--lazy", point], capture_output=True)


def test_faults_are_reported_with_their_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "www"
    assert "its file system is not mounted" in said(shared_docroot.read_marker, folder)
    folder.mkdir()
    assert "docroot.init" in said(shared_docroot.read_marker, folder)
    mark(folder)
    assert shared_docroot.read_marker(folder) == "blog"
    for text in ("", "name = 5", "name ="):
        (folder / MARKER).write_text(text)
        assert "has no name" in said(shared_docroot.read_marker, folder)
    assert "unmount it and mount it again" in shared_docroot._describe(
        folder, f"cat: {folder}/{MARKER}: Stale file handle\n"
    )
    assert "(Input/output error)" in shared_docroot._describe(folder, f"cat: {folder}/{MARKER}: Input/output error\n")


def test_a_docroot_of_another_installation_is_refused(tmp_path: Path) -> None:
    mark(tmp_path, "news")
    assert "is that of “news”" in said(DocrootGuard(tmp_path, "blog").check)


def test_a_silent_server_blocks_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / MARKER)  # opened by a reader, it waits for a writer for ever
    try:
        assert "did not answer within 0.1 s" in said(DocrootGuard(tmp_path, "blog", timeout=0.1).check)
    finally:
        os.close(os.open(tmp_path / MARKER, os.O_RDWR))  # lets the reader go that was given up


def test_a_silent_server_with_cached_files_blocks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark(tmp_path / "www")
    silent = tmp_path / "bin" / "stat"
    silent.parent.mkdir()
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o755)
    assert shared_docroot.read_marker(tmp_path / "www") == "blog"
    monkeypatch.setenv("PATH", f"{silent.parent}:{os.environ['PATH']}")
    sentence = f"the docroot {tmp_path}/www did not answer within 0.2 s; check its file server and the network"
    assert said(shared_docroot.read_marker, tmp_path / "www", timeout=0.2) == sentence


def test_a_mount_that_is_read_only(tmp_path: Path) -> None:
    if not mount("-t", "tmpfs", "tmpfs", tmp_path):
        pytest.skip("mounting takes root and a kernel that lets it")
    try:
        mark(tmp_path)
        assert shared_docroot.read_marker(tmp_path) == "blog"
        assert mount("-o", "remount,ro", tmp_path)
        assert "mount it for writing" in said(shared_docroot.read_marker, tmp_path)
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_the_result_of_a_check_counts_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []

    def look(folder: Path, limit: float) -> str:
        looks.append(folder)
        return "blog"

    monkeypatch.setattr(shared_docroot, "read_marker", look)
    guard = DocrootGuard(tmp_path, "blog", lifetime=60)
    for _ in range(3):
        guard.check()
        guard.confirm()
    assert len(looks) == 1
    hasty = DocrootGuard(tmp_path, "blog", lifetime=0)
    hasty.check()
    hasty.check()
    assert len(looks) == 3


def test_a_docroot_that_goes_away_and_comes_back_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(shared_docroot.log, "warning", lambda event, **_values: told.append(event), raising=False)
    monkeypatch.setattr(shared_docroot.log, "info", lambda event, **_values: told.append(event), raising=False)
    guard = DocrootGuard(tmp_path / "www", "blog", lifetime=0)
    for _ in range(2):
        said(guard.check)
    mark(tmp_path / "www")
    for _ in range(2):
        guard.check()
    assert told == ["nothing is published for now", "the docroot is back"]


def test_another_folder_in_its_place_is_noticed_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "www"
    mark(folder)
    guard = DocrootGuard(folder, "blog", lifetime=60)
    guard.check()
    folder.rename(tmp_path / "away")
    assert "not mounted" in said(guard.confirm)
    mark(folder)
    assert "not mounted" in said(guard.check)  # as was found a moment ago
    assert "just been remounted" in said(DocrootGuard(folder, "blog").confirm)


@pytest.fixture
def shop(tmp_path: Path, mounted: Callable[[], None]) -> Iterator[LocalSite]:
    """An installation whose docroot is on the mounted file system, and marked."""
    mark(tmp_path / "mnt" / "www")
    with local_site(tmp_path, MANIFEST, docroot=str(tmp_path / "mnt" / "www"), shared="blog") as opened:
        yield opened


def work(shop: LocalSite, lifetime: float = 0.0) -> None:
    """One round of a worker: all that waits is tried once, with a look at the docroot that holds for so long."""
    kind = shop.kind or publish_job.publish_kind(shop.config, Docroot.of(shop.config))
    shop.kind = kind
    kind.perform.__self__._docroot._guard._lifetime = lifetime  # type: ignore[attr-defined]
    db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")
    worker = Worker("here:1", [kind], QueueSettings(), threading.Event())
    worker.run_batch(store.claim("here:1", ["publish"], 50, 30.0))


def test_jobs_wait_for_a_mount_that_went_away(shop: LocalSite, mounted: Callable[[], None], tmp_path: Path) -> None:
    shop.save("One")
    shop.run()
    shop.save("Two")
    shop.publish()
    waiting = store.count_by_state()["pending"]
    subprocess.run(["umount", tmp_path / "mnt"], check=True)
    for lifetime in (60, 0, 0):  # what was seen before the mount went away is believed at first
        work(shop, lifetime)
    assert tree(tmp_path / "mnt") == {} and list((tmp_path / "mnt").iterdir()) == []
    counts = store.count_by_state()
    assert counts["failed"] == 0 and counts["pending"] == waiting
    rows = db.execute("SELECT failures, error_class, error_message FROM job WHERE state = 'pending'").fetchall()
    assert all(row[:2] == (0, "DocrootAway") and "mount it, or run docroot.init" in row[2] for row in map(tuple, rows))
    assert "not mounted" in said(Docroot.prepare, shop.config)
    shop.save("Three")
    shop.publish()  # what changes meanwhile waits with the rest
    mounted()
    work(shop)
    assert {"index.html", "one.html", "two.html", "three.html"} <= set(tree(tmp_path / "exported" / "www"))
    assert store.count_by_state()["pending"] == 0


def test_a_mount_that_goes_while_files_are_put_in_place_publishes_nothing(
    shop: LocalSite, mounted: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.save("One")
    shop.publish()
    put = Docroot.put

    def put_and_lose(self: Docroot, staged: Path, path: str) -> None:
        put(self, staged, path)
        subprocess.run(["umount", "--lazy", tmp_path / "mnt"], check=True)

    monkeypatch.setattr(Docroot, "put", put_and_lose)
    work(shop)
    monkeypatch.undo()
    assert shop.journal() == [] and store.count_by_state()["failed"] == 0
    assert not (tmp_path / "mnt" / "www" / "index.html").exists()
    mounted()
    work(shop)
    assert {path for path, _, _ in shop.journal()} == {"index.html", "one.html"}


def test_a_docroot_is_marked_deliberately(tmp_path: Path, make_config: MakeConfig, mounted: Callable[[], None]) -> None:
    config = make_config(shared="blog", docroot=str(tmp_path / "mnt" / "www"))
    place = shared_docroot.create_marker(config)
    assert place.point == tmp_path / "mnt"
    assert shared_docroot.read_marker(config.docroot) == "blog"
    assert shared_docroot.create_marker(config) == place
    other = make_config(shared="news", docroot=str(tmp_path / "mnt" / "www"))
    with pytest.raises(DocrootError, match="is the docroot of “blog” already"):
        shared_docroot.create_marker(other, anyway=True)
    (config.docroot / MARKER).unlink()
    (config.docroot / "index.html").write_text("x")
    with pytest.raises(DocrootError, match=r"holds files already, such as index\.html"):
        shared_docroot.create_marker(config)
    shared_docroot.create_marker(config, anyway=True)
    assert (config.docroot / MARKER).stat().st_mode & 0o777 == 0o644


def test_the_local_disk_is_not_taken_for_a_shared_one(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        shared_docroot, "mount_of", lambda _folder: shared_docroot.Mount(Path("/"), "ext4", "/dev/sda1")
    )
    config = make_config(shared="blog")
    with pytest.raises(DocrootError, match="which no front end mounts"):
        shared_docroot.create_marker(config)
    assert not config.docroot.exists()
    shared_docroot.create_marker(config, anyway=True)
    with pytest.raises(ConfigError, match="shared is not set"):
        shared_docroot.create_marker(make_config())


def test_nothing_is_sent_from_a_shared_docroot(make_config: MakeConfig, tmp_path: Path) -> None:
    target = {"name": "www1", "address": f"{tmp_path}/copy", "other_path": True}
    with pytest.raises(ConfigError, match="a docroot that front ends mount is not sent to targets"):
        make_config(shared="blog", targets=[target])
    with pytest.raises(ConfigError, match="is not a name"):
        make_config(shared="Our Blog")

"""Couriers with real sshd and rsync: what a target shows in the end, and what is never done on the way."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import db
from appliance.config import TargetSettings
from appliance.delivery import cursors, journal, send_plan, target_state, target_worker
from appliance.delivery.courier import Couriers
from appliance.delivery.journal import Delete, Put
from appliance.delivery.targets import Target
from appliance.delivery.transports import rsync, ssh_hops
from appliance.demo.frontend import FrontEnd, free_port

from .conftest import ORIGIN, Publisher, tree

FrontEnds = Callable[..., list[FrontEnd]]


@pytest.mark.conformance("A2")
def test_puts_edits_and_deletions_reach_both_front_ends(publisher: Publisher, front_ends: FrontEnds) -> None:
    first, second = front_ends()
    with Couriers(publisher.targets) as couriers:
        publisher.put("index.html", "one")
        publisher.put("2026/11/hello/index.html", "hello")
        publisher.put("2026/12/bye/index.html", "bye")
        assert [(s.level, s.error) for s in couriers.settle()] == [(True, None)] * 2
        assert tree(first.docroot) == tree(second.docroot) == tree(publisher.docroot)
        publisher.put("index.html", "two, and longer")
        publisher.delete("2026/12/bye/index.html")
        states = couriers.settle()
        assert tree(first.docroot) == tree(second.docroot) == tree(publisher.docroot)
        assert "2026/12" not in tree(first.docroot)
    assert [(s.files, s.waiting, s.lag, s.error) for s in states] == [(4, 0, 0.0, None)] * 2


def test_an_edit_of_the_same_size_in_the_same_second_arrives(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    with Couriers(publisher.targets) as couriers:
        publisher.put("a.html", "one", version=1_800_000_000)
        couriers.settle()
        publisher.put("a.html", "two", version=1_800_000_000)
        couriers.settle()
    assert (front.docroot / "a.html").read_text() == "two"


def test_an_older_version_never_replaces_a_newer_one(publisher: Publisher) -> None:
    target = publisher.local("copy")
    publisher.put("a.html", "old", version=1_800_000_000)
    target.folder.mkdir()
    (target.folder / "a.html").write_text("newer")
    os.utime(target.folder / "a.html", (1_800_000_001, 1_800_000_001))
    with Couriers([target]) as couriers:
        couriers.settle()
    assert (target.folder / "a.html").read_text() == "newer"


@pytest.mark.parametrize("place", ["local", "ssh"])
def test_files_and_folders_swap_places(publisher: Publisher, front_ends: FrontEnds, place: str) -> None:
    target = publisher.local("copy") if place == "local" else None
    if target is None:
        front_ends(1)
        (target,) = publisher.targets
    folder = target.folder
    with Couriers([target]) as couriers:
        publisher.put("was-file", "file")
        publisher.put("was-folder/a/index.html", "deep")
        publisher.put("was-folder/index.html", "shallow")
        couriers.settle()
        publisher.delete("was-file")
        publisher.put("was-file/index.html", "now a folder")
        publisher.delete("was-folder/a/index.html")
        publisher.delete("was-folder/index.html")
        publisher.put("was-folder", "now a file")
        assert couriers.settle()[0].error is None
    assert tree(folder) == tree(publisher.docroot)


NAMES = [
    "with space.html",
    " leading and trailing ",
    "new\nline.html",
    "-rf",
    "--delete",
    "#hash",
    ";semicolon",
    "ünïcödé/日本語/🦀.html",
    "é" * 127 + "x",
    "quote'\"`$(touch x)\\.html",
    "star*?[a].html",
    "colon:host::module",
    ".well-known/x",
    "tab\t",
    "-/-",
    "#/#",
]


@pytest.mark.parametrize("place", ["local", "ssh"])
def test_names_of_every_kind_travel_both_ways(publisher: Publisher, front_ends: FrontEnds, place: str) -> None:
    target = publisher.local("copy") if place == "local" else None
    if target is None:
        front_ends(1)
        (target,) = publisher.targets
    with Couriers([target]) as couriers:
        for name in NAMES:
            publisher.put(name, name)
        assert couriers.settle()[0].error is None
        assert tree(target.folder) == tree(publisher.docroot)
        assert len(tree(target.folder)) >= len(NAMES)
        for name in NAMES:
            publisher.delete(name)
        assert couriers.settle()[0].error is None
    assert tree(target.folder) == {}


@pytest.mark.conformance("A7")
def test_a_stranger_with_another_host_key_is_refused(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    wrong = (publisher.folder / "key.pub").read_text().split()[1]
    pinned = publisher.folder / "known hosts"
    pinned.write_text(f"[127.0.0.1]:{front.ssh_port} ssh-ed25519 {wrong}\n")
    publisher.put("index.html", "secret")
    with Couriers(publisher.targets) as couriers:
        (state,) = couriers.settle(tries=1)
    assert not state.level
    assert state.error and "not the pinned one" in state.error
    assert wrong in pinned.read_text() and pinned.read_text().count("\n") == 1
    assert tree(front.docroot) == {}


def test_an_unknown_host_is_not_learned(publisher: Publisher, front_ends: FrontEnds) -> None:
    front_ends(1)
    pinned = publisher.folder / "known hosts"
    pinned.write_text("")
    publisher.put("index.html", "secret")
    with Couriers(publisher.targets) as couriers:
        (state,) = couriers.settle(tries=1)
    assert state.error and "not the pinned one" in state.error
    assert pinned.read_text() == ""


def test_a_refused_key_is_reported(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    (front.folder / "authorized_keys").write_text("")
    publisher.put("index.html", "x")
    with Couriers(publisher.targets) as couriers:
        (state,) = couriers.settle(tries=1)
    assert state.error and "refuses the key" in state.error


def test_a_front_end_that_is_down_delays_no_other_and_catches_up(
    publisher: Publisher, front_ends: FrontEnds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_worker, "LONGEST_PAUSE", 1.0)  # else it would be tried seldom by the time it is up again
    first, second = front_ends()
    hanging = socket.create_server(("127.0.0.1", 0))  # accepts, and says nothing
    silent = TargetSettings(
        name="silent",
        address="127.0.0.1:/srv/www",
        port=hanging.getsockname()[1],
        other_path=True,
    )
    first.stop()
    publisher.put("index.html", "x")
    # Sooner than the silent one is given up, with time enough for a first connection on a busy machine.
    with hanging, Couriers([publisher.target(silent, connect_timeout=8), *publisher.targets]) as couriers:
        until(lambda: (second.docroot / "index.html").exists(), 6)
        states = couriers.settle(tries=1)
        assert [s.level for s in states] == [False, False, True]
        assert states[0].error and "does not answer" in states[0].error
        assert states[1].error and "nothing listens there" in states[1].error
        assert states[1].waiting == 1 and states[1].lag > 0
        first.start_sshd()
        until(lambda: (first.docroot / "index.html").exists(), 15)


def until(condition: Callable[[], bool], seconds: float) -> None:
    """For what another process does: nothing here could be waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_the_cursor_stays_after_a_failure_and_a_new_courier_goes_on(
    publisher: Publisher, front_ends: FrontEnds
) -> None:
    (front,) = front_ends(1)
    (target,) = publisher.targets
    publisher.put("a.html", "a")
    with Couriers([target]) as couriers:
        couriers.settle()
    confirmed = cursors.read(target, ORIGIN)
    assert confirmed == journal.newest(ORIGIN) > 0
    front.stop()
    publisher.put("b.html", "b")
    with Couriers([target]) as couriers:
        (state,) = couriers.settle(tries=1)
    assert cursors.read(target, ORIGIN) == confirmed
    assert not state.level and state.waiting == 1 and state.error
    front.start_sshd()
    with Couriers([target]) as couriers:
        (state,) = couriers.settle()
    assert state.level and state.error is None and state.confirmed == journal.newest(ORIGIN)
    assert tree(front.docroot) == tree(publisher.docroot)


@pytest.mark.parametrize("place", ["local", "ssh"])
def test_leftovers_of_an_interrupted_push_are_removed(publisher: Publisher, front_ends: FrontEnds, place: str) -> None:
    """Also where what it was to bring was published anew, here or by another host, or is deleted by now."""
    target = publisher.local("copy") if place == "local" else None
    if target is None:
        front_ends(1)
        (target,) = publisher.targets
    publisher.put("blog/a.html", "first")
    publisher.put("old/a.html", "first")
    publisher.put("gone/a.html", "first")
    for folder in ("blog", "old", "gone"):
        holding = target.folder / folder / ".~tmp~"
        holding.mkdir(parents=True)
        (holding / "a.html").write_text("half of")
    for folder in ("blog", "old"):
        (target.folder / folder / ".a.html.AbC123").write_text("half of")
    publisher.put("blog/a.html", "all of it")
    publisher.delete("gone/a.html")
    (row,) = [publisher.write("old/a.html", "of another host")]
    with db.write():
        journal.append([row], "another")
    cursors.confirm(target, "another", journal.newest("another"))
    (target.folder / "old" / "a.html").write_text("of another host")
    os.utime(target.folder / "old" / "a.html", (row.version, row.version))
    (target.folder / "blog" / "theirs").write_text("stays")
    cursors.record_failure(target, ORIGIN, "it broke")
    with Couriers([target]) as couriers:
        assert couriers.settle()[0].error is None
    (target.folder / "blog" / "theirs").unlink()
    assert tree(target.folder) == tree(publisher.docroot)


@pytest.mark.conformance("A6")
def test_superseded_rows_are_not_sent(publisher: Publisher) -> None:
    target = publisher.local("copy")
    lines: list[str] = []
    for number in range(5):
        publisher.put("a.html", f"version {number}")
    publisher.put("b.html", "b")
    with Couriers([target], lines.append) as couriers:
        couriers.settle()
    assert len(lines) == 1
    assert lines[0].startswith("copy: 2 sent (") and "of 2 (a.html, b.html)" in lines[0] and lines[0].endswith("ok")
    assert (target.folder / "a.html").read_text() == "version 4"


def test_a_change_that_is_there_already_sends_nothing(publisher: Publisher) -> None:
    target = publisher.local("copy")
    lines: list[str] = []
    row = publisher.put("a.html", "a")
    with Couriers([target], lines.append) as couriers:
        couriers.settle()
        publisher.journal(row)
        couriers.settle()
        couriers.settle()
    assert [line.split(" (")[0] for line in lines] == ["copy: 1 sent", "copy: 0 sent"]


def test_a_put_without_its_file_blocks_and_deletes_nothing(publisher: Publisher) -> None:
    target = publisher.local("copy")
    publisher.put("a.html", "a")
    with Couriers([target]) as couriers:
        couriers.settle()
        (publisher.docroot / "a.html").unlink()
        publisher.journal(Put("a.html", 1, "", 0))
        publisher.put("b.html", "b")
        (state,) = couriers.settle()
    assert state.level and state.error is None
    assert set(tree(target.folder)) == {"a.html", "b.html"}


def test_a_file_that_vanishes_before_the_run_blocks_nothing(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = publisher.local("copy")
    real, looks = rsync.list_files, []

    def select_and_lose(changes: list[journal.PublishedChange], docroot: Path) -> object:
        lists = real(changes, docroot)
        looks.append(lists.puts)
        (docroot / "a.html").unlink(missing_ok=True)
        return lists

    monkeypatch.setattr(rsync, "list_files", select_and_lose)
    publisher.put("a.html", "a")
    publisher.put("b.html", "b")
    with Couriers([target]) as couriers:
        (state,) = couriers.settle()
    assert looks == [["a.html", "b.html"], ["b.html"]]
    assert state.level and set(tree(target.folder)) == {"b.html"}


def test_a_deletion_of_a_file_that_is_there_is_not_sent(publisher: Publisher) -> None:
    target = publisher.local("copy")
    publisher.put("a.html", "a")
    with Couriers([target]) as couriers:
        couriers.settle()
        publisher.journal(Delete("a.html", publisher.version))
        (state,) = couriers.settle()
    assert state.level and set(tree(target.folder)) == {"a.html"}


def test_a_folder_with_files_of_others_stays(publisher: Publisher) -> None:
    target = publisher.local("copy")
    publisher.put("a/b/c.html", "c")
    with Couriers([target]) as couriers:
        couriers.settle()
        (target.folder / "a" / "robots.txt").write_text("theirs")
        publisher.delete("a/b/c.html")
        (state,) = couriers.settle()
    assert state.error is None and set(tree(target.folder)) == {"a", "a/robots.txt"}


def test_no_link_is_followed_or_sent(publisher: Publisher) -> None:
    target = publisher.local("copy")
    outside = publisher.folder / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (publisher.docroot / "link").symlink_to(outside)
    (publisher.docroot / "file").symlink_to(outside / "secret")
    os.mkfifo(publisher.docroot / "fifo")
    publisher.journal(*(Put(path, 1, "", 0) for path in ("link/secret", "file", "fifo", "../outside/secret")))
    publisher.journal(Delete("../outside/secret", 1), Delete("link/nothing", 1))
    publisher.put("a.html", "a")
    (target.folder / "sub").parent.mkdir()
    (target.folder / "sub").symlink_to(outside)
    publisher.put("sub/index.html", "not outside")
    with Couriers([target]) as couriers:
        (state,) = couriers.settle()
    assert state.error is None
    assert set(tree(target.folder)) == {"a.html", "sub", "sub/index.html"}
    assert set(tree(outside)) == {"secret"}


def test_a_docroot_that_is_missing_confirms_nothing(publisher: Publisher) -> None:
    target = publisher.local("copy")
    publisher.put("a.html", "a")
    publisher.docroot.rename(publisher.folder / "elsewhere")
    with Couriers([target]) as couriers:
        (state,) = couriers.settle(tries=1)
    assert state.error and "is not a folder" in state.error
    assert cursors.read(target, ORIGIN) == 0


def test_many_files_travel_in_one_push(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    rows = [publisher.write(f"{n % 10}/{n}/index.html", f"page {n}") for n in range(600)]
    publisher.journal(*rows)
    lines: list[str] = []
    with Couriers(publisher.targets, lines.append) as couriers:
        couriers.settle()
    assert len(lines) == 1 and lines[0].startswith("front0: 600 sent")
    assert tree(front.docroot) == tree(publisher.docroot)


def test_a_long_journal_is_read_in_batches(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_plan, "BATCH_SIZE", 4)
    target = publisher.local("copy")
    publisher.journal(*(publisher.write(f"{n}.html", "x") for n in range(10)))
    lines: list[str] = []
    with Couriers([target], lines.append) as couriers:
        couriers.settle()
    assert [line.split()[1] for line in lines] == ["4", "4", "2"]
    assert cursors.read(target, ORIGIN) == journal.newest(ORIGIN)


def slow(publisher: Publisher) -> tuple[Target, Path]:
    """A target whose rsync takes a minute, and the file that says its process id once it runs."""
    began, script = publisher.folder / "began", publisher.folder / "slow-rsync"
    script.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exec rsync --version\n'
        f"echo $$ > {began}.new; mv {began}.new {began}\nsleep 60\n"
    )
    script.chmod(0o755)
    return publisher.target(publisher.local("copy").settings, rsync=str(script)), began


def test_a_courier_that_is_stopped_ends_its_rsync(publisher: Publisher) -> None:
    target, began = slow(publisher)
    publisher.put("a.html", "a")
    started = time.monotonic()
    with Couriers([target]):
        until(began.exists, 5)
    assert time.monotonic() - started < 5
    assert not Path(f"/proc/{began.read_text().strip()}").exists()
    assert target_state.read(target).error is None and cursors.read(target, ORIGIN) == 0


def test_couriers_can_be_stopped_wherever_a_signal_comes(publisher: Publisher) -> None:
    target, began = slow(publisher)
    publisher.put("a.html", "a")
    with Couriers([target]) as couriers:
        until(began.exists, 5)
        with couriers._workers[0]._pusher.transport._runner._lock:
            couriers.stop_now()
        (state,) = couriers.settle()
    assert not state.level and state.error is None


def test_couriers_push_when_they_are_woken_and_end_when_told(publisher: Publisher, front_ends: FrontEnds) -> None:
    (front,) = front_ends(1)
    with Couriers(publisher.targets) as couriers:
        for text in ("one", "two"):
            publisher.put("a.html", text)
            couriers.wake()
            until(lambda text=text: tree(front.docroot).get("a.html", ("",))[0] == text, 5)  # type: ignore[misc]
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("courier-")]


def test_a_target_that_moved_begins_anew(publisher: Publisher) -> None:
    publisher.put("a.html", "a")
    with Couriers([publisher.local("one")]) as couriers:
        couriers.settle()
    moved = TargetSettings(name="one", address=str(publisher.folder / "two"), other_path=True)
    with Couriers([publisher.target(moved)]) as couriers:
        couriers.settle()
    assert tree(publisher.folder / "two") == tree(publisher.docroot)


@pytest.mark.parametrize("access", ["shell", "rrsync"])
def test_other_ways_to_confine_a_key(publisher: Publisher, front_ends: FrontEnds, access: str) -> None:
    forced = {
        "shell": 'sh -c "$SSH_ORIGINAL_COMMAND"',
        "rrsync": f"rrsync -wo -munge '{publisher.folder}/front 0/docroot'",
    }[access]
    (front,) = front_ends(1, forced=forced)
    target = publisher.target(front.settings().model_copy(update={"access": access}))
    with Couriers([target]) as couriers:
        publisher.put("a b/c.html", "c")
        publisher.put("d.html", "d")
        (state,) = couriers.settle(tries=1)
        assert state.error is None
        publisher.delete("a b/c.html")
        (state,) = couriers.settle(tries=1)
        assert state.error is None
    assert tree(front.docroot) == tree(publisher.docroot)


def test_a_front_end_with_another_writer_is_busy(publisher: Publisher, front_ends: FrontEnds) -> None:
    front_ends(1, forced="echo Another instance of rrsync is already accessing this directory. >&2; exit 1")
    publisher.put("a.html", "a")
    with Couriers(publisher.targets) as couriers:
        (state,) = couriers.settle(tries=1)
    assert state.error and "another writer is at work" in state.error


class TestTheKey:
    """What the publishing host's key can do on a front end, beside what it is for: nothing."""

    @pytest.fixture
    def front(self, publisher: Publisher, front_ends: FrontEnds) -> FrontEnd:
        (front,) = front_ends(1)
        (front.docroot / "page.html").write_text("page")
        return front

    def ssh(self, publisher: Publisher, *words: str) -> subprocess.CompletedProcess[bytes]:
        (target,) = publisher.targets
        settings = publisher.folder / "ssh settings"
        settings.write_text(ssh_hops.target_configuration(target, publisher.folder / "none"))
        command = ["ssh", "-F", str(settings), target.host or "", *words]
        return subprocess.run(command, input=b"", capture_output=True, timeout=20, check=False)

    def rsync(self, publisher: Publisher, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        (target,) = publisher.targets
        settings = publisher.folder / "ssh settings"
        settings.write_text(ssh_hops.target_configuration(target, publisher.folder / "none"))
        command = ["rsync", "-e", f"ssh -F '{settings}'", *arguments]
        return subprocess.run(command, capture_output=True, timeout=20, check=False)

    def test_gives_no_shell(self, publisher: Publisher, front: FrontEnd) -> None:
        done = self.ssh(publisher, "touch", str(front.folder / "touched"))
        assert done.stdout.startswith(b"@RSYNCD")
        assert not (front.folder / "touched").exists()

    def test_pulls_nothing(self, publisher: Publisher, front: FrontEnd) -> None:
        away = publisher.folder / "pulled"
        assert self.rsync(publisher, f"{publisher.targets[0].host}::docroot/page.html", str(away)).returncode
        assert self.rsync(publisher, f"{publisher.targets[0].host}:{front.docroot}/page.html", str(away)).returncode
        assert not away.exists()

    def test_writes_nothing_outside(self, publisher: Publisher, front: FrontEnd) -> None:
        host, source = publisher.targets[0].host, publisher.folder / "planted"
        source.write_text("planted")
        self.rsync(publisher, str(source), f"{host}::docroot/../planted")
        self.rsync(publisher, str(source), f"{host}:{front.folder}/planted")
        self.rsync(publisher, str(source), f"{host}::other/planted")
        assert not list(front.folder.rglob("planted")) or (front.docroot / "planted").exists()
        assert not (front.folder / "planted").exists()

    def test_plants_no_link(self, publisher: Publisher, front: FrontEnd) -> None:
        link = publisher.folder / "link"
        link.symlink_to("/etc")
        assert self.rsync(publisher, "-l", str(link), f"{publisher.targets[0].host}::docroot/").returncode
        assert not (front.docroot / "link").is_symlink()

    def test_forwards_nothing(self, publisher: Publisher, front: FrontEnd) -> None:
        done = self.ssh(publisher, "-o", "ClearAllForwardings=no", "-W", f"127.0.0.1:{front.ssh_port}")
        assert done.returncode and b"SSH-2.0" not in done.stdout


def test_pauses_grow_and_differ() -> None:
    assert 0.25 <= target_worker.retry_pause(1) <= 0.5
    assert all(5 <= target_worker.retry_pause(99) <= 10 for _ in range(20))
    assert len({target_worker.retry_pause(9) for _ in range(20)}) > 1


def test_a_free_port_is_one_nobody_has_and_the_kernel_gives_nobody() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    for _ in range(20):
        with socket.create_server(("127.0.0.1", port := free_port())):
            assert not low <= port <= high


def test_threads_leave_no_connection_open(publisher: Publisher) -> None:
    target = publisher.local("copy")
    publisher.put("a.html", "a")
    counts = []
    for _ in range(3):
        with Couriers([target]) as couriers:
            couriers.settle()
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    assert counts[0] == counts[1] == counts[2]

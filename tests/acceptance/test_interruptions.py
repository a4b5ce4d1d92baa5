"""Processes that are stopped, killed or many: the next drain finishes what is left, and nothing is half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.building.docroot import Docroot
from appliance.demo.frontend import FrontEnd, descendants
from tests.acceptance.conftest import Shell
from tests.leftovers import none_left
from tests.local_site import tree

#: Long enough to be caught in the middle, also by a test that gets its turn late: many milliseconds a page.
SLOW = "{% for i in range(100000) %}{% set x = i %}{% endfor %}{{ entry.title }}."
POSTS = 150


@pytest.fixture
def busy(shell: Shell) -> Iterator[Shell]:
    """Many slow pages, planned; nothing of it may be alive afterwards."""
    with none_left():
        shell.theme(entry_html=SLOW)
        for number in range(POSTS):
            shell.post(f"p{number}")
        shell.planned()
        yield shell


def complete(shell: Shell) -> None:
    """Every file is whole, known, and there; no job is left."""
    assert shell.ask("SELECT COUNT(*) FROM job WHERE state <> 'done'") == [(0,)]
    whole = tree(shell.docroot)
    assert set(whole) == {"index.html", *(f"p{n}/index.html" for n in range(POSTS))}
    assert all(text == f"{path.split('/')[0]}.".encode() for path, text in whole.items() if path != "index.html")
    staging = shell.docroot.parent / f".{shell.docroot.name}.staging"
    Docroot(shell.docroot, staging).sweep(older_than=-60)
    assert [f for f in staging.iterdir() if f.name[0] != "."] == []
    versions = shell.ask("SELECT path, version FROM publication ORDER BY id")
    assert len(set(versions)) == len(versions)


def served_whole(shell: Shell) -> None:
    """What is in the docroot now is whole, temporary files are not among it."""
    for path, text in tree(shell.docroot).items():
        # A folder may have been made for a file that is yet to come.
        assert path.endswith("/") or path == "index.html" or text == f"{path.split('/')[0]}.".encode()


def test_an_interrupt_ends_a_drain_quickly_and_the_next_one_finishes(busy: Shell) -> None:
    drain = busy.start("drain", "--workers", "2")
    busy.await_that(lambda: busy.published() > 5, drain)
    began = time.monotonic()
    os.killpg(drain.pid, signal.SIGINT)  # as a terminal does
    out, err = drain.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert drain.returncode == 130
    assert "Interrupted; unfinished jobs stay on the queue." in err
    assert "Traceback" not in out + err
    assert busy.ask("SELECT COUNT(*) FROM job WHERE state = 'running'") == [(0,)]
    assert 5 < busy.published() < POSTS
    served_whole(busy)
    busy.run("drain", "--workers", "2")
    complete(busy)


def test_a_worker_killed_in_the_middle_is_replaced_and_its_jobs_are_done(busy: Shell) -> None:
    drain = busy.start("drain", "--workers", "2")
    busy.await_that(lambda: busy.published() > 5, drain)
    holders = {int(w.partition(":")[2]) for (w,) in busy.ask("SELECT DISTINCT worker FROM job WHERE state = 'running'")}
    assert holders <= set(descendants(drain.pid))
    os.kill(min(holders), signal.SIGKILL)
    out, err = drain.communicate(timeout=60)
    assert drain.returncode == 0, (out, err)
    assert "process ended, starting it again" in err
    complete(busy)
    assert busy.ask("SELECT MAX(failures) FROM job") == [(1,)]


def test_a_whole_drain_killed_in_the_middle(busy: Shell) -> None:
    drain = busy.start("drain", "--workers", "2")
    busy.await_that(lambda: busy.published() > 5, drain)
    os.killpg(drain.pid, signal.SIGKILL)
    drain.communicate(timeout=30)
    served_whole(busy)
    began = time.monotonic()
    busy.run("drain", "--workers", "2")
    assert time.monotonic() - began < 25, "the dead workers' leases of 30 seconds need not run out"
    complete(busy)


def test_two_drains_at_once(busy: Shell) -> None:
    drains = [busy.start("drain", "--workers", "1") for _ in range(2)]
    for drain in drains:
        out, err = drain.communicate(timeout=60)
        assert drain.returncode == 0, (out, err)
    complete(busy)
    assert busy.published() == POSTS + 1, "no page was published twice"


def test_a_limit_is_kept(busy: Shell) -> None:
    busy.run("drain", "--workers", "2", "--limit", "7")
    assert busy.ask("SELECT COUNT(*) FROM job WHERE state = 'done'") == [(7,)]
    assert busy.published() == 7


def test_a_drain_beside_a_daemon(shell: Shell, front_ends: tuple[Path, list[FrontEnd]]) -> None:
    folder, fronts = front_ends
    settle(shell, folder, fronts)
    shell.post("one")
    shell.run("content.import", "posts")
    daemon = shell.start("work", "--workers", "1")
    try:
        shell.run("publish")
        shell.run("drain", "--workers", "1")
        for front in fronts:
            assert tree(front.docroot) == tree(shell.docroot)
        shell.post("one", "Edited.")
        shell.planned()
        shell.await_that(lambda: all("Edited." in read(f.docroot / "one/index.html") for f in fronts), daemon)
    finally:
        os.kill(daemon.pid, signal.SIGTERM)
        out, err = daemon.communicate(timeout=30)
    assert daemon.returncode == 0, (out, err)
    assert "Traceback" not in out + err


def test_a_front_end_that_is_down(shell: Shell, front_ends: tuple[Path, list[FrontEnd]]) -> None:
    folder, (up, down) = front_ends
    settle(shell, folder, [up, down], tries=2)
    shell.post("two")
    shell.planned()
    down.stop()
    try:
        began = time.monotonic()
        refused = shell.run("drain", code=2)
        assert time.monotonic() - began < 20
        assert f"{up.name}: level" in refused.stdout
        assert f"{down.name}: behind by 2 files" in refused.stdout
        assert tree(up.docroot) == tree(shell.docroot)
    finally:
        down.start_sshd()
    shell.run("drain")
    assert tree(down.docroot) == tree(shell.docroot)


def settle(shell: Shell, folder: Path, fronts: list[FrontEnd], tries: int = 4) -> None:
    """Have the installation publish to front ends that show nothing yet."""
    shell.deliver_to(fronts, tries=tries)
    settings = shell.folder / "appliance.toml"
    settings.write_text(settings.read_text().replace(f"{shell.folder.parent}/key", f"{folder}/key"))
    for front in fronts:
        for path in tree(front.docroot):
            (front.docroot / path).unlink()
        subprocess.run(["find", front.docroot, "-mindepth", "1", "-type", "d", "-delete"], check=True)


def read(file: Path) -> str:
    return file.read_text("utf-8") if file.is_file() else ""

"""The demonstration, for real: a sample site, two front ends, a comment that is timed, and nothing left behind."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest

from appliance import clock
from appliance.demo import comparison, frontend
from appliance.demo import folder as folders
from appliance.errors import DeliveryError, DemoError

COMMAND = [sys.executable, "-c", "from appliance.tasks import main; main()"]
SECONDS = 120


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], cwd=folder, capture_output=True, text=True, timeout=SECONDS)


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command under way; killed if the block leaves it running."""
    command = [*COMMAND, *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said_until(process: subprocess.Popen[str], sign: str) -> str:
    """What a process says, up to `sign`."""
    said = ""
    while sign not in said:
        assert process.stdout is not None
        character = process.stdout.read(1)
        assert character, said
        said += character
    return said


def processes_of(folder: Path) -> list[str]:
    """Command lines of processes that work in `folder` or are started with it."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = str((process / "cwd").readlink())
            if line and process.name != str(os.getpid()) and (str(folder) in line or place.startswith(str(folder))):
                found.append(f"{process.name}: {line} in {place}")
    return found


def await_gone(folder: Path) -> None:
    deadline = clock.monotonic() + 10
    while left := processes_of(folder):
        assert clock.monotonic() < deadline, left
        clock.sleep(0.02)


def page(url: str) -> str:
    host, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", "/" + path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def send_comment(url: str, text: str) -> int:
    """Send the form of a page without a script, which asks to confirm; returns the status of the answer to that."""
    host, _, _ = url.removeprefix("http://").partition("/")
    seen = page(url)
    for _ in range(2):
        action = re.search(r'<form class="comment-form" method="post" action="([^"]+)"', seen)
        assert action, seen
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', seen))
        connection = http.client.HTTPConnection(host, timeout=5)
        with closing(connection):
            body = urlencode({**hidden, "name": "Ada", "text": text})
            connection.request("POST", action[1], body, {"Content-Type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            status, seen = answer.status, answer.read().decode()
    return status


@pytest.mark.slow
def test_a_comment_is_on_both_front_ends_and_nothing_stays(tmp_path: Path) -> None:
    ended = run(tmp_path, "demo")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    assert re.search(r"through the form of .*: readable on front1 after \d+ ms, front2 after \d+ ms", ended.stdout)
    assert re.search(r"On both front ends \d+ ms after it was sent", ended.stdout)
    assert re.search(r"\d entries with the word “lighthouse”, found on front2", ended.stdout)
    assert re.search(r"byte-identical: \d{3} files", ended.stdout)
    assert processes_of(tmp_path) == []
    home = tmp_path / "demo-site"
    assert "Posted by the demo at" in "".join(f.read_text() for f in (home / "front2" / "docroot").rglob("index.html"))
    assert comparison.compare_folders(home / "www", [home / "front1" / "docroot"]).differences == []


@pytest.mark.slow
def test_after_a_killed_run_it_works_in_the_same_folder_and_serves_until_interrupted(tmp_path: Path) -> None:
    with started(tmp_path, "demo") as first:
        said_until(first, "Published")
        first.send_signal(signal.SIGKILL)
    with started(tmp_path, "demo", "--serve") as second:
        said = said_until(second, "Ctrl-C")
        urls = re.findall(r"^  (http://\S+/)$", said, re.MULTILINE)
        search = re.search(r"^  (http://\S+/-/\S+)$", said, re.MULTILINE)
        form = re.search(r"^  (http://\S+)#respond$", said, re.MULTILINE)
        edit = re.search(r"content.edit (\S+)", said)
        assert len(urls) == 2
        assert form
        assert search
        assert "<mark>" in page(search[1])
        assert edit
        home = tmp_path / "demo-site"
        address = form[1].removeprefix(urls[0].rstrip("/"))
        assert send_comment(form[1], "Said through the form.") == 303
        assert run(home, "content.edit", edit[1], "--title", "Said from another shell").returncode == 0
        deadline = clock.monotonic() + 10
        for text in ("Said through the form.", "Said from another shell"):
            while not all(text in page(url.rstrip("/") + address) for url in urls):
                assert clock.monotonic() < deadline
                clock.sleep(0.01)
        second.send_signal(signal.SIGINT)
        assert second.wait(SECONDS) == 0
    await_gone(tmp_path)
    settings = (home / "appliance.toml").read_text()
    assert settings.count("[[targets]]") == 2
    assert not (home / "tmp").exists()


def test_what_is_missing_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"rsync", "ssh", "ssh-keygen"}
    monkeypatch.setattr(frontend.shutil, "which", lambda name, path=None: name if name in there else None)
    with pytest.raises(
        DeliveryError, match=r"^sshd, nginx are not on this host; .*: apt-get install nginx openssh-server$"
    ):
        frontend.require_programs()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text("It was")
    with pytest.raises(DemoError, match="holds other files"), folders.lock_folder(tmp_path):
        pass
    assert [f.name for f in tmp_path.iterdir()] == ["novel.txt"]
    with pytest.raises(DemoError, match="is a file"), folders.lock_folder(tmp_path / "novel.txt"):
        pass


def test_one_run_at_a_time_has_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_LOCK_TIMEOUT", 0.0)
    busy = pytest.raises(DemoError, match="another demo is running in")
    with folders.lock_folder(tmp_path / "site"), busy, folders.lock_folder(tmp_path / "site"):
        pass
    with folders.lock_folder(tmp_path / "site"):
        pass


def test_every_kind_of_difference_is_told(tmp_path: Path) -> None:
    for name in ("www", "front"):
        (tmp_path / name / "a").mkdir(parents=True)
        (tmp_path / name / "a" / "same").write_text("same")
        (tmp_path / name / "other").write_text(name)
    (tmp_path / "www" / "new").write_text("new")
    (tmp_path / "front" / ".left").write_text("left")
    found = comparison.compare_folders(tmp_path / "www", [tmp_path / "front"])
    assert (found.files, found.bytes) == (3, 10)
    assert [d.removeprefix(f"{tmp_path}/") for d in found.differences] == [
        "front/new is missing",
        "front/.left should not be there",
        f"front/other differs from {tmp_path}/www/other",
    ]


def test_what_a_killed_run_left_for_its_sockets_is_removed_by_the_next(tmp_path: Path) -> None:
    for folder in (tmp_path / "short", tmp_path / ("long" * 20)):
        with folders.lock_folder(folder):
            with folders.socket_folder(folder) as left:
                (left / "socket").touch()
                assert len(os.fsencode(left)) < 100
                copy = left.with_name(left.name + ".copy")
                left.rename(copy)
            copy.rename(left)  # as after a run that was killed
            with folders.socket_folder(folder) as again:
                assert again == left
                assert list(again.iterdir()) == []
            assert not left.exists()

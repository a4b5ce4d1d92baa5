"""`top`: what it prints, and how it behaves in a terminal: keys, sizes, an outage, and what it leaves behind."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from appliance import clock, db
from appliance.config import Config
from appliance.history.minutes import Minute, insert
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.processes import RegisteredProcess
from appliance.queue.store import FailureDetails
from tests.web_stack import to_toml

PROGRAM = [sys.executable, "-c", "from appliance.tasks import main; main()"]
#: What switches to the alternate screen of a terminal, and back.
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
PATIENCE = 60.0
#: The last section, which a small terminal does not show.
SECTION = "Next on the schedule"


@pytest.fixture
def environ(database: Config, tmp_path: Path) -> dict[str, str]:
    """The environment of a command on an installation where a job failed, on each database in turn."""
    site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}
    settings = {"docroot": tmp_path / "www", "database": database.database_url or None, "host": "pub1", "sites": [site]}
    (tmp_path / "appliance.toml").write_text(to_toml(settings), "utf-8")
    RegisteredProcess("worker", "pub1").register()
    with db.write():
        insert("", Minute(int(db.now()) // 60 * 60 - 60, done=4212, published=3454, unchanged=758))
    enqueue("publish", [JobRequest("tides/index.html", scope="blog")], ageing=60.0)
    (claim,) = store.claim("pub1:1", ["publish"], 1, 30.0)
    message = "archive.html, line 41: \x1b[31mno readingtime"
    store.fail(claim, FailureDetails("TemplateFailure", message, ""), retry_after=None)
    plain = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "TTY_COMPATIBLE")}
    return {**plain, "APPLIANCE_CONFIG": str(tmp_path / "appliance.toml"), "TERM": "xterm-256color"}


@dataclass
class Terminal:
    """A terminal in which a command runs."""

    process: subprocess.Popen[bytes]
    own: int
    shown: str = ""

    def read(self) -> None:
        """Read what is shown next."""
        assert select.select([self.own], [], [], PATIENCE)[0], self.shown
        self.shown += os.read(self.own, 65536).decode("utf-8", "replace")

    def await_text(self, text: str) -> None:
        """Read until a text was shown."""
        end = clock.monotonic() + PATIENCE
        while text not in self.shown:
            assert clock.monotonic() < end, self.shown
            self.read()

    def pictures(self) -> list[str]:
        """What was shown, one picture after another."""
        return self.shown.split("\x1b[H")

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self.own, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, key: bytes) -> None:
        os.write(self.own, key)

    def wait(self) -> int:
        """Read until the command has ended; return its exit status."""
        end = clock.monotonic() + PATIENCE
        while (is_over := self.process.poll() is not None) or clock.monotonic() < end:
            if select.select([self.own], [], [], 0.0 if is_over else 0.1)[0]:
                self.shown += os.read(self.own, 65536).decode("utf-8", "replace")
            elif is_over:
                return int(self.process.returncode)
        raise AssertionError(self.shown)


@contextmanager
def terminal(environ: dict[str, str], lines: int = 40, columns: int = 100) -> Iterator[Terminal]:
    """Run `top` in a terminal of its own."""
    own, others = pty.openpty()
    fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    process = subprocess.Popen(
        [*PROGRAM, "top"],
        env=environ,
        stdin=others,
        stdout=others,
        stderr=others,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    try:
        yield Terminal(process, own)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(own)
        os.close(others)


def test_once_prints_the_overview_without_colours(environ: dict[str, str]) -> None:
    for words in (["top", "--once"], ["top"]):
        ran = subprocess.run([*PROGRAM, *words], env=environ, capture_output=True, text=True, check=True)
        assert "\x1b" not in ran.stdout
        assert ran.stdout.startswith("● 1 job failed for 1 reason\n")
        assert re.search(r"^0 +0 +1 +4,212 +–", ran.stdout, re.MULTILINE)
        assert "18% unchanged" in ran.stdout
        assert "archive.html, line 41" in ran.stdout
        assert re.search(r"^pub1 +worker +0 ", ran.stdout, re.MULTILINE)
        assert max(map(len, ran.stdout.splitlines())) <= 80


def test_it_lives_in_a_terminal_until_q_is_pressed(environ: dict[str, str]) -> None:
    with terminal(environ) as shown:
        shown.await_text("1 job failed for 1 reason")
        assert ENTER in shown.shown
        enqueue("publish", [JobRequest("a.html", scope="blog")], ageing=60.0)
        shown.shown = ""
        shown.await_text("oldest")
        shown.press(b"q")
        assert shown.wait() == 0
        assert LEAVE in shown.shown
        assert termios.tcgetattr(shown.own)[3] & termios.ECHO


def test_it_is_drawn_anew_when_the_terminal_changes_its_size(environ: dict[str, str]) -> None:
    # As a shell may export them.
    with terminal({**environ, "COLUMNS": "80", "LINES": "24"}, 40, 100) as shown:
        shown.await_text(SECTION)
        shown.resize(8, 60)
        end = clock.monotonic() + PATIENCE
        # A picture is whole when the next one follows.
        while not any(1 < len(picture.splitlines()) <= 8 for picture in shown.pictures()[:-1]):
            assert clock.monotonic() < end, shown.shown
            shown.read()
        shown.press(b"q")
        assert shown.wait() == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_and_gives_the_terminal_back(
    environ: dict[str, str], number: signal.Signals, status: int
) -> None:
    with terminal(environ) as shown:
        shown.await_text("1 job failed")
        shown.process.send_signal(number)
        assert shown.wait() == status
        assert LEAVE in shown.shown
        assert termios.tcgetattr(shown.own)[3] & termios.ECHO

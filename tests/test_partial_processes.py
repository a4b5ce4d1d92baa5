"""A host's processes under several supervisors, as systemd runs them: each a real command with its own part."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from appliance import clock, db
from appliance.config import Config
from appliance.demo.frontend import free_port
from appliance.queue import processes, store
from tests.local_site import LocalSite, archive, index, local_site, tree
from tests.tasks.conftest import Typed, command_line

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
THEME = archive("entry", "{slug}/index.html") + index("index.html")

__all__ = ["command_line"]


def await_that(true: Callable[[], Any], seconds: float = 20) -> Any:
    end = clock.monotonic() + seconds
    while not (found := true()):
        assert clock.monotonic() < end
        clock.sleep(0.02)
    return found


class Unit:
    """One `appliance work` as a service of systemd: told where to say that it is ready and lives."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.log = folder / f"{'-'.join(words) or 'work'}-{clock.monotonic()}.log"
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"appliance-test-{os.getpid()}-{id(self)}"
        self.sock.bind(f"\0{name}")
        self.sock.settimeout(20)
        env = {key: value for key, value in os.environ.items() if key != "APPLIANCE_CONFIG"}
        env |= {"PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "400000"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from appliance.tasks import main; main()", "work", *words],
                cwd=folder, env=env, start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def name(self) -> str:
        return f"here:{self.process.pid}"

    def hear(self, wanted: str) -> None:
        """Wait until systemd is told a line."""
        while wanted not in self.sock.recv(1000).decode().splitlines():
            assert self.process.poll() is None, self.log.read_text()

    def stop(self) -> None:
        """As `systemctl stop`; it has 5 s."""
        self.process.terminate()
        assert self.process.wait(5) == 0, self.log.read_text()

    def end(self) -> None:
        """Whatever is left of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        self.sock.close()


@pytest.fixture
def units(shop: LocalSite) -> Iterator[Callable[..., Unit]]:
    """Starts units; ends those that are left."""
    started: list[Unit] = []

    def start(*words: str) -> Unit:
        started.append(Unit(shop.folder, *words))
        return started[-1]

    yield start
    for unit in started:
        unit.end()


@pytest.fixture
def shop(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, THEME, database=database.database) as made:
        settle(made)
        yield made


def settle(shop: LocalSite, more: str = "") -> None:
    """Write the settings file that units read."""
    (shop.folder / "appliance.toml").write_text(
        f'docroot = "{shop.docroot}"\nhost = "here"\ndatabase = "{shop.config.database}"\n[[sites]]\nname = "blog"\n'
        f'title = "A Blog"\nurl = "https://blog.example/"\ntheme = "theme"\n[queue]\nlease = 60.0\n{more}',
        "utf-8",
    )


def kept(keeper: Unit) -> dict[str, list[int]]:
    """The process ids of what a supervisor keeps, by role."""
    found: dict[str, list[int]] = {}
    for row in processes.list_processes():
        if row.keeper == keeper.name:
            found.setdefault(row.role, []).append(row.pid)
    return found


def names(folder: Path) -> set[str]:
    """The names of all files below `folder`, while others write there."""
    found = {os.path.relpath(f"{top}/{name}", folder) for top, _, names in os.walk(folder) for name in names}
    return {name for name in found if ".~tmp~" not in name}


def test_units_side_by_side(shop: LocalSite, units: Callable[..., Unit]) -> None:
    """Workers, courier and schedule under supervisors of their own do what one supervisor does."""
    port, copy = free_port(), shop.folder / "copy"
    copy.mkdir()
    settle(
        shop,
        f'[delivery]\nmetrics = "127.0.0.1:{port}"\n[mail]\nhost = "127.0.0.1"\nsender = "a@blog.example"\n'
        f'[[targets]]\nname = "copy"\naddress = "{copy}"\nother_path = true\n',
    )
    workers = [units("--only", "worker", "--workers", "1") for _ in range(2)]
    courier, schedule = units("--only", "courier"), units("--only", "schedule,errands")
    everyone = [*workers, courier, schedule]
    for unit in everyone:
        unit.hear("READY=1")
        unit.hear("WATCHDOG=1")
    await_that(lambda: len(processes.list_processes()) == 9)
    assert [sorted(kept(unit)) for unit in everyone] == [
        ["worker"], ["worker"], ["courier"], ["errands", "schedule"],
    ]  # fmt: skip
    shop.save("First")
    shop.publish()
    await_that(lambda: (copy / "first/index.html").is_file())

    # What a whole unit leaves that is killed, those of the other units see to, long before its lease runs out.
    living = {unit.name: kept(unit) for unit in everyone[1:]}
    (victim,) = kept(workers[0])["worker"]
    os.kill(victim, signal.SIGSTOP)
    for number in range(60):
        shop.save(f"Entry {number}")
    shop.publish()
    workers[0].end()
    workers[0].process.wait()
    await_that(lambda: store.count_unfinished() == 0 and len(processes.list_processes()) == 7)
    assert {unit.name: kept(unit) for unit in everyone[1:]} == living, "the living keep their rows and processes"
    await_that(lambda: len(names(copy)) == 62)

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert b'appliance_processes{host="here",role="courier"} 1.0' in answer.read()
    assert not any("metrics cannot" in unit.log.read_text() for unit in everyone), "one of them listens"

    # Each is asked alone: SIGHUP renews what one keeps, and no process of another.
    os.kill(schedule.process.pid, signal.SIGHUP)
    await_that(lambda: sorted(kept(schedule)) == ["errands", "schedule"] and kept(schedule) != living[schedule.name])
    assert kept(courier) == living[courier.name]
    for unit in everyone[1:]:
        unit.stop()
    assert processes.list_processes() == []
    assert tree(copy) == shop.tree()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_whoever_holds_a_job_and_is_gone_is_found_by_any_supervisor(
    shop: LocalSite, units: Callable[..., Unit]
) -> None:
    """A worker that was killed with its supervisor, while only the schedule's unit goes on."""
    shop.save("First")
    shop.publish()
    schedule = units("--only", "schedule")
    schedule.hear("READY=1")
    gone = subprocess.Popen(["true"])
    gone.wait()
    name = processes.process_name("here", gone.pid)
    assert store.claim(name, ["publish"], 10, 600.0)
    assert store.holder_names() == [name]
    await_that(lambda: store.holder_names() == [])
    schedule.stop()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("parts", ["courier", "errands,courier"])
def test_a_part_with_nothing_to_do_stays(shop: LocalSite, units: Callable[..., Unit], parts: str) -> None:
    idle = units("--only", parts)
    idle.hear("READY=1")
    idle.hear("STATUS=nothing to do: no process")
    os.kill(idle.process.pid, signal.SIGHUP)
    idle.hear("WATCHDOG=1")
    idle.hear("WATCHDOG=1")
    assert [(row.name, row.role) for row in processes.list_processes()] == [(idle.name, "supervisor")]
    assert idle.log.read_text().count("nothing to do here") == 1
    idle.stop()
    assert processes.list_processes() == []


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_units_that_start_at_once_on_an_empty_database(shop: LocalSite, units: Callable[..., Unit]) -> None:
    db.execute("DELETE FROM site")
    started = [units("--only", part) for part in ("worker", "worker", "schedule")]
    for unit in started:
        unit.hear("READY=1")
    for unit in started:
        unit.stop()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--only worker,sched", "--only: “sched” is not a process of the host; use some of worker, errands,"),
        ("--only=", "--only: a name is missing; use some of worker, errands, courier, schedule"),
        ("--only worker,", "--only: a name is missing; use some of"),
        ("--only worker --once", "--only is for the daemon; work --once runs workers and errands"),
    ],
)
def test_what_makes_no_sense_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: Typed, words: str, sentence: str
) -> None:
    (tmp_path / "appliance.toml").write_text("not even settings", "utf-8")
    monkeypatch.chdir(tmp_path)
    told = command_line(f"work {words}", status=1)
    assert told.startswith(sentence)
    assert len(told.splitlines()) == 1

"""Publishing hosts as processes with docroots of their own on one PostgreSQL database, and front ends.

Every publishing host has an sshd of its own, by which the others reach its docroot. All is on loopback and ended with
the cluster. What is published is edited through `shop`, on the connection of the process that holds the cluster.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from appliance import db
from appliance.config import Config, load
from appliance.delivery import target_state
from appliance.delivery.target_state import TargetState
from appliance.delivery.targets import courier_targets
from appliance.demo.comparison import compare_folders
from appliance.demo.frontend import FrontEnd, write_known_hosts
from appliance.queue import processes
from tests.local_site import LocalSite, archive, index, local_site

ROOT = Path(__file__).resolve().parents[1]
THEME = archive("entry", "{slug}/index.html") + index("index.html")


class Host:
    """One publishing host: a folder with its settings, a docroot, an sshd for its peers, and a daemon."""

    def __init__(self, folder: Path, name: str, key: Path) -> None:
        self.name = name
        self.folder = folder
        self.door = FrontEnd(folder, key, name)
        self.docroot = self.door.docroot
        self.log = folder / "daemon.log"
        #: Python that its processes run before anything else, such as what sets their clock.
        self.before = ""
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self, *words: str) -> None:
        """Start its daemon, or another command, and return at once."""
        env = {key: value for key, value in os.environ.items() if key != "APPLIANCE_CONFIG"}
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(
                [sys.executable, "-c", f"{self.before}\nfrom appliance.tasks import main; main()",
                 *(words or ("work", "--verbose"))],
                cwd=self.folder, env={**env, "PYTHONPATH": str(ROOT)}, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def stop(self) -> None:
        """Stop the daemon in the regular way."""
        if self._daemon:
            with suppress(ProcessLookupError):
                self._daemon.terminate()
            assert self._daemon.wait(30) == 0, self.log.read_text()[-2000:]
            self._daemon = None

    def kill(self) -> None:
        """Kill the daemon and all its processes, as a power cut does."""
        if self._daemon:
            with suppress(ProcessLookupError):
                os.killpg(self._daemon.pid, signal.SIGKILL)
            self._daemon.wait(30)
            self._daemon = None

    def pids(self, role: str) -> list[int]:
        """Return the process ids of its live processes with this role."""
        return [row.pid for row in processes.list_processes() if row.role == role and row.host == self.name]


class Cluster:
    """A context manager; the test starts the daemons."""

    def __init__(
        self, folder: Path, database: str, *, hosts: int = 2, fronts: int = 2, http: bool = False, theme: str = THEME,
        delivery: Mapping[str, Any] | None = None, queue: Mapping[str, Any] | None = None,
        schedule: Mapping[str, Any] | None = None, own_assets: bool = False,
    ) -> None:  # fmt: skip
        """Describe it.

        Args:
            folder: where all of it lies.
            database: the URL of an empty PostgreSQL database.
            hosts: publishing hosts, called pub0 and so on.
            fronts: front ends, called front0 and so on.
            http: whether front ends have an nginx.
            theme: the manifest of the theme.
            delivery: further keys of that section.
            queue: further keys of that section.
            schedule: keys of that section.
            own_assets: whether each host keeps uploads in a folder of its own; else all share the editor's.
        """
        self.folder, self.database = folder, database
        self._http, self._theme = http, theme
        self._delivery = {"connect_timeout": 2, "timeout": 6, **(delivery or {})}
        self._queue = {"workers": 1, "lease": 5.0, **(queue or {})}
        self._schedule = schedule or {}
        self._own_assets = own_assets
        key = folder / "key"
        self.fronts = [FrontEnd(folder / f"front{n}", key, f"front{n}") for n in range(fronts)]
        self.hosts = [Host(folder / f"pub{n}", f"pub{n}", key) for n in range(hosts)]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._end)
            doors = [host.door for host in self.hosts]
            for front in self.fronts:
                front.start(http=self._http)
            for door in doors:
                door.start(http=False)
            write_known_hosts(self.folder / "known", [*self.fronts, *doors])
            self.shop: LocalSite = stack.enter_context(
                local_site(self.folder / "editor", self._theme, database=self.database)
            )
            for host in self.hosts:
                (host.folder / "appliance.toml").write_text(self._settings(host), "utf-8")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def states(self, host: int = 0) -> list[TargetState]:
        """Return the state of every target of a host."""
        return target_state.read_all(courier_targets(self.config(host)))

    def docroots(self) -> list[Path]:
        """The docroots of the publishing hosts, then those of the front ends."""
        return [*(host.docroot for host in self.hosts), *(front.docroot for front in self.fronts)]

    def differences(self) -> list[str]:
        """Return a sentence for each file in which a docroot differs from the first."""
        first, *others = self.docroots()
        return compare_folders(first, others).differences

    def await_same(self, seconds: float = 30.0, holding: Sequence[str] = ()) -> float:
        """Wait until all docroots are equal and have the paths `holding`; return the seconds that it took."""

        def same() -> bool:
            try:
                return not self.differences() and all((self.hosts[0].docroot / path).is_file() for path in holding)
            except OSError:  # a file went while it was read
                return False

        return self.await_that(same, seconds)

    def await_that(self, true: Callable[[], object], seconds: float = 30.0) -> float:
        """Wait for other processes; return the seconds that it took."""
        began = time.monotonic()
        while not true():
            if time.monotonic() > began + seconds:
                logs = "\n".join(
                    f"{host.name}: {host.log.read_text()[-1500:]}" for host in self.hosts if host.log.exists()
                )
                raise AssertionError(f"it never came to be; {self.differences()[:5]}\n{logs}")
            time.sleep(0.02)
        return time.monotonic() - began

    def config(self, host: int = 0) -> Config:
        """Return the settings of a host."""
        return load(self.hosts[host].folder / "appliance.toml")

    def _settings(self, own: Host) -> str:
        assets = own.folder / "assets" if self._own_assets else self.shop.config.assets_folder
        lines = [
            f"docroot = {_toml(str(own.docroot))}",
            f"host = {_toml(own.name)}",
            f"database = {_toml(self.database)}",
            f"assets = {_toml(str(assets))}",
            *_table("[[sites]]", {"name": "blog", "title": "A Blog", "url": "https://blog.example/",
                                  "theme": str(self.shop.folder / "theme")}),
            *_table("[queue]", self._queue),
            *_table("[schedule]", self._schedule),
            *_table("[delivery]", {"ssh_key": str(self.folder / "key"), "known_hosts": str(self.folder / "known"),
                                   **self._delivery}),
        ]  # fmt: skip
        for header, ends in (("[[targets]]", self.fronts), ("[[publishing_hosts]]", [h.door for h in self.hosts])):
            for end in ends:
                lines += _table(header, end.settings().model_dump(exclude_defaults=True))
        return "\n".join(lines) + "\n"

    def _end(self) -> None:
        for host in self.hosts:
            host.kill()
        for end in (*self.fronts, *(host.door for host in self.hosts)):
            end.stop()
        with suppress(Exception):
            db.disconnect()


def _table(header: str, values: Mapping[str, Any]) -> list[str]:
    return [header, *(f"{key} = {_toml(value)}" for key, value in values.items())]


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)

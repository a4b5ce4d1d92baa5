"""A PostgreSQL server for tests, on loopback, run by an account other than root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from appliance.demo.frontend import descendants, free_port, with_parent_death_signal

#: Where Debian keeps the server's programs, newest first.
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: -int(p.parts[-3]))

_SETTINGS = "max_connections=100\n"
_FLEETING = "fsync=off\nsynchronous_commit=off\nfull_page_writes=off\n"


def installed() -> bool:
    """Return whether the server's programs are installed."""
    return bool(PROGRAMS)


class Server:
    """A server in a folder of its own; a context manager. Durability is off: nothing outlives the tests.

    To measure with, it may be `durable`, in a `folder` on a disk. In a network `namespace` it listens on an `address`
    there, and is reached from here by its socket (`local`).
    """

    def __init__(
        self, *, durable: bool = False, folder: Path | None = None, namespace: str = "", address: str = "127.0.0.1",
        settings: str = "",
    ) -> None:  # fmt: skip
        self._settings = _SETTINGS + ("" if durable else _FLEETING) + f"listen_addresses='{address}'\n{settings}"
        self._address = address
        self._within = ["ip", "netns", "exec", namespace] if namespace else []
        memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir=folder or memory))
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        #: The database that fresh ones are copies of.
        self.template = "template1"
        self.port = free_port()

    def __enter__(self) -> Self:
        as_other = {}
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self._folder, account.pw_uid, account.pw_gid)
            as_other = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        data, programs = self._folder / "data", PROGRAMS[0].parent
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self._folder)}
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "appliance", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, env=environment, cwd=self._folder, **as_other,
        )  # fmt: skip
        with (data / "postgresql.conf").open("a") as conf:
            conf.write(f"{self._settings}port={self.port}\nunix_socket_directories='{self._folder}'\n")
            conf.write("include_if_exists 'meanwhile.conf'\n")
        with (data / "pg_hba.conf").open("a") as admitted:
            admitted.write("host all all 0.0.0.0/0 trust\n")
        command = [str(programs / "postgres"), "-D", str(data)]
        if self._within:
            account = ["setpriv", f"--reuid={as_other['user']}", f"--regid={as_other['group']}", "--clear-groups"]
            command, as_other = [*self._within, *account, *command], {}
        self._start = lambda words=command: subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment, cwd=self._folder, start_new_session=True, **as_other,
        )  # fmt: skip
        # A server started anew by a thread must outlive it, so that only the first is bound to who started it.
        self._process = self._start(with_parent_death_signal(command, "INT"))
        self._await()
        return self

    def configure(self, settings: str) -> None:
        """Replace the extra settings by these lines, for open sessions too."""
        (self._folder / "data" / "meanwhile.conf").write_text(settings)
        self._process.send_signal(signal.SIGHUP)

    def pause(self) -> None:
        """Stop all its processes until `resume`, so that it is as silent as a host without power."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        os.kill(self._process.pid, number)  # first: it starts no others then
        for pid in descendants(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    @property
    def folder(self) -> Path:
        """The folder of the server; it belongs to the server's account."""
        return self._folder

    def restart(self) -> None:
        """Restart the server, which ends all connections; return once it answers."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End the server and all its connections."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    def start(self) -> None:
        """Start it again; returns once it answers."""
        self._process = self._start()
        self._await()

    def lose_power(self) -> None:
        """Kill all its processes at once; if the link is down, they send nothing more."""
        own = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for process in [self._process.pid, *map(int, own)]:
            os.kill(process, signal.SIGKILL)
        self._process.wait(30)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.send_signal(signal.SIGQUIT)  # at once: nothing is worth a checkpoint
            self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://appliance@{self._address}:{self.port}/{database}"

    def local(self, database: str) -> str:
        """Return the URL of a database over the Unix socket."""
        return f"postgresql://appliance@/{database}?host={self._folder}&port={self.port}"

    def fresh(self, *, tables: bool = True) -> str:
        """Create an empty database, or a copy of `template`; return its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self.local("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.template if tables else "template1"}"')
        return self.url(name)

    def _await(self) -> None:
        for _ in range(600):
            try:
                psycopg.connect(self.local("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)  # a server tells nobody that it is ready but by answering
            else:
                return
        raise RuntimeError("PostgreSQL did not start")

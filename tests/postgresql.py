"""A PostgreSQL server of the tests' own, on loopback, as an account that is not root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

#: Where Debian keeps the server's programs, newest first.
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: -int(p.parts[-3]))

_SETTINGS = "max_connections=100\nlisten_addresses='127.0.0.1'\n"
_FLEETING = "fsync=off\nsynchronous_commit=off\nfull_page_writes=off\n"


def installed() -> bool:
    """Whether the server's programs are here."""
    return bool(PROGRAMS)


class Server:
    """A server in a folder of its own; a context manager. Durability is off: nothing outlives the tests.

    To measure with, it may be `durable`, in a `folder` on a disk.
    """

    def __init__(self, *, durable: bool = False, folder: Path | None = None) -> None:
        self._settings = _SETTINGS + ("" if durable else _FLEETING)
        memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir=folder or memory))
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

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
        self._start = lambda: subprocess.Popen(
            [programs / "postgres", "-D", data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment, cwd=self._folder, start_new_session=True, **as_other,
        )  # fmt: skip
        self._process = self._start()
        self._await()
        return self

    def restart(self) -> None:
        """End the server and all its connections, and start it again; returns once it answers."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)
        self._process = self._start()
        self._await()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.send_signal(signal.SIGQUIT)  # at once: nothing is worth a checkpoint
            self._process.wait(30)
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, database: str) -> str:
        """How a database is reached."""
        return f"postgresql://appliance@127.0.0.1:{self.port}/{database}"

    def fresh(self) -> str:
        """Make an empty database; returns its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def _await(self) -> None:
        for _ in range(600):
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.05)  # a server tells nobody that it is ready but by answering
            else:
                return
        raise RuntimeError("PostgreSQL did not start")

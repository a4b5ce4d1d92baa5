"""The processes of all hosts, as rows that beat: who is there, what each is doing, and what was asked of it.

Guarantees that a process which ends takes its row with it, that the row of one which died goes a little later, and
that a request (to pause, to go on, to be replaced by a fresh one) reaches its process with the next beat, or at once
when it is waiting for work.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from appliance import clock, db
from appliance.db import NOW
from appliance.errors import QueueError

Ask = Literal["pause", "resume", "recycle"]

#: Seconds between two beats, and after how many without one a process counts as dead.
BEAT: Final = 3.0
SILENT: Final = 30.0

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Row:
    """One process. Moments are seconds since the epoch on the database's clock."""

    #: Host and process id: `pub1:4711`.
    name: str
    host: str
    pid: int
    role: str
    #: The name of the supervisor that keeps it; empty for a supervisor.
    keeper: str
    doing: str
    #: Bytes.
    memory: int
    jobs: int
    started_at: float
    beat_at: float
    #: 'pause' or 'recycle' when that was asked of it and is not yet obeyed or taken back.
    request: str | None


def name_of(host: str, pid: int) -> str:
    """What a process is called."""
    return f"{host}:{pid}"


def memory() -> int:
    """Bytes of memory this process holds."""
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - often, and nothing else is as quick
        return int(statm.read().split()[1]) * _PAGE


_ENTER = f"""
INSERT INTO process (name, host, pid, role, keeper, doing, memory, jobs, started_at, beat_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, {NOW}, {NOW})
ON CONFLICT (name) DO UPDATE SET role = excluded.role, keeper = excluded.keeper, doing = excluded.doing,
    memory = excluded.memory, jobs = excluded.jobs, started_at = excluded.started_at, beat_at = excluded.beat_at,
    request = NULL
"""
_BEAT = f"""
UPDATE process SET doing = ?, memory = ?, jobs = ?, beat_at = {NOW} WHERE name = ? RETURNING request
"""


class Presence:
    """This process's own row."""

    def __init__(self, role: str, host: str, keeper: str = "") -> None:
        self.role = role
        self.host = host
        self.keeper = keeper
        self.pid = os.getpid()
        self.name = name_of(host, self.pid)
        self.doing = "starting"
        #: Jobs ended since it started.
        self.jobs = 0
        self._request: str | None = None
        self._beaten = float("-inf")

    @property
    def paused(self) -> bool:
        """Whether this process, or the supervisor that keeps it, was asked to pause."""
        return self._request == "pause"

    @property
    def recycled(self) -> bool:
        """Whether this process was asked to make place for a fresh one."""
        return self._request == "recycle"

    def enter(self) -> None:
        """Write the row."""
        with db.write():
            row = [self.name, self.host, self.pid, self.role, self.keeper, self.doing, memory(), self.jobs]
            db.execute(_ENTER, row)
        self._beaten = clock.monotonic()

    def beat(self) -> None:
        """Say what this process is doing and learn what is asked of it; does nothing until it is time again."""
        if clock.monotonic() - self._beaten < BEAT:
            return
        with db.write():
            known = db.execute(_BEAT, [self.doing, memory(), self.jobs, self.name]).fetchone()
            if known is None:  # it was silent for so long that it was taken for dead
                self.enter()
        self._beaten = clock.monotonic()
        self.look()

    def look(self) -> None:
        """Learn what is asked of this process, now."""
        asked = dict(db.execute("SELECT name, request FROM process WHERE name IN (?, ?)", [self.name, self.keeper]))
        paused = "pause" if asked.get(self.keeper) == "pause" else None  # recycling is a supervisor's own doing
        self._request = asked.get(self.name) or paused

    def obeyed(self) -> None:
        """Take back what was asked of this process: it is done."""
        with db.write():
            db.execute("UPDATE process SET request = NULL WHERE name = ?", [self.name])
        self._request = None

    def leave(self) -> None:
        """Remove the row."""
        forget(self.name)


def ask(name: str, request: Ask) -> None:
    """Ask a process to pause, to resume, or to be replaced by a fresh one. A supervisor passes it on to its own.

    Raises:
        QueueError: no process has that name.
    """
    with db.write():
        wanted = None if request == "resume" else request
        found = db.execute("UPDATE process SET request = ? WHERE name = ? RETURNING name", [wanted, name]).fetchone()
        if found is None:
            raise QueueError(f"there is no process “{name}”; processes.list names them")
        db.notify()


def list() -> Sequence[Row]:
    """All processes, by host, keepers before the kept."""
    rows = db.execute(
        """SELECT name, host, pid, role, keeper, doing, memory, jobs, started_at, beat_at, request FROM process
           ORDER BY host, CASE WHEN keeper = '' THEN name ELSE keeper END, keeper <> '', pid"""
    )
    return [Row(*row) for row in rows.fetchall()]


def forget(name: str) -> None:
    """Remove the row of a process that has ended."""
    with db.write():
        db.execute("DELETE FROM process WHERE name = ?", [name])


def prune(silent: float = SILENT) -> None:
    """Remove the rows of processes that have not beaten for so many seconds."""
    if db.execute(f"SELECT 1 FROM process WHERE beat_at < {NOW} - ?", [silent]).fetchone():
        with db.write():
            db.execute(f"DELETE FROM process WHERE beat_at < {NOW} - ?", [silent])

"""The processes as the page about them shows them: by host, each in a state, with what one can ask of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.queue.processes import ANSWERING, HEARTBEAT_INTERVAL, ProcessRow
from appliance.queue.replacements import SUPERVISOR
from appliance.web.admin.dashboard.search_links import search_link

#: Seconds without a heartbeat after which a process is called silent.
_SILENT: Final = 4 * HEARTBEAT_INTERVAL
_MIB: Final = 1 << 20
#: The roles of processes that run jobs.
_WORKERS: Final = ("worker", "errands")
#: Names that a sentence lists.
_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class ShownProcess:
    """A process with its state in words."""

    row: ProcessRow
    state: str
    #: The kind of the state's mark: good, off, warn or busy.
    mark: str
    #: Whether it waits because its supervisor is paused, which alone can then be resumed.
    waits_with_supervisor: bool

    @property
    def memory(self) -> str:
        """Its resident memory."""
        return f"{self.row.memory / _MIB:.0f} MiB"

    @property
    def jobs_address(self) -> str:
        """The list of the jobs that it had; empty for a process that has none."""
        return search_link(worker=self.row.name) if self.row.role in _WORKERS and self.row.jobs else ""

    @property
    def supervisor(self) -> str:
        """The process id of its supervisor; empty for a supervisor, and for a service of its own."""
        return self.row.keeper.rpartition(":")[2]

    @property
    def leads_others(self) -> bool:
        """Whether what it is asked concerns its processes."""
        return self.row.role == SUPERVISOR

    @property
    def may_pause(self) -> bool:
        """Whether it can be asked to pause."""
        return self.row.role not in ANSWERING and self.row.request is None and not self.waits_with_supervisor

    @property
    def may_resume(self) -> bool:
        """Whether it can be asked to go on."""
        return self.row.request == "pause"


@dataclass(frozen=True, slots=True)
class ShownHost:
    """A publishing host with its processes, each supervisor before its own."""

    name: str
    processes: tuple[ShownProcess, ...]

    @property
    def may_resume(self) -> bool:
        """Whether any of its processes is paused."""
        return any(process.may_resume for process in self.processes)

    @property
    def may_pause(self) -> bool:
        """Whether any of its processes can be asked to pause."""
        return any(process.may_pause for process in self.processes)


def shown_hosts(rows: Sequence[ProcessRow], expected: Collection[str], now: float) -> list[ShownHost]:
    """Return the hosts by name, those that should have processes and have none among them.

    Args:
        rows: all processes.
        expected: the publishing hosts of the settings.
        now: the time of the database.
    """
    paused = {row.name for row in rows if row.request == "pause"}
    shown = [_shown(row, paused, now) for row in rows]
    names = sorted({*expected, *(row.host for row in rows)})
    return [ShownHost(name, tuple(each for each in shown if each.row.host == name)) for name in names]


def summary(hosts: Sequence[ShownHost]) -> tuple[str, str]:
    """Return the state of all processes as good, warn or bad, and as a sentence."""
    shown = [process for host in hosts for process in host.processes]
    if down := [host.name for host in hosts if not host.processes]:
        return "bad", f"No process runs on {_listed(down)}."
    if not any(process.row.role in ("worker", SUPERVISOR) for process in shown):
        return "bad", "No worker runs, so nothing is published."
    if silent := [process.row.name for process in shown if process.mark == "warn"]:
        return "warn", f"{_counted(len(silent))} {'is' if len(silent) == 1 else 'are'} silent: {_listed(silent)}."
    if paused := sum(process.mark == "off" for process in shown):
        return "warn", f"{paused:,} of {_counted(len(shown))} {'is' if paused == 1 else 'are'} paused."
    where = f"on {hosts[0].name}" if len(hosts) == 1 else f"on {len(hosts)} hosts"
    return "good", f"{_counted(len(shown))} {where}, all running."


def _shown(row: ProcessRow, paused: Collection[str], now: float) -> ShownProcess:
    waits = row.keeper in paused and row.role not in ANSWERING
    if now - row.beat_at > _SILENT:
        return ShownProcess(row, f"silent for {now - row.beat_at:.0f} s", "warn", waits)
    if row.request == "recycle":
        return ShownProcess(row, "recycling", "busy", waits)
    if row.request == "pause":
        return ShownProcess(row, "paused", "off", waits)
    return ShownProcess(row, "paused with its supervisor", "off", waits) if waits else _running(row)


def _running(row: ProcessRow) -> ShownProcess:
    return ShownProcess(row, "running", "good", waits_with_supervisor=False)


def _counted(number: int) -> str:
    return "1 process" if number == 1 else f"{number:,} processes"


def _listed(names: Sequence[str]) -> str:
    shown, more = list(names[:_NAMED]), len(names) - _NAMED
    if more > 0:
        shown.append(f"{more} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"

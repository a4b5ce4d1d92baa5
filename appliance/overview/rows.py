"""What the tables and charts of an overview show, from what was read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.history.disks import Disk
from appliance.overview.facts import Facts
from appliance.overview.flow import Latency, Point, Series
from appliance.queue.periodic import TaskState
from appliance.queue.processes import DEAD_AFTER

#: Rows of the table of periodic tasks.
_TASKS: Final = 6
_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target as the overview lists it."""

    name: str
    #: Its state in a word, and how that is marked.
    state: str
    mark: str
    #: Seconds, or None when it has everything.
    lag: float | None
    waiting: str
    pushed_at: float | None
    #: Seconds that the last push took.
    seconds: float


@dataclass(frozen=True, slots=True)
class HostRow:
    """The processes of a host as the overview lists them."""

    name: str
    #: What runs there: `2 workers, courier, schedule`.
    roles: str
    paused: int
    memory: str
    jobs: int


@dataclass(frozen=True, slots=True)
class DiskRow:
    """A disk as the overview lists it."""

    host: str
    holds: str
    #: What is free of it, and the share in per cent; empty and None where that is not known.
    free: str
    share: int | None
    used: str
    mark: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The rows of a chart: seconds since the epoch and the values of each column; None where nothing was measured."""

    columns: Sequence[str]
    rows: Sequence[tuple[int, Sequence[float | None]]]


def target_rows(facts: Facts) -> list[TargetRow]:
    """The targets in the order of the settings."""
    rows = []
    for one in facts.work.targets:
        if one.paused:
            state, mark = "paused", "warn"
        elif one.error and (one.circuit != "closed" or not one.level):
            state, mark = "failing", "bad"
        else:
            state, mark = ("level", "good") if one.level else ("behind", "busy")
        waiting = f"{one.waiting:,}{'+' if one.more_waiting else ''}"
        lag = None if one.level else one.lag
        rows.append(TargetRow(one.name, state, mark, lag, waiting, one.pushed_at, one.seconds))
    return rows


def host_rows(facts: Facts) -> list[HostRow]:
    """What runs on each host, of that which answers."""
    alive = [row for row in facts.work.processes if row.beat_at > facts.work.at - DEAD_AFTER]
    found = []
    for host in dict.fromkeys(row.host for row in alive):
        here = [row for row in alive if row.host == host]
        roles = Counter(row.role for row in here)
        words = [role if number == 1 else f"{number} {_plural(role)}" for role, number in roles.items()]
        paused = sum(row.request == "pause" for row in here)
        memory, jobs = sum(row.memory for row in here), sum(row.jobs for row in here if row.role == "worker")
        found.append(HostRow(host, ", ".join(words), paused, size(memory), jobs))
    return found


def disk_rows(facts: Facts) -> list[DiskRow]:
    """The disks of all hosts."""
    return [_disk(disk) for disk in facts.surroundings.disks]


def task_rows(facts: Facts) -> list[TaskState]:
    """The periodic tasks that run next."""
    due = [task for task in facts.surroundings.tasks if task.next_at is not None]
    return sorted(due, key=lambda task: task.next_at or 0.0)[:_TASKS]


def charts_of(series: Series, *, has_targets: bool) -> dict[str, Chart]:
    """The charts of the last hour and the last day: files published, and latencies in seconds."""
    found = {}
    for name, points in (("hour", series.hour), ("day", series.day)):
        found[f"files_{name}"] = Chart(["From", "Files"], [(point.at, [point.published]) for point in points])
        columns = ["From", "Published: median", "99 %"]
        columns += ["Every front end: median", "99 %"] if has_targets else []
        rows = [(point.at, _latencies(point)[: len(columns) - 1]) for point in points]
        found[f"times_{name}"] = Chart(columns, rows)
    return found


def size(number: float) -> str:
    """Return a number of bytes in the unit that suits it: `12 KiB`, `3.4 GiB`."""
    for unit in _UNITS:
        if number < 1000 or unit == _UNITS[-1]:
            break
        number /= 1024
    return f"{number:.1f} {unit}" if number < 10 and unit != "B" else f"{number:.0f} {unit}"


def _latencies(point: Point) -> list[float | None]:
    def rounded(latency: Latency) -> list[float | None]:
        return [None if one is None else float(f"{one:.3g}") for one in (latency.median, latency.most)]

    return [*rounded(point.to_published), *rounded(point.to_everywhere)]


def _disk(disk: Disk) -> DiskRow:
    share = round(100 * disk.free / disk.total) if disk.free is not None and disk.total else None
    mark = "good" if share is None or share >= 10 else "warn" if share >= 3 else "bad"
    free = "" if disk.free is None else size(disk.free)
    return DiskRow(disk.host, disk.holds, free, share, "" if disk.used is None else size(disk.used), mark)


def _plural(role: str) -> str:
    """A role in the plural; some are plural, and some name what a process does."""
    return role if role.endswith("s") else f"{role} processes" if role in ("web", "admin", "schedule") else f"{role}s"

"""The machine that something was measured on, and what others did on it meanwhile."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance import clock
from appliance.demo.frontend import descendants

_TICKS = os.sysconf("SC_CLK_TCK")


def describe() -> str:
    """Cores, system, Python and day, one line."""
    return (
        f"{os.cpu_count()} cores, {platform.platform(terse=True)}, Python {platform.python_version()},"
        f" {clock.to_datetime(clock.now()):%Y-%m-%d}"
    )


@contextmanager
def watched() -> Iterator[None]:
    """Say in the end how busy the processors were with this process and its descendants, and how busy with others."""
    machine, own, began = _busy(), _used(os.getpid()), clock.monotonic()
    yield
    available = (clock.monotonic() - began) * (os.cpu_count() or 1)
    taken = _used(os.getpid()) - own
    others = max(0.0, _busy() - machine - taken)
    print(f"  of the processors, this took {taken / available:.0%}, and others {others / available:.0%}", flush=True)


def memory(pid: int) -> int:
    """The resident memory of a process, in bytes; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return 0


def _busy() -> float:
    """Seconds of processor that everything on this machine has taken."""
    first = Path("/proc/stat").read_text("ascii").partition("\n")[0]
    user, nice, system, _, _, irq, softirq, *_ = map(int, first.split()[1:])
    return (user + nice + system + irq + softirq) / _TICKS


def _used(pid: int) -> float:
    """Seconds of processor that a process, its descendants, and those of them that have ended have taken."""
    total = 0
    for one in [pid, *descendants(pid)]:
        try:
            fields = Path(f"/proc/{one}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / _TICKS

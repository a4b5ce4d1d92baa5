"""From the commit of a change until it can be read on every front end: our couriers beside the naive way.

Front ends are real sshd's and rsyncs on this machine, so all of them, the couriers and whoever looks share its
processors. The naive way opens a new ssh and rsync for each file and target, one after the other, as Movable Type's
sync does.

    ./inv bench delivery [-- --fronts 4 8 --rounds 15 --naive 3]

With `--joining FILES` it measures instead, beside one front end that is level, another one that joins a site of so many
files: when an edit made meanwhile can be read there, when it has everything, and how much later than alone the level
one has the edit.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shlex
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from appliance import db
from appliance.config import DeliverySettings
from appliance.delivery import journal, target_state
from appliance.delivery.courier import Couriers
from appliance.delivery.journal import Put
from appliance.delivery.targets import Target
from appliance.delivery.transports import ssh_hops
from appliance.demo.frontend import FrontEnd, write_known_hosts

SIZE = 8 * 1024
MANY = 100
#: Seconds nothing here may take.
PATIENCE = 60.0
#: Front ends have disks of their own; here they would share one.
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None


class Bench:
    """A docroot with its journal, and front ends."""

    def __init__(self, folder: Path, fronts: int, stack: ExitStack) -> None:
        self.folder, self.docroot = folder, folder / "docroot"
        self.docroot.mkdir(parents=True)
        self.fronts = [FrontEnd(folder / f"front{n}", folder / "key", f"front{n}") for n in range(fronts)]
        for front in self.fronts:
            front.start(http=False)
            stack.callback(front.stop)
        write_known_hosts(folder / "known", self.fronts)
        settings = DeliverySettings(ssh_key=folder / "key", known_hosts=folder / "known")
        self.targets = [Target(front.settings(), self.docroot, settings) for front in self.fronts]
        self._version = int(time.time())

    def write(self, paths: Sequence[str]) -> list[Put]:
        """New bytes for `paths`, as building puts them in place."""
        self._version += 1
        rows = []
        for path in paths:
            data = os.urandom(SIZE // 2).hex().encode()
            fresh = self.folder / "fresh"
            fresh.write_bytes(data)
            os.utime(fresh, (self._version, self._version))
            (self.docroot / path).parent.mkdir(parents=True, exist_ok=True)
            fresh.replace(self.docroot / path)
            rows.append(Put(path, self._version, hashlib.blake2b(data, digest_size=32).hexdigest(), len(data)))
        return rows

    def await_everywhere(self, paths: Sequence[str]) -> None:
        """Until every front end has the bytes of the docroot at `paths`."""
        end = time.monotonic() + PATIENCE
        for path in reversed(paths):
            wanted = (self.docroot / path).read_bytes()
            for front in self.fronts:
                while not _is(front.docroot / path, wanted):
                    if time.monotonic() > end:
                        raise SystemExit(f"{path} did not reach {front.name}")
                    time.sleep(0.001)

    def ours(self, couriers: Couriers, paths: Sequence[str]) -> float:
        """Seconds from the commit until `paths` are on every front end."""
        rows = self.write(paths)
        couriers.settle()  # of the round before; nothing is under way now
        began = time.monotonic()
        with db.write():
            journal.append(rows, "bench")
        couriers.wake()
        self.await_everywhere(paths)
        return time.monotonic() - began

    def naive(self, paths: Sequence[str]) -> float:
        """The same by a new ssh and rsync for each file and target."""
        self.write(paths)
        began = time.monotonic()
        for target in self.targets:
            settings = self.folder / f"{target.name}.ssh"
            settings.write_text(ssh_hops.target_configuration(target, self.folder / "none"), "utf-8")
            for path in paths:
                command = ["rsync", "-t", "--relative", "-e", shlex.join(["ssh", "-F", str(settings)])]
                subprocess.run(
                    [*command, f"./{path}", target.destination], cwd=self.docroot, check=True, stdout=subprocess.DEVNULL
                )
        self.await_everywhere(paths)
        return time.monotonic() - began


def _is(file: Path, wanted: bytes) -> bool:
    try:
        return file.read_bytes() == wanted
    except FileNotFoundError:
        return False


def measure(fronts: int, rounds: int, naive: int, above: Path | None) -> tuple[float, float, float]:
    """Milliseconds, medians, with so many front ends: one file, a hundred at once, one the naive way."""
    one, many = ["index.html"], [f"{n % 10}/{n}/index.html" for n in range(MANY)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=above)))
        opened = db.open_sqlite(folder / "appliance.db")
        stack.callback(opened.close)
        db.migrate()
        bench = Bench(folder, fronts, stack)
        couriers = stack.enter_context(Couriers(bench.targets))

        def median(run: Callable[[], float], count: int) -> float:
            return statistics.median(run() for _ in range(count)) * 1000

        bench.ours(couriers, [*one, *many])
        couriers.settle()
        single = median(lambda: bench.ours(couriers, one), rounds)
        hundred = median(lambda: bench.ours(couriers, many), max(3, rounds // 3))
        return single, hundred, median(lambda: bench.naive(one), naive)


class Joining(NamedTuple):
    """Seconds of a run in which one front end joined while another one was level."""

    #: Until the joining one had everything.
    whole: float
    #: From each edit made meanwhile until it could be read on the joining one.
    edits: list[float]
    #: The same on the level one, before anybody joined and while.
    alone: list[float]
    beside: list[float]


def join(files: int, rounds: int, above: Path | None) -> Joining:
    """Have a front end join a site of so many files, and edit one of them again and again meanwhile."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=above)))
        stack.callback(db.open_sqlite(folder / "appliance.db").close)
        db.migrate()
        bench = Bench(folder, 2, stack)
        level, joining = bench.targets
        rows = bench.write([f"{n % 100}/{n}/index.html" for n in range(files)])
        with db.write():
            journal.append(rows, "bench")
        edited = rows[0].path
        with Couriers([level]) as couriers:
            couriers.settle()
            alone = [_edit(bench, couriers, edited, bench.fronts[:1])[0] for _ in range(rounds)]
        with Couriers([level, joining]) as couriers:
            began, edits, beside = time.monotonic(), [], []
            while not target_state.read(joining).level:
                there, here = _edit(bench, couriers, edited, bench.fronts)
                beside.append(there)
                edits.append(here)
                time.sleep(0.1)
            return Joining(time.monotonic() - began, edits, alone, beside)


def _edit(bench: Bench, couriers: Couriers, path: str, fronts: Sequence[FrontEnd]) -> list[float]:
    """Seconds from the commit of an edit until each front end has it."""
    rows = bench.write([path])
    wanted = (bench.docroot / path).read_bytes()
    began, seconds = time.monotonic(), dict[str, float]()
    with db.write():
        journal.append(rows, "bench")
    couriers.wake()
    while len(seconds) < len(fronts):
        for front in fronts:
            if front.name not in seconds and _is(front.docroot / path, wanted):
                seconds[front.name] = time.monotonic() - began
        time.sleep(0.001)
    return [seconds[front.name] for front in fronts]


def _print_joining(files: int, found: Joining) -> None:
    edit, alone, beside = (statistics.median(some) for some in (found.edits, found.alone, found.beside))
    print(f"a front end joins a site of {files:,} files of {SIZE // 1024} KiB, with {len(found.edits)} edits meanwhile")
    print("| until it has everything | an edit there | of the whole | at most | the level one | alone | ratio |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {found.whole:.1f} s | {edit:.2f} s | {edit / found.whole:.1%} | {max(found.edits):.2f} s"
        f" | {beside * 1000:,.0f} | {alone * 1000:,.0f} | {beside / alone:.1f} |"
    )


def main() -> None:
    """Measure what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--fronts", type=int, nargs="+", default=[4, 8], help="front ends")
    parser.add_argument("--rounds", type=int, default=15, help="changes of one file; a third as many of a hundred")
    parser.add_argument("--naive", type=int, default=3, help="changes of one file the naive way")
    parser.add_argument("--folder", type=Path, default=MEMORY, help="where all of it lies, one disk for all; in memory")
    parser.add_argument("--joining", type=int, metavar="FILES", help="measure a front end that joins so many files")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; one file of {SIZE // 1024} KiB, medians\n")
    if arguments.joining:
        _print_joining(arguments.joining, join(arguments.joining, arguments.rounds, arguments.folder))
        return
    print("| front ends | one file | 100 files | one file, a new ssh and rsync each |\n|---|---|---|---|", flush=True)
    for fronts in arguments.fronts:
        single, hundred, naive = measure(fronts, arguments.rounds, arguments.naive, arguments.folder)
        times = f"{hundred:,.0f} ms ({hundred / single:.1f} times one)"
        print(f"| {fronts} | {single:,.0f} ms | {times} | {naive:,.0f} ms |", flush=True)


if __name__ == "__main__":
    main()

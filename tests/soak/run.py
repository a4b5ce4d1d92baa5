"""A fault run: all that publishes, under load, while one thing after the other goes wrong, and what is left of it.

It says all it does, and ends all it started.
"""

from __future__ import annotations

import heapq
import itertools
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from peewee import PeeweeException

from appliance import db
from appliance.demo.frontend import free_port
from appliance.queue import store
from tests import rsyncs
from tests.acceptance.truth import World
from tests.cluster import THEME, Cluster
from tests.local_site import tree
from tests.postgresql import Server
from tests.soak import fault_schedule, load
from tests.soak.fault_injection import CLOCK, OFF, FaultInjector, LinkedFront
from tests.soak.link import Links, can_forget
from tests.soak.readers import Readers

#: Seconds after the last fault until everything must be the same, and until it is waited for to tell how late it is.
LEVEL, LATE = 30.0, 90.0
#: Front ends, and the one with a small disk.
FRONTS, SMALL = 6, "front0"
#: Bytes of the small disk.
DISK = 24 << 20


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for."""

    seed: int
    #: Seconds under load, and between two faults on average.
    seconds: float
    gap: float
    #: Edits a second.
    rate: float
    #: Seconds between two rounds of the readers.
    pause: float = 0.1
    #: Kinds of fault that are not wanted.
    without: tuple[str, ...] = ()


class Run:
    """One run in a folder; what was wrong is in `wrong`, one sentence each."""

    def __init__(self, folder: Path, server: Server, order: Order) -> None:
        self.wrong: list[str] = []
        self._folder, self._server, self._order = folder, server, order
        self._lags: dict[str, list[float]] = {}
        self._out: dict[str, float] = {}

    def go(self) -> None:
        """Do it all."""
        with ExitStack() as stack:
            small = stack.enter_context(_small_disk(self._folder / SMALL))
            if not small:
                print("no small disk: a full disk needs leave to mount (root)", flush=True)
            sockets = self._folder / "s"
            sockets.mkdir()
            door = free_port()
            database = self._server.fresh().replace(f":{self._server.port}/", f":{door}/")
            cluster = Cluster(
                self._folder, database, fronts=0, theme=THEME,
                delivery={"temp_path": str(sockets), "connect_timeout": 3},
                # The journal is what readers' finds are held against, and nothing else is to repair a target.
                schedule={"prune": "never", "verify_targets": "never"},
            )  # fmt: skip
            cluster.fronts = [
                LinkedFront(self._folder / f"front{n}", self._folder / "key", f"front{n}") for n in range(FRONTS)
            ]
            ports = [*((front.link_port, front.ssh_port) for front in cluster.fronts), (door, self._server.port)]
            links = stack.enter_context(Links(ports))
            stack.callback(_end_masters, sockets)
            stack.callback(self._server.resume)
            stack.enter_context(cluster)
            for name, text in (("entry.html", load.ENTRY), ("listing.html", load.LISTING)):
                (cluster.shop.folder / "theme" / name).write_text(text, "utf-8")
            self._run(cluster, links, SMALL if small else None, sockets)

    def _run(self, cluster: Cluster, links: Links, small: str | None, sockets: Path) -> None:
        order = self._order
        rsync = _other_rsync()
        lacking = _lacking(rsync)
        for kind, why in lacking.items():
            print(f"left out: {kind}: {why}", flush=True)
        edits = load.Load(cluster.shop, order.seed)
        edits.begin()
        cluster.hosts[1].before = CLOCK.format(OFF)
        for host in cluster.hosts:
            host.start()
        self._say(0, f"both publishing hosts start, the clock of {cluster.hosts[1].name} is {OFF} s ahead")
        self._say(cluster.await_same(120, ["index.html"]), "every docroot has the first pages")
        planned = fault_schedule.plan(
            order.seed, order.seconds, gap=order.gap, fronts=[f.name for f in cluster.fronts],
            hosts=[h.name for h in cluster.hosts], small=small, without=[*lacking, *order.without],
        )  # fmt: skip
        readers = Readers(cluster.fronts, edits.removals, order.pause, order.seed)
        readers.start()
        try:
            injector = FaultInjector(cluster, self._server, links, readers, sockets=sockets, rsync=rsync)
            self._suffer(injector, cluster, edits, planned)
            self._converge(cluster)
        finally:
            readers.end()
        self.wrong += readers.faults
        self._count_uncommitted(readers)
        self._judge_docroots(cluster)
        self._tell(cluster, edits, readers, planned)
        for host in cluster.hosts:
            host.stop()
        if World(cluster.shop).rebuilt() != tree(cluster.hosts[0].docroot):
            self.wrong.append("the docroots are the same, but not what a rebuild from nothing gives")

    # While it lasts

    def _suffer(
        self, injector: FaultInjector, cluster: Cluster, edits: load.Load, planned: list[fault_schedule.Fault]
    ) -> None:
        """The load in a thread, the faults in this one; returns when the last is over."""
        over, broken = threading.Event(), list[Exception]()
        began = time.monotonic()

        def edit() -> None:
            try:
                edits.run(self._order.rate, over.is_set)
                edits.last()
            except Exception as error:  # told by the thread that waits
                broken.append(error)
            finally:
                db.database.close()

        thread = threading.Thread(target=edit, name="load")
        thread.start()
        try:
            self._carry_out(injector, cluster, planned, began)
        finally:
            over.set()
            thread.join(60)
        if broken:
            raise broken[0]

    def _carry_out(
        self, injector: FaultInjector, cluster: Cluster, planned: list[fault_schedule.Fault], began: float
    ) -> None:
        order = itertools.count()
        todo: list[tuple[float, int, Callable[[], object]]] = []

        def at(moment: float, work: Callable[[], object]) -> None:
            heapq.heappush(todo, (moment, next(order), work))

        def begin(fault: fault_schedule.Fault) -> None:
            self._say(time.monotonic() - began, str(fault))
            if "wiped" in fault.kind or "restored" in fault.kind:
                self._out[fault.subject] = time.monotonic()
            at(time.monotonic() - began + fault.seconds, injector.begin(fault))

        for fault in planned:
            if fault.kind.startswith("restored"):
                at(max(0, fault.at - 1 - 20 * fault.chance), lambda name=fault.subject: injector.copy(name))
            at(fault.at, lambda fault=fault: begin(fault))
        looked = 0.0
        while todo:
            now = time.monotonic() - began
            if todo[0][0] <= now:
                _insist(heapq.heappop(todo)[2])
            elif now > looked + 1 and not injector.silence.is_set():
                looked = now
                self._look(injector, cluster, began)
            time.sleep(max(0.0, min(0.1, todo[0][0] - now)) if todo else 0)
        self._say(time.monotonic() - began, "the last fault is over, and the load with it")
        self._injector = injector

    def _look(self, injector: FaultInjector, cluster: Cluster, began: float) -> None:
        with suppress(PeeweeException), db.suppress_unavailable():
            for state in cluster.states():
                self._lags.setdefault(state.name, []).append(state.lag)
            for name in injector.look():
                out = time.monotonic() - self._out[name]
                self._say(time.monotonic() - began, f"{name}: in service again after {out:.1f} s")

    # Afterwards

    def _converge(self, cluster: Cluster) -> None:
        began = time.monotonic()
        while time.monotonic() < began + LATE:
            with suppress(OSError, PeeweeException), db.suppress_unavailable():  # a file went while it was read
                self._injector.look()
                if (
                    store.count_unfinished() == 0
                    and not cluster.differences()
                    and all(s.level for s in cluster.states())
                ):
                    break
            time.sleep(0.1)
        took = time.monotonic() - began
        self._say(took, "after the last fault every docroot is the same" if took < LATE else "they still differ")
        if took > LEVEL:
            self.wrong.append(f"the docroots were not the same within {LEVEL:.0f} s of the last fault")
        self.wrong += [f"{name} never came back into service" for name in self._injector.returning]
        if failed := store.recent_failures():
            self.wrong.append(f"{len(failed)} jobs failed: {failed[0]}")

    def _count_uncommitted(self, readers: Readers) -> None:
        """Whole files that no journal knows, as a killed worker or a lost database leaves them: a few."""
        published = set(db.execute("SELECT path, version, digest FROM publication WHERE op = 'put'").fetchall())
        found = [(where, seen[1]) for seen, where in readers.seen.items() if seen not in published]
        for where, version in found:
            print(
                f"seen, whole, though its worker was stopped before it could write it down: {where}, version {version}"
            )
        if len(found) > len(readers.seen) / 20:
            self.wrong.append(f"of {len(readers.seen)} files that were seen, {len(found)} were published by nobody")

    def _judge_docroots(self, cluster: Cluster) -> None:
        first, *others = cluster.docroots()
        for other in others:
            command = ["rsync", "-rnic", "--times", "--omit-dir-times", "--delete", f"{first}/", f"{other}/"]
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
            self.wrong += [f"rsync -nc --delete: {other.relative_to(self._folder)}: {line}" for line in said[:10]]

    def _tell(
        self, cluster: Cluster, edits: load.Load, readers: Readers, planned: list[fault_schedule.Fault]
    ) -> None:  # fmt: skip
        made = ", ".join(f"{number} {what}" for what, number in sorted(edits.done.items()))
        print(f"{len(planned)} faults; load: {made}: {edits.done.total() / max(f.end for f in planned):.1f} a second")
        files = len(tree(cluster.hosts[0].docroot))
        publications = db.execute("SELECT COUNT(*) FROM publication").fetchone()[0]
        seen = f"{readers.looks} looks at front ends saw {len(readers.seen)} versions"
        print(f"{publications} publications, {files} files; {seen}")
        for state in cluster.states():
            lags = self._lags.get(state.name) or [0.0]
            print(
                f"{state.name}: {'level' if state.level else f'{state.waiting} files wait'}, lag {state.lag:.1f} s;"
                f" under load {statistics.median(lags):.1f} s median, {max(lags):.1f} s at most"
            )

    def _say(self, seconds: float, what: str) -> None:
        print(f"{seconds:7.1f} s  {what}", flush=True)


def _lacking(rsync: Path | None) -> dict[str, str]:
    """The kinds of fault that cannot be had here, and why."""
    found: dict[str, str] = {}
    if rsync is None:
        found["rsync of another build"] = "apt offers none, and APPLIANCE_RSYNCS names no folder with one"
    if not can_forget():
        found |= dict.fromkeys(("connections half open", "its connections half open"), "needs leave to forget (root)")
    return found


def _other_rsync() -> Path | None:
    """A build of rsync that removes differently than the one that is installed; None where there is none."""
    installed = Path(shutil.which("rsync") or "rsync")
    folder = Path(tempfile.gettempdir(), f"appliance-rsyncs-{os.getuid()}")
    for kind in ("old", "new"):
        with suppress(pytest.skip.Exception):
            if (found := rsyncs.find(kind, folder)) != installed:
                return found
    return None


def _insist(work: Callable[[], object]) -> None:
    """Do what may need the database, which may just have gone."""
    for _ in range(600):
        try:
            work()
        except PeeweeException as error:
            if not db.is_unavailable(error):
                raise
            db.disconnect()
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the database stays away")


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """A small disk of its own below `folder`, where that is allowed."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "appliance-soak", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        yield False
        return
    try:
        yield True
    finally:
        for log in folder.glob("*.log"):
            shutil.copy2(log, folder.with_name(f"{folder.name}-{log.name}"))
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def _end_masters(sockets: Path) -> None:
    """End the ssh connections that killed couriers left; they would end by themselves, in two minutes."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                if str(sockets).encode() in (folder / "cmdline").read_bytes():
                    os.kill(int(folder.name), signal.SIGTERM)

"""Faults, carried out: each at the real thing, as it would happen there."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from appliance import db
from appliance.demo.frontend import FrontEnd, descendants, free_port
from tests.cluster import Cluster, Host
from tests.postgresql import Server
from tests.soak.fault_schedule import Fault
from tests.soak.link import Links
from tests.soak.readers import Readers

#: What sets the clock of a publishing host's processes, as they read it.
CLOCK = "import time; _true = time.time; time.time = lambda: _true() + {}"
OFF, DAY = 120, 86_400

#: Settings of the database's server that are a fault.
SETTINGS = {
    "read-only": "default_transaction_read_only = on\n",
    "its clock runs a day ahead": f"appliance.clock_offset = '{DAY}'\n",
}
#: What ends them, for sessions that had them.
SOUND = "default_transaction_read_only = off\nappliance.clock_offset = '0'\n"

#: Bytes a second of a slow link, least and most.
RATES = (20_000, 100_000)
#: Bytes after which a link is cut, at most.
UNDER_WAY = 30_000


class LinkedFront(FrontEnd):
    """A front end behind a link that may be cut."""

    def __init__(self, folder: Path, key: Path, name: str) -> None:
        super().__init__(folder, key, name)
        self.link_port = free_port()
        self.use(Path(shutil.which("rsync") or "rsync"))

    def use(self, rsync: Path) -> None:
        """Have another build of rsync from now on."""
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = self.folder / "rsync.new"
        fresh.symlink_to(rsync)
        fresh.replace(self.folder / "rsync")

    def _daemon(self) -> str:
        settings = shlex.quote(str(self.folder / "rsyncd.conf"))
        return f"{shlex.quote(str(self.folder / 'rsync'))} --server --daemon --config={settings} ."

    @property
    def known_host(self) -> str:
        return super().known_host.replace(f":{self.ssh_port} ", f":{self.link_port} ")

    def settings(self):  # type: ignore[no-untyped-def]
        return super().settings().model_copy(update={"port": self.link_port})


class FaultInjector:
    """Begins faults and ends them, in the thread that holds the cluster."""

    def __init__(
        self, cluster: Cluster, server: Server, links: Links, readers: Readers, *, sockets: Path, rsync: Path | None
    ) -> None:
        """Take hold of it all.

        Args:
            cluster: what is to suffer; its database is behind the link after those of the front ends.
            server: the database's.
            links: those of front ends and database.
            readers: who look at the front ends.
            sockets: the folder below which couriers make theirs.
            rsync: another build than the one that is installed, if there is one.
        """
        self._server, self._links, self._readers = server, links, readers
        self._sockets, self._rsync = sockets, rsync
        #: While it is set, asking the database would wait.
        self.silence = threading.Event()
        self._fronts: dict[str, LinkedFront] = {front.name: front for front in cluster.fronts}
        self._hosts = {host.name: host for host in cluster.hosts}
        self._copies = cluster.folder / "copies"
        #: What each front end must show until it is in service again: (path, op, version).
        self.returning: dict[str, list[tuple[str, str, int]]] = {}

    def begin(self, fault: Fault) -> Callable[[], object]:
        """Have it happen; returns what ends it."""
        front, host = self._fronts.get(fault.subject), self._hosts.get(fault.subject)
        if front:
            return self._at_front(fault, front, [*self._fronts].index(front.name))
        if host:
            return self._at_host(fault, host)
        return self._at_database(fault)

    def copy(self, name: str) -> None:
        """Keep a copy of a front end's docroot as it is now."""
        shutil.rmtree(self._copies / name, ignore_errors=True)
        _copy(self._fronts[name].docroot, self._copies / name)

    def look(self) -> list[str]:
        """The front ends that are in service again."""
        back, gone = [], {path for path, op, _ in latest() if op == "delete"} if self.returning else set()
        for name, wanted in list(self.returning.items()):
            docroot = self._fronts[name].docroot
            if all(_shows(docroot / path, op, version, path in gone) for path, op, version in wanted):
                del self.returning[name]
                self._readers.in_service(name)
                back.append(name)
        return back

    # Front ends

    def _at_front(self, fault: Fault, front: LinkedFront, number: int) -> Callable[[], object]:
        match fault.kind:
            case "sshd killed":
                for pid in [front.sshd_pid, *descendants(front.sshd_pid)]:
                    _kill(pid)
                return lambda: (front.stop(), front.start_sshd())
            case "stopped":
                front.stop()
                return front.start_sshd
            case "wiped":
                self._leave(front.name)
                _clear(front.docroot)
                self._return(front.name)
                return _nothing
            case "wiped while it was stopped" | "restored from an older copy":
                return self._stopped(front, wiped="wiped" in fault.kind)
            case "sshd silent":
                return _stopped(front.sshd_pid)
            case "connections half open":
                self._links.say("forget", number)
                return _nothing
            case "rsync of another build":
                assert self._rsync
                front.use(self._rsync)
                return lambda: front.use(Path(shutil.which("rsync") or "rsync"))
            case "disk full":
                _fill(front.folder / "filler")
                return (front.folder / "filler").unlink
            case "link cut":
                self._links.say("cut", number, int(UNDER_WAY * fault.chance))
            case "link slow":
                least, most = RATES
                self._links.say("slow", number, int(least + (most - least) * fault.chance))
        return lambda: self._links.say("mend", number)

    def _stopped(self, front: LinkedFront, *, wiped: bool) -> Callable[[], object]:
        self._leave(front.name)
        front.stop()
        _clear(front.docroot)
        if not wiped:
            _copy(self._copies / front.name, front.docroot)

        def end() -> None:
            front.start_sshd()
            self._return(front.name)

        return end

    def _leave(self, name: str) -> None:
        if name not in self.returning:
            self._readers.out_of_service(name)
        self.returning[name] = [("index.html", "put", 1 << 62)]  # not before `_return`

    def _return(self, name: str) -> None:
        self.returning[name] = latest()

    # Publishing hosts

    def _at_host(self, fault: Fault, host: Host) -> Callable[[], object]:
        role = fault.kind.partition(" ")[0]
        if role in ("worker", "courier"):
            pids = [pid for pid in host.pids(role) if _is_ours(pid, host)]
            if pids:
                _kill(pids[int(fault.chance * len(pids))])
            return _nothing
        if role == "ssh":
            for folder in self._sockets.glob("appliance-*"):
                shutil.rmtree(folder, ignore_errors=True)
            return _nothing
        host.kill()
        if "day" in fault.kind:
            return self._a_day_ahead(host)
        if role == "clock":
            host.before = "" if host.before else CLOCK.format(OFF if fault.chance < 0.5 else -OFF)
        return host.start

    @staticmethod
    def _a_day_ahead(host: Host) -> Callable[[], object]:
        before, host.before = host.before, CLOCK.format(DAY)
        host.start()

        def end() -> None:
            host.kill()
            host.before = before
            host.start()

        return end

    # The database

    def _at_database(self, fault: Fault) -> Callable[[], object]:
        match fault.kind:
            case "restarted":
                self._server.restart()
            case "silent":
                # It ends by itself: whoever asks the database meanwhile, ourselves too, waits until then.
                self.silence.set()
                self._server.pause()
                later = threading.Timer(fault.seconds, self._speak)
                later.start()
                return later.join
            case "its connections half open":
                self._links.say("forget", len(self._fronts))
            case _:
                self._server.configure(SETTINGS[fault.kind])
                return lambda: self._server.configure(SOUND)
        return _nothing

    def _speak(self) -> None:
        self._server.resume()
        self.silence.clear()


def latest() -> list[tuple[str, str, int]]:
    """Path, op and version of the last publication of every path."""
    rows = db.execute(
        "SELECT path, op, version FROM publication p WHERE NOT EXISTS "
        "(SELECT 1 FROM publication later WHERE later.path = p.path AND later.id > p.id)"
    )
    return [(str(path), str(op), int(version)) for path, op, version in rows.fetchall()]


def _shows(file: Path, op: str, version: int, gone: bool) -> bool:
    try:
        at = int(file.stat().st_mtime)
    except (FileNotFoundError, NotADirectoryError):
        return op == "delete" or gone
    return at >= version if op == "put" else at > version


def _is_ours(pid: int, host: Host) -> bool:
    """A row of a process that died may still be there, and its number somebody else's by now."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cwd").readlink() == host.folder
    return False


def _stopped(pid: int) -> Callable[[], object]:
    """Have a process and all it started say nothing more; returns what has them go on."""
    pids = [pid]
    os.kill(pid, signal.SIGSTOP)  # first: it starts no others then
    pids += descendants(pid)

    def end() -> None:
        for number in pids:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGCONT)

    for number in pids:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGSTOP)
    return end


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _clear(folder: Path) -> None:
    for found in list(folder.iterdir()):
        shutil.rmtree(found, ignore_errors=True) if found.is_dir() else found.unlink(missing_ok=True)


def _copy(source: Path, to: Path) -> None:
    """What is served of a folder in use, with its times."""
    to.mkdir(parents=True, exist_ok=True)
    for above, folders, names in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            place = to / Path(above, name).relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                if not name.startswith("."):
                    shutil.copy2(Path(above, name), place)


def _fill(file: Path) -> None:
    with suppress(OSError), file.open("wb", buffering=0) as opened:
        while True:
            opened.write(b"\0" * 4096)


def _nothing() -> None:
    pass

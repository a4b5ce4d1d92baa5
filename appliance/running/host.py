"""What a publishing host's processes need before they start, and what their supervisor sees to while they run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from appliance import clock, db
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.delivery import rsync
from appliance.queue import processes, store
from appliance.queue.notify import Notifier
from appliance.queue.processes import Presence
from appliance.queue.supervisor import Supervisor

#: Seconds between two looks for leases that have run out, and for requests.
_LOOK = 1.0


def preflight(config: Config) -> None:
    """Check what the processes need before any is started.

    Raises:
        DocrootError, DeliveryError: it is not there.
    """
    Docroot.prepare(config).sweep()
    if config.targets or config.publishing_hosts:
        rsync.preflight(config.delivery)


def rescue_dead(config: Config) -> None:
    """Free the jobs of workers of this host whose process is gone; their leases need not run out first.

    Whose they were makes no difference: a supervisor that was killed may not come back.
    """
    gone = [row.name for row in processes.list()] + store.holders()
    for name in {name for name in gone if _is_dead(config, name)}:
        _bury(config, name)
    store.rescue(config.queue.retries)


def bury(config: Config, host: str) -> int:
    """Free the jobs of the workers of another host, which is gone for good; returns how many they were."""
    gone = {row.name for row in processes.list() if row.host == host}
    gone |= {name for name in store.holders() if name.rpartition(":")[0] == host}
    return sum(_bury(config, name) for name in sorted(gone))


def worker_name(config: Config, process: int) -> str:
    """What a worker is called on the queue."""
    return processes.name_of(config.host_name, process)


def _is_dead(config: Config, name: str) -> bool:
    host, _, process = name.rpartition(":")
    return host == config.host_name and process.isdigit() and not _alive(int(process))


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        # What has ended and nobody has yet asked how is still known by its number.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    return True


def _bury(config: Config, name: str) -> int:
    freed = store.rescue(config.queue.retries, worker=name)
    processes.forget(name)
    return freed


class Upkeep:
    """What a supervisor of a host's processes does besides: frees what the dead held, beats, tells systemd.

    A database that is lost is waited for; the processes go on being kept meanwhile.
    """

    def __init__(self, config: Config, doing: str) -> None:
        self.presence = Presence("supervisor", config.host_name)
        self.presence.doing = doing
        self._config = config
        self._notifier = Notifier()
        self._dead: list[str] = []
        self._due = clock.monotonic()

    def begin(self) -> None:
        """Bury the dead of former runs and appear among the processes."""
        rescue_dead(self._config)
        self.presence.enter()

    def died(self, _name: str, process: int) -> None:
        """Take note of a process that has ended."""
        self._dead.append(worker_name(self._config, process))

    def ready(self) -> None:
        """Tell systemd that the service is up."""
        self._notifier.tell("READY=1")

    def stopping(self) -> None:
        """Tell systemd that the service ends. Safe in a signal handler."""
        self._notifier.tell("STOPPING=1")

    def tend(self, supervisor: Supervisor) -> None:
        """See to what is due; call it often."""
        self._notifier.alive(f"{self.presence.doing}: {', '.join(supervisor.pids) or 'no process'}")
        with db.tolerant():
            self._bury_own()
            if clock.monotonic() < self._due:
                return
            self._due = clock.monotonic() + _LOOK
            rescue_dead(self._config)
            processes.prune()
            self.presence.beat()
            self.presence.look()
            if self.presence.recycled:
                supervisor.recycle()
                self.presence.obeyed()

    def end(self) -> None:
        """Vanish from among the processes."""
        with db.tolerant():
            self._bury_own()
            self.presence.leave()

    def _bury_own(self) -> None:
        while self._dead:
            # While the database was away another supervisor's process may have been given the same number.
            if _is_dead(self._config, self._dead[0]):
                _bury(self._config, self._dead[0])
            del self._dead[0]

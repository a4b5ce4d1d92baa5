"""Checks before the processes of a publishing host start, and the maintenance work of their supervisor."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from appliance import audit, clock, db
from appliance.building.docroot import Docroot
from appliance.config import Config
from appliance.delivery.diagnostics import rsync_trial
from appliance.queue import processes, store
from appliance.queue.processes import RegisteredProcess
from appliance.queue.sd_notify import SystemdNotifier
from appliance.queue.supervisor import Supervisor

#: Seconds between two checks for expired leases and for requests, and whether the database has grown much.
_LOOK, _LOOK_AT_GROWTH = 1.0, 5.0


def preflight(config: Config) -> None:
    """Check that this host can publish and deliver, before any process is started.

    Raises:
        DocrootError: the docroot cannot be used.
        DeliveryError: rsync cannot be used.
    """
    Docroot.prepare(config).sweep()
    if config.targets or config.publishing_hosts:
        rsync_trial.run(config.delivery)


def rescue_dead_workers(config: Config) -> None:
    """Free the jobs of dead workers of this host, before their leases expire.

    This includes workers of other supervisors: a supervisor that was killed may not come back.
    """
    gone = [row.name for row in processes.list_processes()] + store.holder_names()
    for name in {name for name in gone if _is_dead(config, name)}:
        _release_worker_jobs(config, name)
    store.rescue(config.queue.retries, lease=config.queue.lease)


def release_host_jobs(config: Config, host: str) -> int:
    """Free the jobs of all workers of a host that is gone for good; returns the number of jobs."""
    gone = {row.name for row in processes.list_processes() if row.host == host}
    gone |= {name for name in store.holder_names() if name.rpartition(":")[0] == host}
    released = sum(_release_worker_jobs(config, name) for name in sorted(gone))
    if released:
        audit.record("job.release", "host", host, label=host, after={"jobs": released})
    return released


def worker_name(config: Config, process: int) -> str:
    """The name of a worker on the queue."""
    return processes.process_name(config.host_name, process)


def _is_dead(config: Config, name: str) -> bool:
    host, _, process = name.rpartition(":")
    return host == config.host_name and process.isdigit() and not _is_alive(int(process))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with suppress(OSError):
        # A zombie, which has ended but was not reaped yet, still has its process id.
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    return True


def _release_worker_jobs(config: Config, name: str) -> int:
    freed = store.rescue(config.queue.retries, worker=name)
    processes.deregister(name)
    return freed


class HostMaintenance:
    """The periodic work of a host's supervisor: frees jobs of dead workers, sends heartbeats, notifies systemd.

    During an outage of the database it waits, and the processes are still supervised.
    """

    def __init__(self, config: Config, doing: str) -> None:
        self.process = RegisteredProcess("supervisor", config.host_name)
        self.process.activity = doing
        self._config = config
        self._notifier = SystemdNotifier()
        self._dead: list[str] = []
        self._due = self._growth_due = clock.monotonic()

    def start(self) -> None:
        """Free the jobs of workers that died in earlier runs, and register this process."""
        rescue_dead_workers(self._config)
        self.process.register()

    def record_exit(self, _name: str, process: int) -> None:
        """Record a process that has ended."""
        self._dead.append(worker_name(self._config, process))

    def notify_ready(self) -> None:
        """Tell systemd that the service is up."""
        self._notifier.send("READY=1")

    def notify_stopping(self) -> None:
        """Tell systemd that the service is stopping. Safe in a signal handler."""
        self._notifier.send("STOPPING=1")

    def run_due(self, supervisor: Supervisor) -> None:
        """Do the maintenance work that is due. Call this often."""
        self._notifier.report_status(f"{self.process.activity}: {', '.join(supervisor.pids) or 'no process'}")
        with db.suppress_unavailable():
            self._release_own_dead()
            if clock.monotonic() < self._due:
                return
            self._due = clock.monotonic() + _LOOK
            rescue_dead_workers(self._config)
            processes.prune()
            self.process.heartbeat()
            self.process.refresh_request()
            if self.process.should_recycle:
                supervisor.recycle()
                self.process.clear_request()
            if clock.monotonic() >= self._growth_due:
                self._growth_due = clock.monotonic() + _LOOK_AT_GROWTH
                db.analyze_if_grown()

    def stop(self) -> None:
        """Free the jobs of ended workers and delete the row of this process."""
        with db.suppress_unavailable():
            self._release_own_dead()
            self.process.deregister()

    def _release_own_dead(self) -> None:
        while self._dead:
            # While the database was unavailable, another supervisor's process may have been given the same id.
            if _is_dead(self._config, self._dead[0]):
                _release_worker_jobs(self._config, self._dead[0])
            del self._dead[0]

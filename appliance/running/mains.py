"""The main functions of a publishing host's processes, by the name of each process."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from appliance import db, publishing, pulling
from appliance.building import publish as publishing_kind
from appliance.config import Config
from appliance.delivery import courier, purge
from appliance.delivery.targets import has_courier
from appliance.mailing import notices
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.kinds import registry
from appliance.queue.processes import Presence
from appliance.queue.supervisor import REPLACE, on_signals, orphaned
from appliance.queue.wakeup import DatabaseWake
from appliance.queue.worker import Worker
from appliance.running.couriers import courier_main
from appliance.running.scheduling import schedule_main

WORKER, ERRANDS, COURIER, SCHEDULE = "worker", "errands", "courier", "schedule"

#: What a host's processes are for; each part may have a supervisor of its own.
PARTS: Final = (WORKER, ERRANDS, COURIER, SCHEDULE)

#: What performs each kind of work there is. That their modules are loaded here is what registers them.
KINDS = (publishing.ask, publishing_kind.kind, notices.send, purge.purge, pulling.perform)

_NUMBER = struct.Struct("q")


@dataclass(frozen=True)
class Shift:
    """What the processes are started for."""

    #: Worker processes.
    workers: int
    #: Jobs to work on at most, all workers together.
    limit: int | None = None
    #: Workers end when no job is due.
    once: bool = False
    #: There is a courier: 'lasting' until told to stop, or 'settling', which then waits for its targets.
    pushing: Literal["lasting", "settling"] | None = None
    report: courier.Report = courier.silence
    #: The name of the process that starts them.
    keeper: str = ""
    #: The parts that are run here.
    only: Collection[str] = PARTS


class Tally:
    """Jobs ended by each worker, in memory that forked processes share: who is replaced is followed by one who knows.

    Each place is written by one process at a time.
    """

    def __init__(self, places: int) -> None:
        self._memory = mmap.mmap(-1, _NUMBER.size * max(1, places))

    def __getitem__(self, place: int) -> int:
        number: int = _NUMBER.unpack_from(self._memory, place * _NUMBER.size)[0]
        return number

    def add(self, place: int, jobs: int) -> None:
        """Count so many more."""
        _NUMBER.pack_into(self._memory, place * _NUMBER.size, self[place] + jobs)


def mains(config: Config, shift: Shift) -> dict[str, Callable[[], int]]:
    """Main functions of the workers and, if wanted and there are targets, of the courier, by name.

    There is none when the parts wanted have nothing to do here.
    """
    found: dict[str, Callable[[], int]] = {}
    tally = Tally(shift.workers + 1)
    for number in range(shift.workers if WORKER in shift.only else 0):
        share = None if shift.limit is None else shift.limit // shift.workers + (number < shift.limit % shift.workers)
        if share != 0:
            found[f"worker-{number + 1}"] = partial(_worker_main, config, shift, share, tally, number)
    if runs_errands(config, shift):
        found[ERRANDS] = partial(_worker_main, config, shift, None, tally, shift.workers, apart=True)
    if shift.pushing == "lasting" and SCHEDULE in shift.only:
        found[SCHEDULE] = partial(schedule_main, config, keeper=shift.keeper)
    if has_courier(config) and shift.pushing and COURIER in shift.only:
        found[COURIER] = partial(
            courier_main, config, shift.report, settle=shift.pushing == "settling", keeper=shift.keeper
        )
    return found


def runs_errands(config: Config, shift: Shift) -> bool:
    """Whether there is a worker for what waits for other machines, so that publishing never does."""
    has_sources = any(site.sources for site in config.sites)
    wanted = shift.limit is None and ERRANDS in shift.only
    return wanted and bool(config.mail.host or config.caches or has_sources)


def kinds_done(config: Config, shift: Shift) -> list[str]:
    """The names of the kinds somebody works on."""
    return registry.names() if runs_errands(config, shift) else registry.names(apart=False)


def _worker_main(
    config: Config, shift: Shift, share: int | None, tally: Tally, place: int, *, apart: bool = False
) -> int:
    """Perform jobs until told to stop, or until this worker and those it follows have ended `share` of them."""
    opened = db.open_database(config)
    presence = Presence(ERRANDS if apart else WORKER, config.host_name, shift.keeper)
    presence.enter()
    kinds = registry.make(config, apart=apart)
    wake = DatabaseWake(lambda: worker.stopping())
    worker = Worker(presence.name, kinds, config.queue, wake, orphaned(), presence)
    left = None if share is None else share - tally[place]
    with on_signals(worker.stop), Heartbeat(worker.keep, every=min(0.5, config.queue.lease / 6)):
        worker.run(left, once=shift.once, tally=partial(tally.add, place))
    with db.tolerant():
        presence.leave()
    wake.close()
    opened.close()
    return REPLACE if worker.worn and (share is None or tally[place] < share) else 0

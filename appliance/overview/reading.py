"""Reads the facts of an overview, each as often as it changes.

Guarantees that any number of people who look at the same time cost the database no more than one does: what people see
who may see the same is read once, and kept for some seconds.
"""

from __future__ import annotations

from typing import Final

from appliance import db, housekeeping
from appliance.config import Config
from appliance.delivery import target_state
from appliance.delivery.targets import courier_targets
from appliance.history import disks
from appliance.importing import sources
from appliance.overview.facts import Facts, Failures, Surroundings, Work
from appliance.overview.flow import Flow, Series, read_flow, read_series
from appliance.overview.kept import Kept
from appliance.overview.visibility import Visibility
from appliance.planning.faults import recorded_faults
from appliance.queue import failure_groups, processes, totals

#: Seconds for which each part is kept at least.
_WORK: Final = 2.0
_SURROUNDINGS: Final = 10.0
_FLOW: Final = 15.0
_SERIES: Final = 60.0
#: Groups of failures that are shown.
_GROUPS: Final = 5


class Reader:
    """Reads an installation, and keeps what it has read for a moment."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._work: Kept[tuple[Work, Failures]] = Kept(_WORK)
        self._surroundings: Kept[Surroundings] = Kept(_SURROUNDINGS)
        self._flow: Kept[Flow] = Kept(_FLOW)
        self._series: Kept[Series] = Kept(_SERIES)

    def facts(self, visibility: Visibility) -> Facts:
        """Return what is to be seen now."""
        config = self._config
        work, failures = self._work.get(visibility, lambda: _read_work(config, visibility))
        return Facts(
            visibility,
            work,
            failures,
            self._surroundings.get(visibility, lambda: _read_surroundings(config, visibility)),
            self._flow.get(visibility.sites, lambda: read_flow(visibility.sites)),
        )

    def series(self, visibility: Visibility) -> Series:
        """Return the series of the last hour and the last day."""
        return self._series.get(visibility.sites, lambda: read_series(visibility.sites))


def _read_work(config: Config, visibility: Visibility) -> tuple[Work, Failures]:
    """Read the queue, the targets and the processes, all of one moment."""
    with db.snapshot():
        work = Work(
            db.now(),
            totals.read(visibility.sites),
            target_state.read_all(courier_targets(config)) if visibility.targets else (),
            processes.list_processes() if visibility.processes else (),
        )
        groups, more = failure_groups.list_groups(visibility.sites) if work.totals.failed.number else ([], False)
    return work, Failures(len(groups), more, groups[:_GROUPS])


def _read_surroundings(config: Config, visibility: Visibility) -> Surroundings:
    """Read the schedule, the sources, the disks and the conflicts of addresses."""
    names = [site.name for site in config.sites if visibility.sites is None or site.name in visibility.sites]
    with db.snapshot():
        return Surroundings(
            db.now(),
            housekeeping.make_schedule(config).states() if visibility.schedule else (),
            [source for source in sources.source_states(config) if source.site in names],
            disks.read() if visibility.processes else (),
            recorded_faults(names),
        )

"""What an overview is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.delivery.target_state import TargetState
from appliance.history.disks import Disk
from appliance.importing.sources import SourceState
from appliance.overview.flow import Flow
from appliance.overview.visibility import Visibility
from appliance.queue.failure_groups import FailureGroup
from appliance.queue.periodic import TaskState
from appliance.queue.processes import ProcessRow
from appliance.queue.totals import Totals


@dataclass(frozen=True, slots=True)
class Work:
    """What changes from second to second."""

    #: When it was read, in seconds since the epoch.
    at: float
    totals: Totals
    #: Empty for somebody who may not see them.
    targets: Sequence[TargetState]
    processes: Sequence[ProcessRow]


@dataclass(frozen=True, slots=True)
class Failures:
    """Why jobs failed."""

    #: How many reasons there are, and whether there are more than were counted.
    causes: int
    more: bool
    #: Those that failed jobs last, the latest first.
    groups: Sequence[FailureGroup]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What changes from minute to minute."""

    #: When it was read, in seconds since the epoch.
    at: float
    #: The periodic tasks; empty for somebody who may not see them.
    tasks: Sequence[TaskState]
    sources: Sequence[SourceState]
    disks: Sequence[Disk]
    #: One sentence for each artifact that the last plans left out.
    conflicts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is shown at one look, to somebody who may see so much."""

    visibility: Visibility
    work: Work
    failures: Failures
    surroundings: Surroundings
    flow: Flow

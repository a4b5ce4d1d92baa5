"""The status of an installation: its jobs, what failed or was left out, and how far each target is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from appliance.config import Config
from appliance.delivery import target_state
from appliance.delivery.target_state import TargetState
from appliance.delivery.targets import courier_targets
from appliance.planning.faults import recorded_faults
from appliance.queue import store
from appliance.queue.models import State

#: The job kinds of this release. The rooms that handle them would register them, but counting jobs must not import
#: those rooms.
KINDS: Final = frozenset(
    {
        "check-target", "compare", "look-at-page", "mail", "mail-account", "mail-confirmation", "mail-digest",
        "mail-link", "mail-reply", "plan", "preview", "publish", "pull", "purge", "rebuild", "spam-check",
        "spam-report", "verify-target", "webhook", "webhook-events",
    }
)  # fmt: skip


class Failure(NamedTuple):
    """A job that failed, and why."""

    kind: str
    key: str
    error: str


@dataclass(frozen=True, slots=True)
class Status:
    """How an installation is at one moment."""

    #: Number of jobs by state.
    jobs: Mapping[State, int]
    #: The latest jobs that failed.
    failed: tuple[Failure, ...]
    #: Number of unfinished jobs of kinds that this release does not know, by kind.
    unknown: Mapping[str, int]
    #: One sentence for each file that could not be planned.
    conflicts: tuple[str, ...]
    targets: tuple[TargetState, ...]


def read_status(config: Config) -> Status:
    """Return how an installation is. A shared docroot is not looked at: `shared_docroot` does that."""
    return Status(
        jobs=store.count_by_state(),
        failed=tuple(Failure(*values) for values in store.recent_failures()),
        unknown=store.count_unknown_kinds(KINDS),
        conflicts=tuple(recorded_faults([site.name for site in config.sites])),
        targets=tuple(target_state.read_all(courier_targets(config))),
    )

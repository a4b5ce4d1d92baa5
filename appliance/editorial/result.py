"""Applying an edit and publishing it, and the result that commands return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic, TypeVar

from appliance import plan_job, publishing
from appliance.actor import UNKNOWN, Actor
from appliance.config import Config
from appliance.content.models import Site
from appliance.content.sites import find_site
from appliance.errors import ApplianceError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

#: Expected versions by id, for a command that expects none.
NO_VERSIONS: Final[Mapping[int, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class EditResult(Generic[T_co]):
    """The result of a command that saved its edit."""

    #: The edited thing in its new state.
    subject: T_co
    #: Whether anything changed.
    changed: bool
    #: How many files will be built, that is, jobs enqueued for the edit. 0 if it is published later.
    files: int = 0
    #: Why nothing was published. The edit is saved all the same.
    faults: tuple[str, ...] = ()
    #: One sentence for each artifact of the site that is left out or published elsewhere because its path is taken.
    conflicts: tuple[str, ...] = ()
    #: Who made the edit.
    actor: Actor = UNKNOWN


def apply_edit(
    config: Config, site: str, actor: Actor, later: bool, edit: Callable[[Site], tuple[T, bool]]
) -> EditResult[T]:
    """Apply an edit to a site and publish what changed, unless it is to be published `later`.

    `edit` returns its subject and whether anything changed. The transaction that saves the edit also enqueues the job
    that plans it, in case this process ends before it publishes the edit.

    Raises:
        ConfigError, ThemeError: nothing was edited.
        ApplianceError: as `edit`.
    """
    row = find_site(config, site)
    if later:
        with plan_job.defer():
            return EditResult(*edit(row), actor=actor)
    publishing.load_themes(config, [row.name])
    with plan_job.hold_back(plan_job.COMMAND_DELAY):
        subject, changed = edit(row)
    if not changed:
        return EditResult(subject, changed, actor=actor)
    try:
        plans = publishing.publish(config, [row.name])
    except ApplianceError as error:
        return EditResult(subject, changed, faults=(str(error),), actor=actor)
    files = sum(sum(plan.enqueue_results.values()) for plan in plans)
    conflicts = tuple(sentence for plan in plans for sentence in (*plan.notes, *plan.faults))
    return EditResult(subject, changed, files, conflicts=conflicts, actor=actor)

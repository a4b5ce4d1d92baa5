"""What came of an edit, and that it is published."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from appliance import publishing
from appliance.config import Config
from appliance.content.models import Site
from appliance.editorial.finding import site_named
from appliance.errors import ApplianceError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """An edit that was carried out."""

    #: What was edited, as it is now.
    subject: T
    #: Whether anything is another than before.
    changed: bool
    #: Jobs put on the queue for it; none when it is published later.
    files: int = 0
    #: One sentence for each artifact that cannot be published, or why nothing is; the edit is saved all the same.
    faults: tuple[str, ...] = ()


def carry_out(config: Config, site: str, later: bool, work: Callable[[Site], tuple[T, bool]]) -> Done[T]:
    """Do `work` on a site, which returns its subject and whether it changed, and publish what changed.

    Raises:
        ConfigError, ThemeError: nothing has been done.
        ApplianceError: what `work` refuses.
    """
    row = site_named(config, site)
    if later:
        return Done(*work(row))
    publishing.themes(config, [row.name])
    subject, changed = work(row)
    if not changed:
        return Done(subject, changed)
    try:
        plans = publishing.publish(config, [row.name])
    except ApplianceError as error:
        return Done(subject, changed, faults=(str(error),))
    files = sum(sum(plan.answers.values()) for plan in plans)
    return Done(subject, changed, files, tuple(fault for plan in plans for fault in plan.faults))

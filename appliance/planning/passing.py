"""The passing of time in steps: templates are told when it is to a step, and are built again with the next one."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from appliance import clock

_DAY: Final = 86_400
#: The shortest step, in seconds: each one builds everything again that shows it.
_LEAST: Final = 60


def floor(moment: float, step: float, zone: ZoneInfo) -> datetime:
    """The beginning of the step that `moment` is in; steps of days begin at midnight, others count from there."""
    local = clock.local(moment, zone)
    midnight = datetime.combine(local.date(), time(), zone)
    if step >= _DAY:
        return midnight - timedelta(days=local.toordinal() % round(step / _DAY))
    passed = moment - midnight.timestamp()
    return clock.local(midnight.timestamp() + passed // max(step, _LEAST) * max(step, _LEAST), zone)


def following(moment: float, step: float, zone: ZoneInfo) -> float:
    """When the next step begins, in seconds since the epoch."""
    begun = floor(moment, step, zone)
    tomorrow = datetime.combine(begun.date() + timedelta(days=max(1, round(step / _DAY))), time(), zone)
    if step >= _DAY:
        return tomorrow.timestamp()
    return min(begun.timestamp() + max(step, _LEAST), tomorrow.timestamp())

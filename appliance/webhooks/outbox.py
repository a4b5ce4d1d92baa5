"""Events between what happened and the webhooks: rows that one job gathers into few requests.

A row is written in the transaction of what it tells, so an event is lost neither by a kill nor told of a rollback. The
queue keeps the interval between two gatherings of the same event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance import db
from appliance.config import Config
from appliance.db import NOW
from appliance.queue.enqueue import Cause, JobRequest, enqueue

#: The kind of job that gathers. Its key is the event and, after a slash, what it is gathered by.
GATHER: Final = "webhook-events"
#: Above that of pages, so that news of a large rebuild does not wait for its end.
_PRIORITY: Final = 10


@dataclass(frozen=True, slots=True)
class EventRow:
    """One thing that happened."""

    site: str
    data: Mapping[str, Any]


def is_wanted(config: Config, event: str, site: str = "") -> bool:
    """Whether any webhook is told of such an event."""
    return any(webhook.wants(event, site) for webhook in config.webhooks)


def record(event: str, topic: str, site: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write down what happened, in the transaction of it. `request_gathering` makes it known."""
    for some in db.chunks(rows, 100):
        values = [value for data in some for value in (event, topic, site, json.dumps(data))]
        asked = ",".join([f"(?, ?, ?, ?, {NOW})"] * len(some))
        db.execute(f"INSERT INTO webhook_event (event, topic, site, data, at) VALUES {asked}", values)


def request_gathering(config: Config, event: str, topic: str, *, every: float = 0.0, delay: float = 0.0) -> None:
    """Enqueue the job that gathers, at least `every` seconds after its last run, or in `delay` seconds."""
    request = JobRequest(f"{event}/{topic}", priority=_PRIORITY, every=every)
    enqueue(GATHER, [request], ageing=config.queue.ageing, causes=[Cause(event)], delay=delay)


def take(event: str, topic: str) -> list[EventRow]:
    """Remove and return all rows of an event and topic, in order."""
    rows = db.execute(
        "DELETE FROM webhook_event WHERE event = ? AND topic = ? RETURNING id, site, data", [event, topic]
    ).fetchall()
    return [EventRow(site, json.loads(data)) for _, site, data in sorted(rows)]

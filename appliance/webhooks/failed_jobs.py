"""The event of jobs that failed for good, gathered by kind so that a broken theme makes one request a minute."""

from __future__ import annotations

from typing import Any, Final

from appliance import db
from appliance.config import Config, WebhookSettings
from appliance.queue import store
from appliance.webhooks import outbox, state
from appliance.webhooks.deliveries import DELIVER, enqueue_delivery
from appliance.webhooks.outbox import GATHER, EventRow

EVENT: Final = "job.failed"
#: Seconds between two events about jobs of one kind.
INTERVAL: Final = 60.0
#: Jobs that an event names; it counts all.
_NAMED: Final = 20
_MESSAGE: Final = 500


@store.subscribe_failures
def record_failure(job: int) -> None:
    """Write down that a job failed for good, in the transaction that fails it."""
    config = db.opened_config()
    if config is None or not outbox.is_wanted(config, EVENT):
        return
    kind, key, scope, message = db.execute(
        "SELECT kind, key, scope, error_message FROM job WHERE id = ?", [job]
    ).fetchone()
    if kind == GATHER:  # it would be gathered by a job that fails
        return
    outbox.record(EVENT, kind, scope, [{"id": job, "key": key, "error": (message or "")[:_MESSAGE]}])
    outbox.request_gathering(config, EVENT, kind, every=INTERVAL)


def gather(config: Config, kind: str) -> int:
    """Enqueue an event about the failed jobs of a kind for each webhook that wants it; returns how many failed."""
    with db.write():
        rows, disabled = outbox.take(EVENT, kind), state.disabled_names(config)
        for webhook in config.webhooks:
            wanted = [row for row in rows if _is_wanted(webhook, kind, row)]
            if wanted and webhook.name not in disabled:
                sites = {row.site for row in wanted}
                site = sites.pop() if len(sites) == 1 else ""
                enqueue_delivery(config, webhook, EVENT, _data(kind, wanted), site=site)
    return len(rows)


def _is_wanted(webhook: WebhookSettings, kind: str, row: EventRow) -> bool:
    """Whether to tell a webhook. What it did not take itself is no news to it."""
    is_its_own = kind == DELIVER and str(row.data["key"]).startswith(f"{webhook.name}/")
    return webhook.wants(EVENT, row.site) and not is_its_own


def _data(kind: str, rows: list[EventRow]) -> dict[str, Any]:
    return {"kind": kind, "count": len(rows), "jobs": [{**row.data, "site": row.site} for row in rows[:_NAMED]]}

"""The job that sends one event to one webhook.

The event has its id and its content from the transaction that enqueues the job, so every attempt sends the same bytes
under the same `webhook-id`, also one that follows a kill between the answer and the end of the job. A webhook that
fails rests for a while, and its other events wait until then, so that it does not keep the worker from other errands.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

from appliance import clock, db
from appliance.config import Config, WebhookSettings
from appliance.errors import WebhookError, WebhookRefused, WebhookResting
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.handlers import JobContext, Outcome, Payload, handler
from appliance.queue.retry import RetryPolicy
from appliance.webhooks import state

#: The kind of the job. Its key is the name of the webhook, the event and its id, with slashes between.
DELIVER: Final = "webhook"
#: Seconds after which an event that was not taken is given up: receivers that come back want no older news.
_GIVEN_UP: Final = 3 * 86_400.0
#: From a minute to hours, for most of a day.
_RETRY: Final = RetryPolicy(
    max_retries=12, initial_delay=60.0, max_delay=21_600.0, fatal=(WebhookRefused, LookupError),
    snooze_on=(WebhookResting,), snooze_delay=1.0,
)  # fmt: skip


def enqueue_delivery(
    config: Config, webhook: WebhookSettings, event: str, data: Mapping[str, Any], *, site: str = "", actor: str = ""
) -> str:
    """Enqueue an event for a webhook, in the transaction of what it tells; returns the id of the event."""
    at = db.now()
    body = make_event(event, site, data, at)
    request = JobRequest(
        f"{webhook.name}/{event}/{body['id']}", scope=site, payload=json.dumps({"at": at, "event": body})
    )
    enqueue(DELIVER, [request], ageing=config.queue.ageing, causes=[Cause(event, actor)])
    return str(body["id"])


def make_event(event: str, site: str, data: Mapping[str, Any], at: float) -> dict[str, Any]:
    """Return an event as receivers get it, with an id of its own."""
    return {"id": f"msg_{uuid.uuid4().hex}", "event": event, "at": clock.to_iso(at), "site": site, "data": dict(data)}


def encode(event: Mapping[str, Any]) -> bytes:
    """Return the body of the requests that tell an event."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


@handler(DELIVER, retry=_RETRY)
def deliver(payload: Payload, context: JobContext) -> Outcome:
    """Send the event of a job to its webhook, unless that has left the settings.

    Raises:
        WebhookError: it was not taken, and is sent again.
        WebhookRefused: it was not taken and is not sent again, or the webhook is disabled.
        WebhookResting: the webhook failed a moment ago.
    """
    from appliance.webhooks import sender  # brings TLS along, which those who only enqueue do not need

    webhook = find_webhook(context.config, context.key.partition("/")[0])
    if webhook is None:
        return "unchanged"
    event = payload["event"]
    if db.now() - payload["at"] > _GIVEN_UP:
        raise WebhookRefused(f"the webhook {webhook.name} did not take this event for three days; it is given up")
    state.require_ready(webhook)
    try:
        answer = sender.SENDER.post(webhook, event["id"], encode(event))
    except WebhookError as error:
        state.record_failure(webhook, event["event"], error)
        raise
    state.record_success(webhook, event["event"], answer.status)
    return "changed"


def find_webhook(config: Config, name: str) -> WebhookSettings | None:
    """Return the webhook with this name; None if the settings have none."""
    return next((webhook for webhook in config.webhooks if webhook.name == name), None)

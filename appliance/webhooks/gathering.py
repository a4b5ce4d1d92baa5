"""The job that gathers what happened into events, and enqueues each for the webhooks that want it."""

from __future__ import annotations

from appliance.queue.handlers import JobContext, Outcome, Payload, handler
from appliance.webhooks import failed_jobs, published_pages, waiting_comments
from appliance.webhooks.outbox import GATHER


@handler(GATHER, slow=False)
def gather(_payload: Payload, context: JobContext) -> Outcome:
    """Gather the event that the key of the job names. It waits for no other machine."""
    event, _, topic = context.key.partition("/")
    match event:
        case published_pages.EVENT:
            found = published_pages.gather(context.config, topic)
        case waiting_comments.EVENT:
            found = waiting_comments.gather(context.config, topic)
        case failed_jobs.EVENT:
            found = failed_jobs.gather(context.config, topic)
        case _:
            found = 0
    return "changed" if found else "unchanged"

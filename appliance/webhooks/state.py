"""What is known of each webhook: whether it takes events, its last request, and what waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from appliance import db
from appliance.config import Config, WebhookSettings
from appliance.errors import WebhookError, WebhookRefused, WebhookResting
from appliance.webhooks.models import Webhook

#: The first and the longest rest after failures, in seconds.
_FIRST_REST, _LONGEST_REST = 30.0, 300.0
#: The answer of a webhook that wants no more events.
GONE: Final = 410
_MESSAGE: Final = 500


@dataclass(frozen=True, slots=True)
class WebhookState:
    """The state of one webhook. Times are seconds since the epoch."""

    name: str
    url: str
    events: tuple[str, ...]
    #: 'resting' after a failure, until the next attempt; 'disabled' until somebody enables it, or it moves.
    state: Literal["ready", "resting", "disabled"]
    note: str
    #: The last request: when, about which event, and how it ended. None before the first, and without an answer.
    tried_at: float | None
    event: str
    status: int | None
    error: str | None
    #: Requests that were taken, and that were not.
    sent: int
    failed: int
    #: Events that wait, and those that were given up.
    waiting: int
    given_up: int


def require_ready(webhook: WebhookSettings) -> None:
    """Return if events may be sent to a webhook now.

    Raises:
        WebhookRefused: it is disabled.
        WebhookResting: it rests.
    """
    row = _row(webhook)
    if row is None:
        return
    if is_disabled(row, webhook):
        raise WebhookRefused(
            f"the webhook {webhook.name} is disabled: {row.note}; webhooks.enable goes on, then retry the job"
        )
    left = (row.rests_until or 0.0) - db.now()
    if 0 < left <= _LONGEST_REST:  # more comes of a clock that ran ahead
        raise WebhookResting(f"the webhook {webhook.name} failed a moment ago; this event waits", retry_after=left)


def record_success(webhook: WebhookSettings, event: str, status: int) -> None:
    """Record that a webhook took an event."""
    now = db.now()
    with db.write():
        _ensure(webhook)
        Webhook.update(
            tried_at=now, event=event, status=status, error=None, failures=0, rests_until=None, sent=Webhook.sent + 1
        ).where(Webhook.name == webhook.name).execute()


def record_failure(webhook: WebhookSettings, event: str, error: WebhookError) -> None:
    """Record that a webhook did not take an event; it rests if another attempt may help, and is disabled if gone."""
    now, final = db.now(), isinstance(error, WebhookRefused)
    with db.write():
        _ensure(webhook)
        row = Webhook.get_by_id(webhook.name)
        row.failures = 0 if final else row.failures + 1
        rest = min(_LONGEST_REST, _FIRST_REST * 2.0 ** min(max(0, row.failures - 1), 10))
        row.rests_until = None if final else now + rest
        row.tried_at, row.event, row.status, row.error = now, event, error.status, str(error)[:_MESSAGE]
        row.failed += 1
        if error.status == GONE:
            row.disabled_at, row.url, row.note = now, webhook.url, "it answered 410 and wants no more events"
        row.save()


def enable(webhook: WebhookSettings) -> None:
    """Send events to a webhook again, at once."""
    with db.write():
        _ensure(webhook)
        Webhook.update(disabled_at=None, note="", failures=0, rests_until=None).where(
            Webhook.name == webhook.name
        ).execute()


def disabled_names(config: Config) -> set[str]:
    """Return the names of the webhooks that are disabled."""
    rows = {row.name: row for row in Webhook.select().where(Webhook.disabled_at.is_null(False))}
    return {one.name for one in config.webhooks if one.name in rows and is_disabled(rows[one.name], one)}


def is_disabled(row: Webhook, webhook: WebhookSettings) -> bool:
    """Whether a webhook is disabled at its present address."""
    return row.disabled_at is not None and row.url == webhook.url


def list_webhooks(config: Config) -> list[WebhookState]:
    """Return the state of each webhook of the settings, all of one moment."""
    with db.snapshot():
        now = db.now()
        return [_state(webhook, now) for webhook in config.webhooks]


# The names in keys end at the first slash, and 0 is the character after it.
_COUNT: Final = "SELECT COUNT(*) FROM job WHERE kind = 'webhook' AND key >= ? AND key < ? AND state = '{state}'"


def _state(webhook: WebhookSettings, now: float) -> WebhookState:
    row = _row(webhook) or Webhook(name=webhook.name)
    disabled, rests = is_disabled(row, webhook), (row.rests_until or 0) > now
    keys = [f"{webhook.name}/", f"{webhook.name}0"]
    waiting, given_up = (int(db.execute(_COUNT.format(state=one), keys).fetchone()[0]) for one in ("pending", "failed"))
    return WebhookState(
        webhook.name, webhook.url, tuple(webhook.events),
        "disabled" if disabled else "resting" if rests else "ready",
        row.note if disabled else "", row.tried_at, row.event, row.status, row.error, row.sent, row.failed,
        waiting, given_up,
    )  # fmt: skip


def _row(webhook: WebhookSettings) -> Webhook | None:
    found: Webhook | None = Webhook.get_or_none(Webhook.name == webhook.name)
    return found


def _ensure(webhook: WebhookSettings) -> None:
    Webhook.insert(name=webhook.name).on_conflict_ignore().execute()

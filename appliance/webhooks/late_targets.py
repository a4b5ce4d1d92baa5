"""The events of targets that are behind, and level again: one of each for an episode, however long it lasts."""

from __future__ import annotations

from typing import Any, Final

from appliance import clock, db
from appliance.config import Config, WebhookSettings
from appliance.delivery import target_state
from appliance.delivery.target_state import TargetState
from appliance.delivery.targets import courier_targets
from appliance.webhooks import outbox, state
from appliance.webhooks.deliveries import enqueue_delivery
from appliance.webhooks.models import WebhookEpisode

BEHIND: Final = "target.behind"
LEVEL: Final = "target.level"


def watch(config: Config) -> str:
    """Compare the lag of every target with what the webhooks were told; returns a sentence for the log."""
    if not outbox.is_wanted(config, BEHIND):
        return ""
    states = target_state.read_all(courier_targets(config))
    told = 0
    with db.write():
        db.acquire_lock("webhook-targets")
        _forget({one.name for one in states}, {one.name for one in config.webhooks if one.wants(BEHIND)})
        disabled = state.disabled_names(config)
        for webhook in config.webhooks:
            if webhook.wants(BEHIND) and webhook.name not in disabled:
                told += sum(_tell(config, webhook, one) for one in states)
    return f"{told} webhooks told of targets" if told else ""


def _tell(config: Config, webhook: WebhookSettings, target: TargetState) -> bool:
    """Tell a webhook of a target if an episode begins or ends."""
    now = db.now()
    mine = (WebhookEpisode.webhook == webhook.name) & (WebhookEpisode.target == target.name)
    episode = WebhookEpisode.get_or_none(mine)
    if episode is None and target.lag >= webhook.behind:
        since = now - target.lag
        WebhookEpisode.create(webhook=webhook.name, target=target.name, since=since)
        enqueue_delivery(config, webhook, BEHIND, _data(target, since, now))
        return True
    if episode is not None and target.level:
        WebhookEpisode.delete().where(mine).execute()
        enqueue_delivery(config, webhook, LEVEL, _data(target, episode.since, now))
        return True
    return False


def _forget(targets: set[str], webhooks: set[str]) -> None:
    """End the episodes of targets and webhooks that have left the settings."""
    for row in list(WebhookEpisode.select()):
        if row.target not in targets or row.webhook not in webhooks:
            row.delete_instance()


def _data(target: TargetState, since: float, now: float) -> dict[str, Any]:
    return {
        "target": target.name,
        "behind_since": clock.to_iso(since),
        "seconds": round(max(0.0, now - since)),
        "waiting_files": target.waiting,
        "paused": target.paused,
        "error": target.error or "",
    }

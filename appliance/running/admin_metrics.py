"""Metrics of the admin application and of webhooks that are read from the database, like all others of this host.

Sign-ins are counted in the audit, which is never pruned, so that a counter never goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from appliance import db
from appliance.config import AdminSettings, Config
from appliance.db import NOW
from appliance.webhooks import state
from appliance.webhooks.state import WebhookState

_DAY: Final = 86_400

_SIGN_INS: Final = """
SELECT (SELECT COUNT(*) FROM audit WHERE action = 'user.sign_in'),
       (SELECT COUNT(*) FROM audit WHERE action = 'user.sign_in_failed')
"""
_SESSIONS: Final = f"SELECT COUNT(*) FROM session WHERE used_at > {NOW} - ? AND created_at > {NOW} - ?"
_TOKENS: Final = f"""
SELECT COUNT(*), COUNT(CASE WHEN used_at > {NOW} - {_DAY} THEN 1 END) FROM token
WHERE revoked_at IS NULL AND expires_at > {NOW}
"""

#: The gauges of a webhook: name, description, value.
_WEBHOOK_GAUGES: Final[tuple[tuple[str, str, Callable[[WebhookState], float | None]], ...]] = (
    ("ready", "1 while events are sent; 0 while it rests after failures or is disabled.", lambda w: w.state == "ready"),
    ("disabled", "1 while nothing is sent until somebody enables it.", lambda w: w.state == "disabled"),
    ("waiting_events", "Events that wait to be sent.", lambda w: w.waiting),
    ("given_up_events", "Events that were given up and can be sent again with jobs.retry.", lambda w: w.given_up),
    ("last_request_timestamp_seconds", "When an event was last sent.", lambda w: w.tried_at),
)


def accounts(settings: AdminSettings) -> Iterator[Metric]:
    """Yield what is known of people and their programs, if there is an admin application."""
    if not settings.url:
        return
    sign_ins = CounterMetricFamily("appliance_sign_ins", "Sign-ins that the audit has.", labels=["result"])
    for result, number in zip(("ok", "refused"), db.execute(_SIGN_INS).fetchone(), strict=True):
        sign_ins.add_metric([result], number)
    yield sign_ins
    (sessions,) = db.execute(_SESSIONS, [settings.idle_minutes * 60, settings.session_hours * 3600]).fetchone()
    yield GaugeMetricFamily("appliance_sessions", "Browsers in which somebody is signed in.", sessions)
    (remembered,) = db.execute("SELECT COUNT(*) FROM request_key").fetchone()
    description = "Requests to the API that are remembered, so that they are answered alike when they are repeated."
    yield GaugeMetricFamily("appliance_request_keys", description, remembered)
    valid, used = db.execute(_TOKENS).fetchone()
    yield GaugeMetricFamily("appliance_tokens", "API tokens that are valid.", valid)
    yield GaugeMetricFamily("appliance_tokens_used", "Valid API tokens that were used within a day.", used)


def webhooks(config: Config) -> Iterator[Metric]:
    """Yield the state of each webhook."""
    if not config.webhooks:
        return
    states = state.list_webhooks(config)
    requests = CounterMetricFamily(
        "appliance_webhook_requests", "Requests to a webhook, by whether it took them.", labels=["webhook", "result"]
    )
    for one in states:
        requests.add_metric([one.name, "taken"], one.sent)
        requests.add_metric([one.name, "refused"], one.failed)
    yield requests
    for name, description, value_of in _WEBHOOK_GAUGES:
        family = GaugeMetricFamily(f"appliance_webhook_{name}", description, labels=["webhook"])
        for one in states:
            if (value := value_of(one)) is not None:
                family.add_metric([one.name], float(value))
        yield family

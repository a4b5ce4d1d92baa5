"""The dashboard, the alerts and the page about them name metrics that a scrape has."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families as parsed

from appliance import audit, db, logging
from appliance.accounts import tokens, users
from appliance.actor import Actor
from appliance.config import Config, QueueSettings, validate
from appliance.content import sites
from appliance.delivery import cursors
from appliance.delivery.targets import front_ends
from appliance.errors import QueueError
from appliance.queue import handlers, store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.processes import RegisteredProcess
from appliance.queue.worker import Worker
from appliance.running import metrics
from appliance.web.admin import guard
from appliance.web.admin.app import create_app
from appliance.web.measures import Measures
from appliance.web.public.measures import MEASURES
from appliance.webhooks import state

DOCS = Path(__file__).parents[1] / "docs"
_NAME = re.compile(r"\bappliance_[a-z_]+\b")


@pytest.fixture
def settings(database: Config, tmp_path: Path) -> Iterator[Config]:
    raw = database.model_dump(mode="json", exclude={"path"}, exclude_unset=True) | {
        "admin": {"url": "https://admin.example.org/"},
        "targets": [{"name": "www1", "address": f"{tmp_path}/www1", "other_path": True}],
        "webhooks": [{"name": "deploy", "url": "https://hooks.example.org/", "events": ["job.failed"],
                      "secret_file": f"{tmp_path}/secret"}],
    }  # fmt: skip
    found = validate(raw, database.path)
    sites.sync(found)
    yield found
    structlog.reset_defaults()


def samples(settings: Config) -> dict[str, set[str]]:
    """The names of all samples of a scrape of everything, each with the labels that it has."""
    RegisteredProcess("worker", settings.host_name).register()
    create_app(settings).test_client().get("/healthz")
    MEASURES.count("search", 200, 0.02)
    state.record_success(settings.webhooks[0], "job.failed", 204)
    cursors.confirm(front_ends(settings)[0], settings.host_name, 0, files=1, bytes=5, seconds=0.1)
    told = metrics.render(settings).decode() + Measures.text().decode()
    found: dict[str, set[str]] = {}
    for family in parsed(told):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> list[str]:
    board = json.loads((DOCS / "grafana" / "dashboard.json").read_text("utf-8"))
    rules = yaml.safe_load((DOCS / "grafana" / "alerts.yml").read_text("utf-8"))
    of_board = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    of_rules = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    assert len(of_board) > 30 and len(of_rules) > 5
    return of_board + of_rules


def test_every_expression_names_metrics_and_labels_of_a_scrape(settings: Config) -> None:
    found = samples(settings)
    for expression in expressions():
        names = _NAME.findall(expression)
        assert names and set(names) <= set(found), expression
        labels = {"le", *(label for name in names for label in found[name])}
        for listed in re.findall(r"(?:by|on) \(([^)]*)\)", expression):
            assert set(re.split(r",\s*", listed)) <= labels, expression
        for selected in re.findall(r"(\w+)=~?\"", expression):
            assert selected in labels, expression
        for left, right in ("()", "{}", "[]"):
            assert expression.count(left) == expression.count(right), expression


def test_every_metric_of_a_scrape_is_described(settings: Config) -> None:
    pages = "".join((DOCS / "how-to" / f"{page}.md").read_text("utf-8") for page in ("monitor", "watch-the-targets"))
    for name in samples(settings):
        plain = re.sub(r"_(bucket|count|sum|created)$", "", name)
        if name.startswith("appliance_") and not plain.startswith("appliance_target_last_push"):
            assert plain in pages, name


def test_panels_lie_beside_each_other_and_say_what_they_show() -> None:
    board = json.loads((DOCS / "grafana" / "dashboard.json").read_text("utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"].endswith(".")
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_people_and_webhooks_are_counted_from_the_database(settings: Config) -> None:
    user = users.add_user("ada", "ada@example.org", roles={"*": "admin"})
    tokens.create(user, "ci", days=7)
    with db.write():
        for action in ("user.sign_in", "user.sign_in", "user.sign_in_failed"):
            audit.record(action, "user", 1, actor=Actor("ada", via="browser"))
    state.record_success(settings.webhooks[0], "job.failed", 204)
    told = metrics.render(settings).decode()
    for line in (
        'appliance_sign_ins_total{result="ok"} 2.0', 'appliance_sign_ins_total{result="refused"} 1.0',
        "appliance_sessions 0.0", "appliance_tokens 1.0", "appliance_tokens_used 0.0",
        'appliance_webhook_requests_total{result="taken",webhook="deploy"} 1.0',
        'appliance_webhook_ready{webhook="deploy"} 1.0',
    ):  # fmt: skip
        assert line in told.splitlines(), line


def test_a_made_up_method_makes_no_label(settings: Config) -> None:
    create_app(settings).test_client().open("/healthz", method="BREW")
    told = Measures.text().decode()
    assert 'method="other"' in told and "BREW" not in told


def test_log_lines_of_a_request_name_it_and_hold_no_secret(settings: Config) -> None:
    app: Flask = create_app(settings)

    @guard.route(app, "/link/<secret>", public=True)
    def broken(secret: str) -> str:
        raise RuntimeError(secret)

    stream = io.StringIO()
    logging.configure(True, stream, json_lines=True)
    answer = app.test_client().get("/link/s3cr3t?token=t0k3n", headers={"Cookie": "__Host-appliance=c00k13"})
    assert answer.status_code == 500
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    failed = next(line for line in lines if line["event"] == "a request failed")
    assert failed["request"] == answer.headers["X-Request-Id"]
    assert (failed["method"], failed["route"], failed["user"]) == ("GET", "/link/<secret>", "")
    assert [line["status"] for line in lines if line["event"] == "answered"] == [500]
    assert not re.search("s3cr3t|t0k3n|c00k13", stream.getvalue())


def test_log_lines_of_a_job_name_its_run(settings: Config) -> None:
    registry = handlers.Registry()

    handler = registry.handler

    @handler("errand")
    def errand(_payload: Any, _context: handlers.JobContext) -> handlers.Outcome:
        logging.get_logger("errand").info("at it")
        raise QueueError("it does not work")

    class NoWait:
        def wait(self, timeout: float) -> bool:
            return False

    stream = io.StringIO()
    logging.configure(False, stream, json_lines=True)
    enqueue("errand", [JobRequest("a")], ageing=60.0)
    (number,) = db.execute("SELECT id FROM job WHERE kind = 'errand'").fetchone()
    worker = Worker("here:1", registry.kinds(settings), QueueSettings(), NoWait())
    worker.run_batch(store.claim("here:1", ["errand"], 1, 30.0))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["job"], line["attempt"]) for line in lines] == [
        ("at it", number, 1), ("job failed", number, 1),
    ]  # fmt: skip

"""The commands about webhooks, and a drain that sends events by its own processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import audit, db
from appliance import config as settings
from appliance.installation import open_installation
from appliance.webhooks import published_pages
from tests.tasks.conftest import Typed
from tests.webhooks.receiver import SECRET, Receiver, is_signed, receiving

SETTINGS = """\
docroot = "{folder}/www"
[queue]
workers = 1
[[sites]]
name = "blog"
title = "A Blog"
url = "https://blog.example/"
[[targets]]
name = "front1"
address = "{folder}/front1"
other_path = true
[[webhooks]]
name = "deploy"
url = "{url}"
events = ["page.published"]
secret_file = "{folder}/secret"
allow_private = ["127.0.0.0/8"]
allow_http = true
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: Typed, receiver: Receiver) -> Typed:
    file, secret = tmp_path / "appliance.toml", tmp_path / "secret"
    file.write_text(SETTINGS.format(folder=tmp_path, url=receiver.url))
    secret.touch(0o600)
    secret.write_text(SECRET)
    monkeypatch.setenv("APPLIANCE_CONFIG", str(file))
    return command_line


def test_a_drain_tells_what_every_front_end_shows(typed: Typed, receiver: Receiver, tmp_path: Path) -> None:
    shown: list[bool] = []
    receiver.during = [lambda: shown.append((tmp_path / "front1" / "index.html").exists())]
    config = settings.load()
    with open_installation(config):
        published_pages.begin(config)
    typed("publish")
    typed("drain")
    assert all(is_signed(request) for request in receiver.requests)
    pages = [page["path"] for event in receiver.events for page in event["data"]["pages"]]
    assert "index.html" in pages and all(shown)
    (row,) = json.loads(typed("webhooks.list --json"))
    assert (row["state"], row["status"], row["sent"], row["waiting"]) == ("ready", 204, len(receiver.requests), 0)
    assert "deploy/page.published/msg_" in typed("jobs.list --kind webhook --state done")


def test_a_test_shows_the_answer(typed: Typed, receiver: Receiver) -> None:
    assert "deploy: taken with 204 after" in typed("webhooks.test deploy")
    assert receiver.events[0]["event"] == "webhook.test" and is_signed(receiver.requests[0])
    receiver.answers = [(401, {})]
    assert "answered 401" in typed("webhooks.test deploy", status=1)
    assert "the webhooks are: deploy" in typed("webhooks.test other", status=3)


def test_the_list_tells_why_a_webhook_is_disabled_and_enabling_is_audited(typed: Typed) -> None:
    assert typed("webhooks.list").splitlines()[1].split()[:4] == ["deploy", "ready", "never", "0"]
    config = settings.load()
    with open_installation(config), db.write():
        db.execute(
            "INSERT INTO webhook (name, url, disabled_at, note, failures, event, sent, failed)"
            " VALUES ('deploy', ?, 1, 'it is gone', 0, '', 0, 0)",
            [config.webhooks[0].url],
        )
    listed = typed("webhooks.list").splitlines()
    assert "disabled" in listed[1] and listed[-1] == "deploy: it is gone"
    assert "events are sent again" in typed("webhooks.enable deploy")
    assert json.loads(typed("webhooks.list --json"))[0]["state"] == "ready"
    with open_installation(settings.load()):
        (row,) = audit.list_audit(audit.AuditFilter(action="webhook.enable")).rows
        assert row.label == "deploy"

"""Requests of git hosts to the admin application: who is believed, and that no more than one pull follows."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from appliance import audit, clock, db
from appliance.config import Config, validate
from appliance.content import sites
from appliance.web.admin import hooks
from appliance.web.admin.app import create_app
from appliance.webhooks import git_hosts, receipts
from tests.webhooks.receiver import SECRET

PLAIN = "a secret of the git host"
PUSH = {"ref": "refs/heads/main", "repository": {"default_branch": "main", "pushed_at": 1}}


@pytest.fixture
def config(database: Config, tmp_path: Path) -> Iterator[Config]:
    folder, secret, standard = tmp_path / "content", tmp_path / "hook", tmp_path / "standard"
    folder.mkdir()
    for file, text in ((secret, f"{PLAIN}\nthe one to come next year\n"), (standard, SECRET)):
        file.touch(0o600)
        file.write_text(text)
    source = {"name": "docs", "git": "/srv/docs.git", "branch": "main", "hook_secret_file": str(secret)}
    more = {"name": "notes", "folder": str(folder), "hook_secret_file": str(standard)}
    raw = database.model_dump(mode="json", exclude={"path"}, exclude_unset=True) | {
        "sites": [
            {"name": "blog", "title": "Blog", "url": "https://blog.example/",
             "sources": [source, more, {"name": "quiet", "folder": str(folder)}]},
            {"name": "news", "title": "News", "url": "https://news.example/", "folder": "news", "sources": [source]},
        ],
        "admin": {"url": "https://admin.example.org/"},
    }  # fmt: skip
    settings = validate(raw, database.path)
    sites.sync(settings)
    yield settings


@pytest.fixture
def client(config: Config) -> FlaskClient:
    return create_app(config).test_client(use_cookies=False)


def body_of(told: object = PUSH) -> bytes:
    return json.dumps(told).encode()


def hexadecimal(body: bytes, secret: str = PLAIN) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def github(body: bytes, secret: str = PLAIN, event: str = "push") -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hexadecimal(body, secret)}", "X-GitHub-Event": event,
            "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}  # fmt: skip


def gitea(body: bytes, secret: str = PLAIN) -> dict[str, str]:
    return {"X-Gitea-Signature": hexadecimal(body, secret), "X-Gitea-Event": "push", "X-GitHub-Event": "push"}


def forgejo(body: bytes, secret: str = PLAIN) -> dict[str, str]:
    return {"X-Forgejo-Signature": hexadecimal(body, secret), "X-Forgejo-Event": "push"}


def gitlab(body: bytes, secret: str = PLAIN) -> dict[str, str]:
    return {"X-Gitlab-Token": secret, "X-Gitlab-Event": "Push Hook"}


def standard(body: bytes, secret: str = PLAIN, *, age: float = 0, number: str = "msg_1") -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    at = str(int(clock.now() - age))
    signed = base64.b64encode(hmac.new(key, f"{number}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    return {"webhook-id": number, "webhook-timestamp": at, "webhook-signature": f"v1,AAAA v1,{signed}"}


SENDERS = {"github": github, "gitea": gitea, "forgejo": forgejo, "gitlab": gitlab, "webhook": standard}


def post(client: FlaskClient, source: str, body: bytes, headers: dict[str, str], **more: Any) -> TestResponse:
    return client.post(f"/hooks/sources/{source}", data=body, headers=headers, **more)


def pulls() -> list[str]:
    return [key for (key,) in db.execute("SELECT key FROM job WHERE kind = 'pull' ORDER BY id").fetchall()]


@pytest.mark.parametrize("sender", SENDERS)
def test_a_push_asks_for_the_pull_of_one_source(client: FlaskClient, sender: str) -> None:
    body = body_of()
    answer = post(client, "news/docs", body, SENDERS[sender](body))
    assert (answer.status_code, answer.text) == (202, "a pull is asked for\n")
    assert pulls() == ["news/docs"]
    (row,) = audit.list_audit(audit.AuditFilter(action="source.pull")).rows
    assert (row.actor, row.via, row.site, row.subject_id) == (sender, "webhook", "news", "news/docs")
    assert row.address == "127.0.0.1" and row.request == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("sender", SENDERS)
def test_a_wrong_secret_and_an_unknown_source_look_the_same(client: FlaskClient, sender: str) -> None:
    body, right = body_of(), SENDERS[sender]
    refused = [
        post(client, "blog/docs", body, right(body, "another secret of the host")),
        post(client, "blog/docs", body + b" ", right(body) if sender != "gitlab" else right(body, "x" * 24)),
        post(client, "blog/docs", body, {}),
        post(client, "blog/nothing", body, right(body)),
        post(client, "nowhere/docs", body, right(body)),
        post(client, "blog/quiet", body, right(body)),
        post(client, "docs", body, right(body)),  # of two sites
    ]
    said = {(answer.status_code, answer.json["detail"]) for answer in refused}
    assert len(said) == 1 and said.pop()[0] == 404
    assert pulls() == [] and audit.list_audit(audit.AuditFilter(action="source.pull")).rows == ()


@pytest.mark.parametrize("sender", SENDERS)
def test_the_same_request_again_asks_for_nothing(client: FlaskClient, sender: str) -> None:
    body = body_of()
    headers = SENDERS[sender](body)
    assert post(client, "blog/docs", body, headers).status_code == 202
    db.execute("DELETE FROM job")
    for more in ({}, {"X-GitHub-Delivery": "another", "X-Gitea-Delivery": "another"}):
        answer = post(client, "blog/docs", body, {**headers, **more})
        assert (answer.status_code, answer.text) == (200, "nothing to do\n")
    assert pulls() == []
    assert post(client, "news/docs", body, headers).status_code == 202, "another source is another matter"
    db.execute("UPDATE hook_receipt SET at = at - 90000")
    assert receipts.prune() == 2


@pytest.mark.parametrize("age", [-400.0, 301.0, 86_400.0])
def test_a_signed_time_must_be_near(client: FlaskClient, age: float) -> None:
    body = body_of()
    assert post(client, "blog/docs", body, standard(body, age=age)).status_code == 404
    assert post(client, "blog/docs", body, standard(body, age=age / 1000)).status_code == 202


def test_our_own_webhooks_and_a_second_secret_are_understood(client: FlaskClient) -> None:
    body = body_of({"event": "page.published"})
    assert post(client, "notes", body, standard(body, SECRET)).status_code == 202
    assert post(client, "blog/notes", body, standard(body, SECRET, number="msg_2")).status_code == 202
    assert post(client, "blog/notes", body, standard(body, "the one to come next year")).status_code == 404
    assert post(client, "blog/docs", body, standard(body, "the one to come next year")).status_code == 202
    assert pulls() == ["blog/notes", "blog/docs"], "the second folds into the first"


@pytest.mark.parametrize(
    ("told", "event", "status"),
    [
        ({"ref": "refs/heads/other", "repository": {"default_branch": "other"}}, "push", 200),
        ({"ref": "refs/tags/v1"}, "push", 200),
        ({"zen": "Keep it simple."}, "ping", 200),
        ({"ref": "refs/heads/main"}, "pull_request", 200),
        ({"repository": "x", "ref": ["main"]}, "push", 202),
        ("text", "push", 202),
        ([[]], "push", 202),
    ],
)
def test_only_pushes_to_the_branch_of_the_source_count(
    client: FlaskClient, told: object, event: str, status: int
) -> None:
    body = body_of(told)
    assert post(client, "blog/docs", body, github(body, event=event)).status_code == status
    assert len(pulls()) == (status == 202)


def test_the_default_branch_counts_where_the_source_names_none(client: FlaskClient) -> None:
    for number, (ref, status) in enumerate((("refs/heads/topic", 200), ("refs/heads/trunk", 202))):
        told = {"ref": ref, "project": {"default_branch": "trunk"}}
        body = body_of(told)
        answer = post(client, "blog/notes", body, standard(body, SECRET, number=f"msg_{number}"))
        assert answer.status_code == status


def test_a_form_is_understood(client: FlaskClient) -> None:
    body = b"payload=%7B%22ref%22%3A%22refs%2Fheads%2Fother%22%7D"
    headers = github(body) | {"Content-Type": "application/x-www-form-urlencoded"}
    assert post(client, "blog/docs", body, headers).status_code == 200


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff\xfe", b'{"ref": 1e999999}', b'{"ref": "' + b"x" * 900_000])
def test_no_body_makes_it_fail(client: FlaskClient, body: bytes) -> None:
    assert post(client, "blog/docs", body, github(body)).status_code == 202


def test_a_body_has_a_bound(client: FlaskClient) -> None:
    body = b"x" * (hooks._BODY + 1)
    for source in ("blog/docs", "blog/nothing"):
        assert post(client, source, body, github(body)).status_code == 413


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_secret_that_others_may_read_admits_nobody(client: FlaskClient, tmp_path: Path, mode: int) -> None:
    (tmp_path / "hook").chmod(mode)
    body = body_of()
    assert post(client, "blog/docs", body, github(body)).status_code == 404


def test_a_short_secret_admits_nobody(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("short")
    body = body_of()
    assert post(client, "blog/docs", body, github(body, "short")).status_code == 404


def test_a_cookie_and_a_foreign_page_matter_to_no_hook(client: FlaskClient) -> None:
    body = body_of()
    headers = github(body) | {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert post(client, "blog/docs", body, headers).status_code == 202
    assert client.get("/hooks/sources/blog/docs").status_code == 405


def test_the_example_of_github_fits() -> None:
    """From its documentation of securing webhooks."""
    secret, body = "It's a Secret to Everybody", b"Hello, World!"
    given = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert git_hosts.read_request([secret], {"X-Hub-Signature-256": given}.get, body, 0.0)
    assert git_hosts.read_request([secret], {"X-Hub-Signature-256": given[:-1]}.get, body, 0.0) is None


def test_the_example_of_standard_webhooks_fits() -> None:
    """From the tests of its reference libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
               "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}  # fmt: skip
    body = b'{"test": 2432232314}'
    assert git_hosts.read_request([secret], headers.get, body, 1614265330.0)
    assert git_hosts.read_request([secret], headers.get, body, 1614265330.0 + 301) is None

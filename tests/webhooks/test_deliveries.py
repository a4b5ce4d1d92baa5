"""The request of an event: signed, repeated under one id, and what follows from each answer."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from appliance import db
from appliance.config import Config, WebhookSettings
from appliance.errors import WebhookError, WebhookRefused
from appliance.webhooks import deliveries, sender, state
from appliance.webhooks.sender import Sender
from tests.webhooks.conftest import Install, jobs, pass_time, work
from tests.webhooks.receiver import SECRET, Receiver, is_signed, make_certificate, receiving


def send(config: Config, event: str = "page.published") -> str:
    with db.write():
        return deliveries.enqueue_delivery(config, config.webhooks[0], event, {"pages": []}, site="blog")


def test_every_attempt_has_the_same_id_and_bytes(install: Install, receiver: Receiver) -> None:
    config, number = install(), ""
    receiver.answers = [500, 503, 204]
    number = send(config)
    for _ in range(3):
        assert work(config) == 1
        pass_time()
    assert work(config) == 0
    assert [request.id for request in receiver.requests] == [number] * 3
    assert len({request.body for request in receiver.requests}) == 1
    assert all(is_signed(request) for request in receiver.requests)
    assert [job[:2] for job in jobs()] == [("done", "changed")]
    (row,) = state.list_webhooks(config)
    assert (row.state, row.status, row.error, row.sent, row.failed) == ("ready", 204, None, 1, 2)


def test_a_killed_worker_sends_again_under_the_same_id(install: Install, receiver: Receiver) -> None:
    """The worker dies after the answer of the webhook and before the end of the job is saved."""
    config = install()
    number = send(config)
    begun = threading.Event()
    receiver.during = [begun.set]
    db.database.close()
    child = os.fork()
    if not child:
        try:
            db.open_database(config)
            sender.SENDER.post = _and_die(sender.SENDER.post)  # type: ignore[method-assign]
            work(config)
        finally:
            os._exit(1)
    assert begun.wait(20)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert [job[0] for job in jobs()] == ["running"]
    with db.write():
        db.execute("UPDATE job SET lease_until = 1 WHERE state = 'running'")
    from appliance.queue import store

    assert store.rescue(5) == 1
    work(config)
    assert [request.id for request in receiver.requests] == [number, number]
    assert [job[0] for job in jobs()] == ["done"]


def _and_die(post: object) -> object:
    def dying(*given: object) -> object:
        post(*given)  # type: ignore[operator]
        os.kill(os.getpid(), signal.SIGKILL)

    return dying


@pytest.mark.parametrize("status", [400, 401, 403, 404, 301, 302, 307])
def test_a_refusal_is_final(install: Install, receiver: Receiver, status: int) -> None:
    config = install()
    receiver.answers = [(status, {"Location": receiver.url})]
    send(config)
    work(config)
    pass_time()
    assert work(config) == 0 and len(receiver.requests) == 1, "not retried, and no redirect followed"
    assert jobs()[0][0] == "failed" and f"answered {status}" in jobs()[0][3]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_passes_is_retried(install: Install, receiver: Receiver, status: int) -> None:
    config = install()
    receiver.answers = [(status, {"Retry-After": "120"})]
    send(config)
    work(config)
    (state_, after) = db.execute("SELECT state, run_at - appliance_now() FROM job WHERE kind = 'webhook'").fetchone()
    assert state_ == "pending" and 110 < after <= 121


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("9999999999", 3500, 3601), ("-5", 20, 61), ("soon", 20, 61), ("Fri, 01 Jan 2100 00:00:00 GMT", 3500, 3601),
     ("Fri, 01 Jan 1999 00:00:00 GMT", 20, 61), ("0", 20, 61)],
)  # fmt: skip
def test_retry_after_has_bounds(install: Install, receiver: Receiver, asked: str, least: int, most: int) -> None:
    config = install()
    receiver.answers = [(429, {"Retry-After": asked})]
    send(config)
    work(config)
    (after,) = db.execute("SELECT run_at - appliance_now() FROM job WHERE kind = 'webhook'").fetchone()
    assert least < after <= most


def test_410_disables_a_webhook_until_it_is_enabled_or_moves(install: Install, receiver: Receiver) -> None:
    config = install()
    receiver.answers = [410]
    send(config)
    send(config)
    work(config)
    assert [job[0] for job in jobs()] == ["failed", "failed"] and len(receiver.requests) == 1
    (row,) = state.list_webhooks(config)
    assert (row.state, row.status, row.given_up) == ("disabled", 410, 2) and "410" in row.note
    moved = config.webhooks[0].model_copy(update={"url": receiver.url + "2"})
    state.require_ready(moved)
    state.enable(config.webhooks[0])
    send(config)
    work(config)
    assert len(receiver.requests) == 2


def test_events_of_a_webhook_that_fails_wait_for_its_rest(install: Install, receiver: Receiver) -> None:
    config = install()
    receiver.answers = [500]
    for _ in range(20):
        send(config)
    work(config)
    assert len(receiver.requests) == 1, "one request tells that it fails"
    assert state.list_webhooks(config)[0].state == "resting"
    failures = db.execute("SELECT failures FROM job WHERE kind = 'webhook' ORDER BY id").fetchall()
    assert [number for (number,) in failures] == [1] + [0] * 19, "to wait is no failure"
    pass_time()
    work(config)
    assert len(receiver.requests) == 21 and state.list_webhooks(config)[0].waiting == 0


def test_old_news_is_given_up(install: Install, receiver: Receiver) -> None:
    config = install()
    send(config)
    (payload,) = db.execute("SELECT payload FROM job WHERE kind = 'webhook'").fetchone()
    old = json.loads(payload)
    old["at"] -= 4 * 86_400
    with db.write():
        db.execute("UPDATE job SET payload = ?", [json.dumps(old)])
    work(config)
    assert receiver.requests == [] and "three days" in jobs()[0][3]


def test_a_webhook_that_left_the_settings_gets_nothing(install: Install, receiver: Receiver) -> None:
    config = install()
    send(config)
    work(config.model_copy(update={"webhooks": []}))
    assert receiver.requests == [] and jobs()[0][:2] == ("done", "unchanged")


def test_requests_are_signed_with_every_secret(install: Install, receiver: Receiver, secret: Path) -> None:
    config = install()
    other = "whsec_" + base64.b64encode(b"another secret of 32 bytes......").decode()
    secret.write_text(f"{other}\n{SECRET}\n")
    send(config)
    work(config)
    (request,) = receiver.requests
    assert is_signed(request, other) and is_signed(request, SECRET)
    assert not is_signed(request, "whsec_" + base64.b64encode(b"x" * 32).decode())


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("", 0o600, "holds no secret"),
        (SECRET, 0o640, "chmod 600"),
        (SECRET, 0o604, "chmod 600"),
        ("whsec_%%%", 0o600, "no base64"),
        ("short", 0o600, "has 5 bytes"),
    ],
)
def test_a_secret_that_is_none_sends_nothing(
    install: Install, receiver: Receiver, secret: Path, text: str, mode: int, said: str
) -> None:
    config = install()
    secret.write_text(text)
    secret.chmod(mode)
    send(config)
    work(config)
    assert receiver.requests == [] and said in jobs()[0][3]
    assert not text or text not in jobs()[0][3]


def test_tls_is_verified_for_the_name(install: Install, tmp_path: Path) -> None:
    good = make_certificate(tmp_path / "good", "localhost", "hooks.example")
    other = make_certificate(tmp_path / "other", "other.example")
    with receiving(good) as receiver, receiving(other) as stranger:
        hook = install(ca_file=str(good[0]), allow_http=False, url=receiver.url, allow_private=["127.0.0.0/8"])
        webhook = hook.webhooks[0]
        assert Sender(lambda _host, _port: ["127.0.0.1"]).post(webhook, "msg_1", b"{}").status == 204
        assert receiver.requests[0].headers["host"] == f"localhost:{receiver.port}"
        elsewhere = webhook.model_copy(update={"url": stranger.url, "ca_file": other[0]})
        with pytest.raises(WebhookError, match=r"Hostname mismatch"):
            Sender(lambda _host, _port: ["127.0.0.1"]).post(elsewhere, "msg_1", b"{}")
        untrusted = webhook.model_copy(update={"ca_file": None})
        with pytest.raises(WebhookError, match=r"self-signed"):
            Sender(lambda _host, _port: ["127.0.0.1"]).post(untrusted, "msg_1", b"{}")
        assert stranger.requests == [] and len(receiver.requests) == 1


def test_no_proxy_of_the_environment_is_used(
    install: Install, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = install()
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    send(config)
    work(config)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("how", ["silent", "dripping", "endless", "no-http"])
def test_an_answer_has_bounded_time_and_size(install: Install, how: str) -> None:
    """A server that says nothing, a byte now and then, more than anybody wants, or nonsense."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = threading.Event()

        def serve() -> None:
            opened, _ = listening.accept()
            with opened, suppress(OSError):
                opened.recv(65_536)
                if how == "no-http":
                    opened.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                if how == "endless":
                    opened.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not done.is_set():
                    if how == "dripping":
                        opened.sendall(b"H" if not done.wait(0.05) else b"")
                    elif how == "endless":
                        opened.sendall(b"x" * 65_536)
                    else:
                        done.wait(0.05)

        thread = threading.Thread(target=serve)
        thread.start()
        config = install(url=f"http://127.0.0.1:{listening.getsockname()[1]}/", timeout=0.5)
        began = time.monotonic()
        try:
            if how == "endless":
                assert Sender().post(config.webhooks[0], "msg_1", b"{}").status == 200
            else:
                said = "no answer within 0.5 s" if how in ("silent", "dripping") else "SSH-2.0"
                with pytest.raises(WebhookError, match=said):
                    Sender().post(config.webhooks[0], "msg_1", b"{}")
        finally:
            done.set()
            thread.join()
        assert time.monotonic() - began < 20, "without a bound it would be for ever"


PRIVATE = [
    "127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200",
    "168.63.129.16", "192.0.0.192", "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::",
    "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2002:a00:1::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_refused(install: Install, address: str) -> None:
    webhook = install(url="https://hooks.example/", allow_private=[]).webhooks[0]
    connected: list[object] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", lambda _self, where: connected.append(where))
        with pytest.raises(WebhookRefused, match="is not public"):
            Sender(lambda _host, _port: ["93.184.216.34", address]).post(webhook, "msg_1", b"{}")
    assert connected == [], "not even the public address of that name"


@pytest.mark.parametrize("url", [
    "https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/", "https://localhost/",
    "https://[::ffff:127.0.0.1]/",
])  # fmt: skip
def test_no_way_of_writing_leads_to_loopback(install: Install, url: str) -> None:
    with pytest.raises(WebhookError, match=r"is not public|cannot be resolved"):
        Sender().post(install(url=url, allow_private=[]).webhooks[0], "msg_1", b"{}")


def test_a_name_that_changes_its_address_gains_nothing(install: Install, receiver: Receiver) -> None:
    """The name server of the attacker answers with a public address first and with ours then."""
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["192.0.2.1" if len(asked) == 1 else "127.0.0.1"]

    connected: list[tuple[str, int]] = []

    def connect(_self: socket.socket, where: tuple[str, int]) -> None:
        connected.append(where)
        raise ConnectionRefusedError("refused")

    url = f"http://rebind.example:{receiver.port}/hook"
    webhook = install(url=url, allow_private=["192.0.2.0/24"]).webhooks[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect)
        patch.setattr(socket, "getaddrinfo", lambda *_given, **_named: pytest.fail("resolved a second time"))
        with pytest.raises(WebhookError, match="refused"):
            Sender(rebinding).post(webhook, "msg_1", b"{}")
    assert asked == ["rebind.example"] and connected == [("192.0.2.1", receiver.port)]
    with pytest.raises(WebhookRefused, match="is not public"):
        Sender(rebinding).post(webhook, "msg_1", b"{}")
    assert receiver.requests == []


def test_the_settings_allow_private_addresses_by_name(install: Install, receiver: Receiver) -> None:
    webhook: WebhookSettings = install(url=f"http://hooks.example:{receiver.port}/").webhooks[0]
    assert Sender(lambda _host, _port: ["127.0.0.1"]).post(webhook, "msg_1", b"{}").status == 204
    assert receiver.requests[0].headers["host"] == f"hooks.example:{receiver.port}"
    with pytest.raises(WebhookRefused):
        Sender(lambda _host, _port: ["127.0.0.2"]).post(webhook, "msg_1", b"{}")


def test_the_ten_lines_of_the_manual_verify_our_requests(install: Install, receiver: Receiver) -> None:
    page = Path(__file__).parents[2].joinpath("docs/how-to/webhooks.md").read_text("utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    assert len(code.split("\n\n", 1)[1].splitlines()) <= 10
    scope: dict[str, Any] = {}
    exec(code, scope)
    config = install()
    send(config)
    work(config)
    (request,) = receiver.requests
    verify = scope["is_genuine"]
    assert verify(request.headers, request.body, SECRET)
    assert not verify(request.headers, request.body + b" ", SECRET)
    assert not verify(request.headers, request.body, "whsec_" + base64.b64encode(b"x" * 32).decode())
    late = {**request.headers, "webhook-timestamp": str(int(request.headers["webhook-timestamp"]) - 301)}
    assert not verify(late, request.body, SECRET)

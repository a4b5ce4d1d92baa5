"""nginx of a front end passes what readers send on to the publishing hosts, whichever of them are down."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from appliance.demo.frontend import free_port
from tests.roles.nginx import running, settings, site
from tests.web_stack import Answer, WebStack, ask, web_stack

pytestmark = pytest.mark.slow

HOST = "blog.example"
#: Seconds that passing on to the next host takes at most, on a busy machine. By default nginx waits 60 s for
#: a host that says nothing.
SOON = 10.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with web_stack(tmp_path_factory.mktemp("stack"), fronts=1) as running_stack:
        yield running_stack


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a host that takes no connection and says nothing, like one without power."""
    with socket.socket() as listening, closing(socket.socket()) as first, closing(socket.socket()) as second:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        address = listening.getsockname()
        for connection in (first, second):  # its queue is full, and the kernel drops what comes then
            connection.setblocking(False)
            connection.connect_ex(address)
        yield f"127.0.0.1:{address[1]}"


class Front:
    """An nginx of the role, asked as a browser would."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str) -> Answer:
        return self.ask("GET", path, None, {})

    def post(self, path: str, fields: dict[str, object], **headers: str) -> Answer:
        encoding = {"Content_Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, urlencode(fields).encode(), {**encoding, **headers})

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        return ask(connection, method, path, body, {"Host": HOST, **headers})


@contextmanager
def front(folder: Path, servers: list[str], extra: str = "", **more: str) -> Iterator[Front]:
    """An nginx that passes on to these servers."""
    port = free_port()
    given = {"frontend_web_post_rate": "1000r/s", **more}
    file = settings(
        folder, appliance_sites=[site(f"http://{HOST}/")], frontend_port=f"127.0.0.1:{port}", frontend_name="www1",
        frontend_web_servers=servers, frontend_extra=extra, **given,
    )  # fmt: skip
    with running(folder, file, port):
        yield Front(port)


def unavailable(text: str) -> tuple[str, str]:
    """The address of a host that says that it cannot work, and what has nginx be that host."""
    port = free_port()
    return f"127.0.0.1:{port}", f'server {{ listen 127.0.0.1:{port}; location / {{ return 503 "{text}"; }} }}'


def test_a_comment_is_saved_once_whichever_hosts_are_down(stack: WebStack, silent: str, tmp_path: Path) -> None:
    lost, extra = unavailable("lost")
    servers = [f"127.0.0.1:{free_port()}", silent, lost, f"unix:{stack.web_socket}"]
    with front(tmp_path, servers, extra) as asked:
        began = time.monotonic()
        answer = asked.get(f"/-/blog/comments/form?entry={stack.entry_id('first')}")
        assert time.monotonic() - began < SOON
        token = json.loads(answer.body)["token"]
        fields = {"entry": stack.entry_id("first"), "name": "A", "text": "Whatever is down.", "token": token}
        answers = [asked.post("/-/blog/comments", fields) for _ in range(4)]
        assert time.monotonic() - began < 2 * SOON
    assert [answer.status for answer in answers] == [303] * 4
    assert [comment.text for comment in stack.comments()].count("Whatever is down.") == 1


def test_a_form_is_passed_on_from_a_host_that_dies_meanwhile(stack: WebStack, tmp_path: Path) -> None:
    """It took the form and is gone before it answered: whether it saved it or not, it is saved once."""
    with socket.create_server(("127.0.0.1", 0)) as dying:
        dying.settimeout(60)
        servers = [f"127.0.0.1:{dying.getsockname()[1]}", f"unix:{stack.web_socket}"]
        with front(tmp_path, servers) as asked:
            sent = http.client.HTTPConnection("127.0.0.1", asked.port, timeout=60)
            token = stack.token("second")
            fields = {"entry": stack.entry_id("second"), "name": "A", "text": "Half way.", "token": token}
            encoding = {"Host": HOST, "Content-Type": "application/x-www-form-urlencoded"}
            sent.request("POST", "/-/blog/comments", urlencode(fields), encoding)
            connection, _ = dying.accept()
            assert connection.recv(65536).startswith(b"POST /-/blog/comments")
            connection.close()
            with closing(sent):
                assert sent.getresponse().status == 303
    assert [comment.text for comment in stack.comments()].count("Half way.") == 1


@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_hosts_say_that_cannot_work_is_shown(tmp_path: Path, number: int) -> None:
    """It has the reader's text in it; nginx itself would have nothing to show."""
    hosts = [unavailable("Your text: kept.") for _ in range(number)]
    with front(tmp_path, [address for address, _ in hosts], "\n".join(extra for _, extra in hosts)) as asked:
        answers = [asked.post("/-/blog/comments", {"text": "kept"}) for _ in range(8)]
    assert {(answer.status, answer.text) for answer in answers} == {(503, "Your text: kept.")}


def test_a_host_with_too_much_to_do_is_not_left_out(tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    extra = "".join(f'server {{ listen 127.0.0.1:{port}; location / {{ return 429 "{port}"; }} }}\n' for port in ports)
    with front(tmp_path, [f"127.0.0.1:{port}" for port in ports], extra) as asked:
        answers = [asked.get("/-/blog/comments") for _ in range(8)]
    assert [answer.status for answer in answers] == [429] * 8
    assert {answer.text: answers.count(answer) for answer in answers}.keys() == {str(port) for port in ports}


def test_only_forms_are_limited_by_their_number(stack: WebStack, tmp_path: Path) -> None:
    limits = {"frontend_web_post_rate": "1r/m", "frontend_web_post_burst": 2}
    with front(tmp_path, [f"unix:{stack.web_socket}"], **limits) as asked:  # type: ignore[arg-type]
        posted = [asked.post("/-/blog/comments", {"entry": 0}).status for _ in range(5)]
        got = [asked.get("/-/blog/comments/form?entry=1").status for _ in range(20)]
    assert posted == [404, 404, 404, 429, 429]
    assert set(got) == {200}


@pytest.mark.parametrize(("body", "status"), [(60_000, 404), (70_000, 413)])
def test_a_long_form_is_refused(stack: WebStack, tmp_path: Path, body: int, status: int) -> None:
    with front(tmp_path, [f"unix:{stack.web_socket}"]) as asked:
        assert asked.post("/-/blog/comments", {"entry": 0, "text": "x" * body}).status == status


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_forms_are_sent_and_pages_are_fetched(stack: WebStack, tmp_path: Path, method: str) -> None:
    with front(tmp_path, [f"unix:{stack.web_socket}"]) as asked:
        answer = asked.ask(method, "/-/blog/comments", None, {})
        own = asked.ask("POST", "/-/static/app.css", b"", {})
    assert (answer.status, answer.headers.get_all("Allow")) == (405, ["GET, HEAD, POST"])
    assert (own.status, own.headers.get_all("Allow")) == (405, ["GET, HEAD"])


def test_the_web_process_s_own_headers_stay_and_the_site_s_fill_in(stack: WebStack, tmp_path: Path) -> None:
    with front(tmp_path, [f"unix:{stack.web_socket}"]) as asked:
        page = asked.get(f"/-/blog/comments?entry={stack.entry_id('first')}")
        missing = asked.get("/missing")
    assert page.status == 200
    assert page.headers.get_all("Content-Security-Policy") == [
        policy for policy in page.headers.get_all("Content-Security-Policy") or [] if "default-src 'none'" in policy
    ]
    assert page.headers.get_all("X-Frame-Options") == ["SAMEORIGIN"]
    assert page.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert page.headers.get_all("Cache-Control") == ["no-store"]
    assert "default-src 'self'" in str(missing.headers["Content-Security-Policy"])

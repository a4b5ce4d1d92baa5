"""What the nginx of a front end passes to the web process: its own words about the reader, and few of the reader's."""

from __future__ import annotations

import http.client
import http.server
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.demo import frontend, nginx
from appliance.demo.frontend import FrontEnd
from appliance.demo.nginx import Upstream

ROLE = Path(__file__).parents[2] / "roles/frontend/defaults/main.yml"


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the request as it arrived."""

    def do_GET(self) -> None:
        """Return the first line, the headers and the body."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        said = "\n".join([self.requestline, *(f"{k}: {v}" for k, v in self.headers.items()), "", body]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Content-Security-Policy", "default-src 'none'")
        self.send_header("X-Frame-Options", "DENY")
        self.end_headers()
        self.wfile.write(said)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    folder = tmp_path_factory.mktemp("front end")
    socket = folder / "a socket"
    with socketserver.ThreadingUnixStreamServer(str(socket), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        upstream = Upstream("/-/", f"unix:{socket}", body=2000)
        with FrontEnd(folder / "front", folder / "key", "www1", upstream=upstream) as made:
            (made.docroot / "index.html").write_text("page")
            yield made
        server.shutdown()


def ask(
    front: FrontEnd, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, str, Any]:
    connection = http.client.HTTPConnection(frontend.HOST, front.http_port, timeout=5)
    with closing(connection):
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer.headers


def test_who_asks_is_said_by_nginx_alone(front: FrontEnd) -> None:
    claims = dict.fromkeys(
        (
            "X_Forwarded_For",
            "X_Real_IP",
            "Forwarded",
            "X_Appliance_Front_End",
            "X_Forwarded_Proto",
            "Cookie",
            "X_Other",
        ),
        "for=192.0.2.9",
    )
    status, said, _ = ask(front, "/-/blog/search?q=a%20b", **claims, User_Agent="Browser")
    lines = said.splitlines()
    assert status == 200
    assert "192.0.2.9" not in said
    assert lines[0] == "GET /-/blog/search?q=a%20b HTTP/1.1"
    for line in ("X-Forwarded-For: 127.0.0.1", "X-Appliance-Front-End: www1", "X-Forwarded-Proto: http",
                 f"Host: 127.0.0.1:{front.http_port}", "User-Agent: Browser"):  # fmt: skip
        assert lines.count(line) == 1


def test_only_its_path_and_methods_pass(front: FrontEnd) -> None:
    assert ask(front, "/")[1] == "page"
    assert ask(front, "/-x")[0] == 404
    assert ask(front, "/", "POST", b"a")[0] == 405
    for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"):
        assert ask(front, "/-/blog/search", method)[0] == 405
    assert ask(front, "/-/blog/comments", "POST", b"x" * 2000)[1].endswith("x" * 2000)
    assert ask(front, "/-/blog/comments", "POST", b"x" * 2001)[0] == 413


def test_answers_keep_their_own_policy_and_take_the_other_headers(front: FrontEnd) -> None:
    *_, headers = ask(front, "/-/blog/search")
    assert headers.get_all("Content-Security-Policy") == ["default-src 'none'"]
    assert headers.get_all("X-Frame-Options") == ["SAMEORIGIN"]
    *_, headers = ask(front, "/")
    assert {name: headers[name] for name in nginx.HEADERS} == nginx.HEADERS


def test_it_has_the_headers_of_the_role() -> None:
    role = yaml.safe_load(ROLE.read_text("utf-8"))
    policy = role["frontend_policy"].replace("{{ ([\"'self'\"] + frontend_form_origins) | join(' ') }}", "'self'")
    assert {**role["frontend_headers"], "Content-Security-Policy": policy} == nginx.HEADERS

"""Nothing but the listed routes is reached, and no request brings a second one along or says who it is from."""

from __future__ import annotations

import json
import socket
from contextlib import closing

import pytest

from appliance.content.comment_models import CommentOrigin
from appliance.demo.frontend import HOST
from tests.web_stack import WebStack


def raw(stack: WebStack, data: bytes, *, direct: bool = False) -> bytes:
    """Send bytes to nginx, or to the web process itself, and return all that comes back."""
    connection = (
        socket.socket(socket.AF_UNIX) if direct else socket.create_connection((HOST, stack.fronts[0].http_port))
    )
    with closing(connection):
        connection.settimeout(2)
        if direct:
            connection.connect(str(stack.web_socket))
        connection.sendall(data)
        found = b""
        try:
            while more := connection.recv(65536):
                found += more
        except (TimeoutError, ConnectionResetError):
            pass
        return found


def post(stack: WebStack, text: str, extra: bytes = b"") -> bytes:
    """Return a request that posts a comment."""
    body = f"entry={stack.entry_id('first')}&name=Smuggler&text={text}&token={stack.token()}".encode()
    return (
        b"POST /-/blog/comments HTTP/1.1\r\nHost: localhost\r\n" + extra
        + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )  # fmt: skip


def smuggled(stack: WebStack, name: str, inner: bytes) -> bytes:
    """Return a request that hides `inner` in its body, in one of the known ways."""
    head = b"POST /-/blog/search HTTP/1.1\r\nHost: localhost\r\n"
    length = b"Content-Length: %d\r\n"
    chunk = b"0\r\n\r\n" + inner
    return {
        "CL.TE": head + length % len(chunk) + b"Transfer-Encoding: chunked\r\n\r\n" + chunk,
        "TE.CL": head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(inner) + inner
        + b"\r\n0\r\n\r\n",
        "TE.TE": head + length % len(chunk) + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n" + chunk,
        "spaced": head + length % len(chunk) + b"Transfer-Encoding : chunked\r\n\r\n" + chunk,
        "tabbed": head + length % len(chunk) + b"Transfer-Encoding:\tchunked\r\n\r\n" + chunk,
        "folded": head + length % len(chunk) + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + chunk,
        "vertical tab": head + length % len(chunk) + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + chunk,
        "two lengths": head + length % 0 + length % len(inner) + b"\r\n" + inner,
        "signed length": head + b"Content-Length: +%d\r\n\r\n" % len(inner) + inner,
        "extension": head + b"Transfer-Encoding: chunked\r\n\r\n0;x=\"\r\n\r\n" + inner + b"\"\r\n\r\n",
        "bare line feed": head.replace(b"\r\n", b"\n") + length % len(inner) + b"\r\n" + inner,
        "huge chunk": head + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n" + inner,
    }[name]  # fmt: skip


WAYS = ("CL.TE", "TE.CL", "TE.TE", "spaced", "tabbed", "folded", "vertical tab", "two lengths", "signed length",
        "extension", "bare line feed", "huge chunk")  # fmt: skip


def test_the_hidden_request_would_be_seen(stack: WebStack) -> None:
    assert b" 303 " in raw(stack, post(stack, "seen"), direct=True).split(b"\r\n")[0]
    assert [comment.author_name for comment in stack.comments()] == ["Smuggler"]


@pytest.mark.parametrize("way", WAYS)
def test_no_second_request_is_smuggled_through_nginx(stack: WebStack, way: str) -> None:
    before = len(stack.comments())
    inner = post(stack, f"hidden{way.replace(' ', '')}", b"X-Forwarded-For: 192.0.2.66\r\n")
    # On its own connection nginx may take what follows as a second request of the same sender, which it then names.
    raw(stack, smuggled(stack, way, inner))
    origins = {row.address for row in CommentOrigin.select()}
    assert "192.0.2.66" not in origins
    assert len(stack.comments()) <= before + 1


@pytest.mark.parametrize("way", WAYS)
def test_the_web_process_takes_one_request_a_connection(stack: WebStack, way: str) -> None:
    before = len(stack.comments())
    raw(stack, smuggled(stack, way, post(stack, f"direct{way.replace(' ', '')}")), direct=True)
    assert len(stack.comments()) == before


def test_claims_of_a_reader_about_who_they_are_do_not_count(stack: WebStack) -> None:
    claims = (
        "X_Forwarded_For",
        "X_Real_IP",
        "Forwarded",
        "X_Appliance_Front_End",
        "X_Client_IP",
        "True_Client_IP",
        "Via",
    )
    answer = stack.comment("second", "Who am I?", headers=dict.fromkeys(claims, "192.0.2.77"))
    assert answer.status == 303
    rows = list(CommentOrigin.select().dicts())
    assert rows
    assert "192.0.2.77" not in json.dumps(rows, default=str)
    assert rows[-1]["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    "path",
    ["/-/../appliance.toml", "/-/%2e%2e/%2e%2e/etc/passwd", "/-/static/../../web.toml",
    "/-/static/%2e%2e/%2e%2e/server.py",
     "/-/static/..%2f..%2fserver.py", "/-/static//etc/passwd", "/-/static/....//....//etc/passwd", "/-/static/%00",
     "/-/..%5c..%5cetc/passwd", "/-/blog/comments/../../../etc/passwd", "/-/blog/comments%00",
     "/-/BLOG/search?q=a", "/-/other/search?q=a",
     "/-/healthz", "/-/readyz", "/-/metrics", "/-/blog", "/-/", "/-/blog/comments/", "/-/blog/admin", "/healthz",
     "/metrics"],
)  # fmt: skip
def test_nothing_else_is_reached(stack: WebStack, path: str) -> None:
    answer = raw(stack, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ", 2)[1] in (b"400", b"404", b"405", b"308", b"301"), answer[:300]
    for secret in (b"root:", b"def ", b"[sites", b"ssh_key"):
        assert secret not in answer


@pytest.mark.parametrize(
    "field", ["name", "email", "website", "text", "parent", "entry", "token", "notify", "action", "topic"]
)
def test_no_field_adds_a_header(stack: WebStack, field: str) -> None:
    for attack in (
        "x\r\nSet-Cookie: hit=1\r\n\r\n<html>",
        "x\nLocation: //evil.example",
        "x\r\n\r\nhit",
        "x\u560d\u560aSet-Cookie: hit=1",
        "x\0y",
    ):
        sent = {
            "entry": stack.entry_id("third"),
            "name": "N",
            "text": "T",
            "token": stack.token("third"),
            field: attack,
        }
        answer = stack.post(stack.endpoint(), sent)
        assert answer.status < 500, (attack, answer.text[-500:])
        assert "Set-Cookie" not in answer.headers
        assert "evil.example" not in answer.location


def test_the_host_of_a_request_is_checked_and_not_repeated(stack: WebStack) -> None:
    for host in (
        b"evil.example",
        b"localhost\r\n evil.example",
        b"localhost, evil.example",
        b"localhost@evil.example",
        b"",
        b"localhost:80/x",
    ):
        answer = raw(stack, b"GET /-/blog/search?q=a HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        assert answer.split(b" ", 2)[1] in (b"400", b"421"), (host, answer[:200])
    answer = raw(
        stack, b"GET http://evil.example/-/blog/search?q=a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert b" 421 " in answer.split(b"\r\n")[0]


def test_what_is_too_large_is_refused(stack: WebStack) -> None:
    big = b"text=" + b"x" * 70_000
    assert stack.ask("POST", stack.endpoint(), body=big).status == 413
    head = b"POST /-/blog/comments HTTP/1.1\r\nHost: localhost\r\n"
    assert raw(stack, head + b"Content-Length: 99999999999999999999\r\n\r\n").split(b" ", 2)[1] in (b"400", b"413")
    form = "application/x-www-form-urlencoded"
    assert stack.ask_web("POST", stack.endpoint(), big, Content_Type=form).status == 413
    assert stack.get("/-/blog/search?q=" + "a" * 20_000).status in (400, 414)
    assert stack.get("/-/blog/search?q=a", X_Long="a" * 40_000).status in (400, 431)
    assert stack.get(stack.endpoint(f"comments?entry={stack.entry_id('first')}")).status == 200


def test_methods_other_than_listed_are_refused(stack: WebStack) -> None:
    routes = (
        "comments",
        "comments/form",
        "comments/status",
        "comments/delete",
        "search",
        "opensearch.xml",
        "notices/confirm",
    )
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "FOO"):
        for route in routes:
            for ask in (stack.ask, stack.ask_web):
                assert ask(method, stack.endpoint(route)).status in (400, 405, 501), (method, route)

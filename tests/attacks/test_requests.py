"""No request leaves its path, adds a header to an answer, is larger than it may be, or says who it is from."""

from __future__ import annotations

import gzip
import json
import urllib.parse

import pytest

from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Comment
from tests.attacks.sockets import comment_request, raw
from tests.web_stack import WebStack


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


@pytest.mark.parametrize(
    "name", ["q", "page", "entry", "parent", "receipt", "token", "look", "action", "x\r\nX-Hit: 1"]
)
def test_no_query_adds_a_header(stack: WebStack, name: str) -> None:
    for path in ("search", "comments", "comments/status", "comments/delete", "notices/confirm", "notices/unsubscribe"):
        query = urllib.parse.urlencode({name: "1\r\nSet-Cookie: hit=1\r\nLocation: //evil.example\r\n\r\nhit"})
        answer = stack.get(stack.endpoint(f"{path}?{query}"))
        assert answer.status < 500, (path, answer.text[-300:])
        assert not {"Set-Cookie", "X-Hit"} & set(answer.headers)
        assert "evil.example" not in f"{answer.location}{answer.headers['Refresh']}"
        assert not answer.body.startswith(b"hit")


def test_every_way_to_write_a_claim_is_ignored(stack: WebStack) -> None:
    """Twice, with other spaces and marks, and as a list: nginx alone says who asks."""
    claims = (b"X-Forwarded-For: 192.0.2.88\r\n" * 2, b"X_Forwarded_For: 192.0.2.88\r\n",
              b"x-forwarded-for:192.0.2.88\r\n", b"X-Forwarded-For: 192.0.2.88, 127.0.0.1, 192.0.2.88\r\n",
              b"X-Forwarded-For:\t192.0.2.88\r\nX-Real-Ip: 192.0.2.88\r\nX-Appliance-Front-End: www2\r\n",
              b"Connection: close, X-Forwarded-For\r\nX-Forwarded-For: 192.0.2.88\r\n",
              b"Forwarded: for=192.0.2.88;host=evil.example\r\nX-Forwarded-Host: evil.example\r\n")  # fmt: skip
    for number, claim in enumerate(claims):
        answer = raw(stack, comment_request(stack, f"Claim {number}.", claim))
        assert answer.startswith((b"HTTP/1.1 303", b"HTTP/1.1 400")), answer[:300]
        assert b"evil.example" not in answer
    addresses = {row.address for row in CommentOrigin.select()}
    assert "127.0.0.1" in addresses and "192.0.2.88" not in addresses


def test_the_origin_of_a_form_is_not_what_its_headers_say_of_the_host(stack: WebStack) -> None:
    """A form of another site is refused although the request claims to be for that site."""
    for claim in (b"X-Forwarded-Host: evil.example\r\n", b"Forwarded: host=evil.example\r\n", b""):
        request = comment_request(stack, "From elsewhere.", claim + b"Origin: https://evil.example\r\n")
        assert raw(stack, request).startswith(b"HTTP/1.1 403")
    assert not Comment.select().where(Comment.text == "From elsewhere.").exists()


def test_what_is_no_form_is_refused_and_saved_nowhere(stack: WebStack) -> None:
    form, before = "application/x-www-form-urlencoded", len(stack.comments())
    entry = stack.entry_id("first")
    plain = f"entry={entry}&name=A&text=B&token={stack.token()}".encode()
    bodies: list[tuple[bytes, dict[str, str]]] = [
        (plain, {"Content_Type": "text/plain"}),
        (plain, {}),
        (plain, {"Content_Type": "multipart/form-data; boundary=x"}),
        (b"--x\r\nContent-Disposition: form-data; name=text; filename=/etc/passwd\r\n\r\nB\r\n--x--",
         {"Content_Type": "multipart/form-data; boundary=x"}),
        (gzip.compress(plain), {"Content_Type": form, "Content_Encoding": "gzip"}),
        (plain.decode().encode("utf-16"), {"Content_Type": f"{form}; charset=utf-16"}),
        (plain + b"&text=C", {"Content_Type": form}),
        (plain + b"&x" * 5000, {"Content_Type": form}),
        (plain.replace(b"text=B", b"text=%ff%fe"), {"Content_Type": form}),
        (plain.replace(b"text=B", b"text=%00"), {"Content_Type": form}),
        (plain.replace(b"text=B", b"text=%ed%a0%80"), {"Content_Type": form}),
        (plain.replace(b"name=A", b"name[]=A"), {"Content_Type": form}),
        (b"{" * 30_000, {"Content_Type": "application/json"}),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', {"Content_Type": "text/xml"}),
        (b"", {"Content_Type": form}),
    ]  # fmt: skip
    for body, headers in bodies:
        answer = stack.ask("POST", stack.endpoint(), body=body, headers=headers)
        assert 400 <= answer.status < 500, (answer.status, body[:80], headers)
        assert b"root:" not in answer.body
    assert len(stack.comments()) == before
    assert stack.ask("POST", stack.endpoint(), body=plain, headers={"Content_Type": form}).status == 303


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

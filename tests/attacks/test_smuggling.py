"""No request brings a second one along: neither through nginx nor to the web process itself.

The hidden request is one that nginx never passes on, and one that says who it is from, which nginx never lets pass. If
either arrives, the web process counts it or the intake notes the address.
"""

from __future__ import annotations

import re

import pytest

from appliance.content.comment_models import CommentOrigin
from tests.attacks.sockets import comment_request, raw
from tests.web_stack import WebStack

CLAIMED = "192.0.2.66"
_HEAD = b"POST /-/blog/comments/delete HTTP/1.1\r\nHost: localhost\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"


def _length(number: int | str) -> bytes:
    return f"Content-Length: {number}\r\n".encode()


def ways(inner: bytes) -> dict[str, bytes]:
    """Return requests that hide `inner` in a body or behind a header, in each of the known ways."""
    ended, size = b"0\r\n\r\n" + inner, len(inner)
    both = _HEAD + _length(len(ended))
    chunk = b"%x\r\n" % size + inner + b"\r\n0\r\n\r\n"
    plain = _HEAD + b"Content-Type: application/x-www-form-urlencoded\r\n"
    return {
        "CL.TE": both + _CHUNKED + b"\r\n" + ended,
        "TE.CL": _HEAD + _length(4) + _CHUNKED + b"\r\n" + chunk,
        "TE.TE": both + _CHUNKED + b"Transfer-Encoding: x\r\n\r\n" + ended,
        "TE list": both + b"Transfer-Encoding: chunked, identity\r\n\r\n" + ended,
        "TE twice in a list": both + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + ended,
        "TE in quotes": both + b'Transfer-Encoding: "chunked"\r\n\r\n' + ended,
        "TE with an underscore": both + b"Transfer_Encoding: chunked\r\n\r\n" + ended,
        "TE in capitals": both + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n" + ended,
        "CL.0": plain + _length(size) + b"\r\n" + inner,
        "no length": plain + b"\r\n" + inner,
        "length 0": plain + _length(0) + b"\r\n" + inner,
        "GET with a body": _HEAD.replace(b"POST", b"GET") + _length(size) + b"\r\n" + inner,
        "HEAD with a body": _HEAD.replace(b"POST", b"HEAD") + _length(size) + b"\r\n" + inner,
        "old version": both.replace(b"1.1", b"1.0") + _CHUNKED + b"\r\n" + ended,
        "no version": b"GET /-/blog/search?q=a\r\n\r\n" + inner,
        "spaced": both + b"Transfer-Encoding : chunked\r\n\r\n" + ended,
        "tabbed": both + b"Transfer-Encoding:\tchunked\r\n\r\n" + ended,
        "folded": both + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + ended,
        "folded value": both + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + ended,
        "folded length": plain + b"Content-Length:\r\n 0\r\n" + _length(size) + b"\r\n" + inner,
        "vertical tab": both + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + ended,
        "NUL": both + b"Transfer-Encoding\0: chunked\r\n\r\n" + ended,
        "bare carriage return": both + b"X: y\rTransfer-Encoding: chunked\r\n\r\n" + ended,
        "two lengths": plain + _length(0) + _length(size) + b"\r\n" + inner,
        "equal lengths": plain + _length(size) * 2 + b"\r\n" + inner,
        "length list": plain + _length(f"0, {size}") + b"\r\n" + inner,
        "signed length": plain + _length(f"+{size}") + b"\r\n" + inner,
        "negative length": plain + _length(-1) + b"\r\n" + inner,
        "octal length": plain + _length(f"0{size:o}") + b"\r\n" + inner,
        "hexadecimal length": plain + _length(hex(size)) + b"\r\n" + inner,
        "spaced length": plain + _length(f"{size} 0") + b"\r\n" + inner,
        "extension": _HEAD + _CHUNKED + b'\r\n0;x="\r\n\r\n' + inner + b'"\r\n\r\n',
        "extension with a line feed": _HEAD + _CHUNKED + b"\r\n2;\nxx\r\n%x\r\n" % size + ended,
        "chunk with a sign": _HEAD + _CHUNKED + b"\r\n-1\r\n" + ended,
        "chunk in another base": _HEAD + _CHUNKED + b"\r\n0x%x\r\n" % size + inner + b"\r\n0\r\n\r\n",
        "huge chunk": _HEAD + _CHUNKED + b"\r\nFFFFFFFFFFFFFFFFF\r\n" + inner,
        "trailer": _HEAD + _CHUNKED + b"\r\n0\r\nX: y\r\nContent-Length: 5\r\n\r\n" + inner,
        "bare line feeds": plain.replace(b"\r\n", b"\n") + b"Content-Length: 0\n\n" + inner,
        "line feed in a header": plain + b"X: y\nContent-Length: 0\r\n" + _length(size) + b"\r\n" + inner,
        "upgrade": plain + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
        + inner,
        "web socket": _HEAD.replace(b"POST", b"GET") + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 777\r\n\r\n" + inner,
        "expectation": plain + b"Expect: 100-continue\r\n" + _length(size) + b"\r\n" + inner,
        "line end in the path": b"GET /-/blog/search?q=a HTTP/1.1\r\nX: y%0d%0a%0d%0a HTTP/1.1\r\nHost: localhost\r\n"
        + _length(size) + b"\r\n" + inner,
        "space in the path": b"GET /-/blog/search?q=a HTTP/1.1 x HTTP/1.1\r\nHost: localhost\r\n\r\n" + inner,
    }  # fmt: skip


WAYS = tuple(ways(b""))
#: What nginx never passes on: it is for the publishing host alone.
HOST_ONLY = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def arrived(stack: WebStack) -> int:
    """How many requests for what nginx never passes on the web process has answered."""
    text = stack.ask_web("GET", "/metrics").text
    found = re.findall(r'^appliance_web_requests_total\{route="healthz",status="\d+"\} (\d+)', text, re.MULTILINE)
    return sum(int(number) for number in found)


def test_a_hidden_request_would_be_seen(stack: WebStack) -> None:
    before = arrived(stack)
    assert b" 200 " in raw(stack, HOST_ONLY, direct=True).split(b"\r\n")[0]
    assert arrived(stack) == before + 1
    claim = f"X-Forwarded-For: {CLAIMED}\r\n".encode()
    assert b" 303 " in raw(stack, comment_request(stack, "seen", claim), direct=True).split(b"\r\n")[0]
    assert CommentOrigin.get(CommentOrigin.address == CLAIMED).comment.text == "seen"
    CommentOrigin.update(address="").where(CommentOrigin.address == CLAIMED).execute()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_smuggled_through_nginx(stack: WebStack, way: str) -> None:
    before, comments = arrived(stack), len(stack.comments())
    raw(stack, ways(HOST_ONLY)[way])
    assert arrived(stack) == before, "a request that nginx never passes on has arrived"
    inner = comment_request(stack, f"Hidden, {way}.".replace(" ", "%20"), f"X-Forwarded-For: {CLAIMED}\r\n".encode())
    raw(stack, ways(inner)[way])
    # On its own connection nginx may take what follows as a second request of the same sender, which it then names.
    assert CLAIMED not in {row.address for row in CommentOrigin.select()}
    assert len(stack.comments()) <= comments + 1


@pytest.mark.parametrize("way", WAYS)
def test_the_web_process_takes_one_request_a_connection(stack: WebStack, way: str) -> None:
    before, comments = arrived(stack), len(stack.comments())
    answer = raw(stack, ways(HOST_ONLY)[way], direct=True)
    answers = re.findall(rb"HTTP/1\.\d (\d{3}) ", answer)
    assert len(answers) <= 1 or answers[0] == b"100"
    assert arrived(stack) == before
    raw(stack, ways(comment_request(stack, "Direct."))[way], direct=True)
    assert len(stack.comments()) == comments


def test_readers_are_answered_after_all_that(stack: WebStack) -> None:
    assert stack.comment("first", "Still here.").status == 303

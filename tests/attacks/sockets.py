"""Requests as plain bytes, which no library puts right."""

from __future__ import annotations

import socket
from contextlib import closing

from appliance.demo.frontend import HOST
from tests.web_stack import WebStack


def connect(stack: WebStack, *, direct: bool = False) -> socket.socket:
    """Return a connection to nginx or, with `direct`, to the web process itself."""
    if not direct:
        return socket.create_connection((HOST, stack.fronts[0].http_port))
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(stack.web_socket))
    return connection


def raw(stack: WebStack, data: bytes, *, direct: bool = False) -> bytes:
    """Send bytes and return all that comes back until the other side is done, or has been silent for two seconds."""
    with closing(connect(stack, direct=direct)) as connection:
        connection.settimeout(2)
        found = b""
        try:
            connection.sendall(data)
            while more := connection.recv(65536):
                found += more
        except (TimeoutError, ConnectionError):
            pass
        return found


def comment_request(stack: WebStack, text: str, extra: bytes = b"") -> bytes:
    """Return a request that posts a comment, on a connection that is closed after it."""
    body = f"entry={stack.entry_id('first')}&name=Smuggler&text={text}&token={stack.token()}".encode()
    return (
        b"POST /-/blog/comments HTTP/1.1\r\nHost: localhost\r\n" + (extra or b"") +
        (b"" if b"Connection:" in extra else b"Connection: close\r\n")
        + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )  # fmt: skip

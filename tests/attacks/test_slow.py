"""Clients that send or read slowly keep no reader waiting, and the web process does not even meet them."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from appliance import clock
from tests.attacks.sockets import comment_request, connect
from tests.web_stack import WebStack

MANY = 150
LOOKS = 9


def seconds_of_a_look(stack: WebStack) -> float:
    """How long a reader waits for a form, in the median."""
    times = []
    for number in range(LOOKS):
        stack.source = f"127.40.{number}.1"
        began = clock.monotonic()
        assert stack.get(stack.endpoint(f"comments?entry={stack.entry_id('first')}")).status == 200
        times.append(clock.monotonic() - began)
    return median(times)


def connections_of_the_web_process(stack: WebStack) -> int:
    return Path("/proc/net/unix").read_text().count(str(stack.web_socket))


def test_slow_clients_of_nginx_keep_nobody_waiting(stack: WebStack) -> None:
    usual, before = seconds_of_a_look(stack), connections_of_the_web_process(stack)
    whole = comment_request(stack, "Slow.")
    head, body = whole.split(b"\r\n\r\n")
    with ExitStack() as opened:
        slow: list[socket.socket] = []
        for number in range(MANY):
            connection = opened.enter_context(connect(stack))
            # In the middle of a line, of the headers, and of the body; and nothing at all.
            connection.sendall((b"POST /-/bl", head[: len(head) // 2], head + b"\r\n\r\n" + body[:5], b"")[number % 4])
            slow.append(connection)
        assert connections_of_the_web_process(stack) - before < MANY / 10, "nginx passes on what is whole"
        assert seconds_of_a_look(stack) < max(1.0, 10 * usual)
        assert stack.comment("first", "In between.").status == 303
        for connection in slow:  # a byte now and then keeps it alive, and still nobody waits
            connection.sendall(b"a")
        assert seconds_of_a_look(stack) < max(1.0, 10 * usual)
    assert "Slow." not in {row.text for row in stack.comments()}


def test_clients_that_never_read_keep_nobody_waiting(stack: WebStack) -> None:
    usual = seconds_of_a_look(stack)
    page = f"GET {stack.endpoint('search?q=many')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with ExitStack() as opened:
        for _ in range(MANY):
            connection = opened.enter_context(connect(stack))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(page * 20)
        assert seconds_of_a_look(stack) < max(2.0, 20 * usual)
    assert stack.comment("first", "After all.").status == 303


def test_a_body_shorter_than_it_says_is_no_comment(stack: WebStack) -> None:
    whole = comment_request(stack, "Cut.")
    with connect(stack) as connection:
        connection.sendall(whole[:-3])
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(5)
        assert not connection.recv(100).startswith(b"HTTP/1.1 303")
    assert "Cut." not in {row.text for row in stack.comments()}

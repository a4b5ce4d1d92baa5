"""The client: whatever the other side does, a request ends in time, and is repeated only when that is safe."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from appliance.errors import IntakeUnavailable
from appliance.intake.client import IntakeClient
from appliance.intake.messages import (
    MESSAGE_LIMIT,
    REQUEST,
    CommentRequest,
    Draft,
    ErrorAnswer,
    ReadyAnswer,
    ReadyRequest,
    Sender,
)

READY = ReadyRequest()
LINE = ReadyAnswer().model_dump_json().encode() + b"\n"

Serve = Callable[[socket.socket], None]


@contextmanager
def listening(path: Path, *serves: Serve) -> Iterator[list[socket.socket]]:
    """A socket whose first connection is served by the first function, and so on."""
    accepted: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def run() -> None:
            for serve in serves:
                with suppress(OSError):
                    connection, _ = server.accept()
                    accepted.append(connection)
                    serve(connection)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield accepted
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in accepted:
                connection.close()
            path.unlink()


def answering(times: int, then: str = "stay", line: bytes = LINE) -> Serve:
    def serve(connection: socket.socket) -> None:
        for _ in range(times):
            assert connection.recv(MESSAGE_LIMIT).endswith(b"\n")
            connection.sendall(line)
        if then == "close":
            connection.close()
        if then == "read":
            connection.recv(MESSAGE_LIMIT)
            connection.close()

    return serve


def test_requests_share_a_connection(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with listening(path, answering(3)) as accepted:
        client = IntakeClient(path)
        assert [client.ask(READY).kind for _ in range(3)] == ["ready"] * 3
        assert len(accepted) == 1
        client.close()


@pytest.mark.parametrize("then", ["close", "read"])
def test_a_new_intake_is_found_by_a_connection_to_the_old_one(tmp_path: Path, then: str) -> None:
    path = tmp_path / "socket"
    with listening(path, answering(1, then), answering(1)) as accepted:
        client = IntakeClient(path)
        assert client.ask(READY).kind == "ready"
        assert client.ask(READY).kind == "ready"
        assert len(accepted) == 2
        client.close()


def test_a_request_on_a_new_connection_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with listening(path, answering(0, "read"), answering(1)) as accepted:
        with pytest.raises(IntakeUnavailable, match="ended before it answered"):
            IntakeClient(path).ask(READY)
        assert len(accepted) == 1


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(IntakeUnavailable, match=r"no-socket: there is no such socket; start"):
        IntakeClient(tmp_path / "no-socket").ask(READY)


def test_an_intake_that_is_being_replaced_is_waited_for(tmp_path: Path) -> None:
    path, asked = tmp_path / "socket", list[str]()
    client = IntakeClient(path)
    thread = threading.Thread(target=lambda: asked.append(client.ask(READY).kind))
    thread.start()
    time.sleep(0.1)
    with listening(path, answering(1)):
        thread.join()
        client.close()
    assert asked == ["ready"]


@pytest.mark.parametrize("part", [b"", LINE[:9]])
def test_a_silent_intake_holds_nobody(tmp_path: Path, part: bytes) -> None:
    path = tmp_path / "socket"

    def hang(connection: socket.socket) -> None:
        connection.sendall(part)
        connection.recv(MESSAGE_LIMIT)

    with listening(path, hang):
        began = time.monotonic()
        with pytest.raises(IntakeUnavailable, match="no answer in time"):
            IntakeClient(path, timeout=0.2).ask(READY)
        assert time.monotonic() - began < 2


def test_an_intake_that_dribbles_holds_nobody(tmp_path: Path) -> None:
    path, over = tmp_path / "socket", threading.Event()

    def dribble(connection: socket.socket) -> None:
        while not over.wait(0.02):
            connection.sendall(b" ")

    with listening(path, dribble):
        with pytest.raises(IntakeUnavailable, match="no answer in time"):
            IntakeClient(path, timeout=0.3).ask(READY)
        over.set()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(b"{}\n", "another release"), (b"x" * (MESSAGE_LIMIT + 9), "too long"), (LINE[:9], "broke off")],
)
def test_a_wrong_answer_is_none(tmp_path: Path, answer: bytes, reason: str) -> None:
    path = tmp_path / "socket"
    with listening(path, answering(1, "close", answer)), pytest.raises(IntakeUnavailable, match=reason):
        IntakeClient(path).ask(READY)


def test_a_request_that_is_too_long_is_not_sent(tmp_path: Path) -> None:
    draft = Draft(entry=1, text="𝕏" * 100_000)
    answer = IntakeClient(tmp_path / "none").ask(CommentRequest(site="a", draft=draft, sender=Sender(address="::1")))
    assert isinstance(answer, ErrorAnswer)
    assert answer.reason == "invalid"


def test_the_wait_of_a_request_comes_on_top(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    def late(connection: socket.socket) -> None:
        assert REQUEST.validate_json(connection.recv(MESSAGE_LIMIT)).op == "comment"
        time.sleep(0.4)
        connection.sendall(LINE)

    with listening(path, late):
        client = IntakeClient(path, timeout=0.2)
        request = CommentRequest(site="a", draft=Draft(entry=1), sender=Sender(address="::1"), wait=2.0)
        assert client.ask(request).kind == "ready"
        client.close()


def test_a_forked_child_uses_connections_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with listening(path, answering(1), answering(1)) as accepted:
        client = IntakeClient(path)
        client.ask(READY)
        child = os.fork()
        if not child:
            os._exit(0 if client.ask(READY).kind == "ready" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert len(accepted) == 2
        client.close()

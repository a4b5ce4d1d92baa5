"""The web process under clients that send or close slowly, and its end: real gunicorn, over TCP and a Unix socket."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from appliance import clock
from appliance.demo.frontend import free_port
from appliance.web.worker import _UNFINISHED, missing_bytes

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
_SERVE = """
import sys
from pathlib import Path
from appliance.config import WebSettings
from appliance.web import server
from appliance.web.public.served import served
settings = WebSettings(path="/-/", listen=sys.argv[1], workers=1, threads=2, timeout=4.0, intake=Path(sys.argv[2]))
sys.exit(server.serve(lambda: served(settings)))
"""
_GET = b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"
_POST = b"POST /-/blog/comments HTTP/1.1\r\nHost: here\r\nContent-Length: %s\r\n\r\n"


class Web:
    """A web process with one worker of two threads."""

    def __init__(self, folder: Path, listen: str) -> None:
        self.path = listen.removeprefix("unix:") if listen.startswith("unix:") else ""
        self._port = 0 if self.path else int(listen.rpartition(":")[2])
        self.log = folder / "web.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _SERVE, listen, str(folder / "intake.sock")],
                env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}, stdout=log, stderr=log,
            )  # fmt: skip
        end = clock.monotonic() + 30
        while not self._is_up():
            assert self.process.poll() is None and clock.monotonic() < end, self.log.read_text()
            clock.sleep(0.05)

    def connect(self) -> socket.socket:
        if not self.path:
            return socket.create_connection(("127.0.0.1", self._port), 20)
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(20)
        try:
            made.connect(self.path)
        except OSError:
            made.close()
            raise
        return made

    def send(self, data: bytes) -> socket.socket:
        made = self.connect()
        made.sendall(data)
        return made

    def seconds_of_a_look(self) -> float:
        began = clock.monotonic()
        with self.send(_GET) as client:
            assert status(client) == 200
        return clock.monotonic() - began

    def _is_up(self) -> bool:
        try:
            with self.send(_GET) as client:
                return status(client) == 200
        except OSError:
            return False


def status(client: socket.socket) -> int:
    return int(client.recv(65_536).split()[1])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Web]]:
    started: list[Web] = []

    def begin(listen: str) -> Web:
        started.append(Web(tmp_path, listen))
        return started[-1]

    yield begin
    for web in started:
        web.process.kill()
        web.process.wait(10)


def test_clients_that_send_or_close_slowly_keep_nobody_waiting(start: Callable[[str], Web]) -> None:
    web = start(f"127.0.0.1:{free_port()}")
    held = [web.send(_GET) for _ in range(4)]
    assert [status(client) for client in held] == [200] * 4
    slow = [web.send(_POST % b"1000" + b"a") for _ in range(6)] + [web.send(b"GET / HT") for _ in range(6)]
    assert web.seconds_of_a_look() < 2, "gunicorn waits 2 s for each of four, and for ever for two"
    many = [web.connect() for _ in range(200)]
    assert web.seconds_of_a_look() < 2
    assert slow[0].recv(100) == b"", "the oldest made room"
    for client in [*held, *slow, *many]:
        client.close()


def test_unfinished_requests_make_room_when_no_more_files_can_be_opened(start: Callable[[str], Web]) -> None:
    web = start(f"127.0.0.1:{free_port()}")
    (worker,) = _children(web)
    opened = len(list(Path(f"/proc/{worker}/fd").iterdir()))
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (opened + 20, resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]))
    unfinished = [web.send(b"GET / HT") for _ in range(60)]
    assert web.seconds_of_a_look() < 2, "they would be dropped after 4 s"
    for client in unfinished:
        client.close()


def test_a_dropped_request_may_go_on_at_the_same_moment(start: Callable[[str], Web]) -> None:
    """The worker hears at once of a new connection, which is to replace the oldest, and of more from the oldest."""
    web = start(f"127.0.0.1:{free_port()}")
    (worker,) = _children(web)
    unfinished = [web.send(b"GET / HT") for _ in range(_UNFINISHED + 1)]
    assert unfinished[0].recv(100) == b"", "the oldest made room"
    os.kill(worker, signal.SIGSTOP)
    unfinished.append(web.connect())
    unfinished[1].sendall(b"TP")
    os.kill(worker, signal.SIGCONT)
    with suppress(ConnectionResetError):  # what arrived was not read
        assert unfinished[1].recv(100) == b""
    assert web.seconds_of_a_look() < 2
    assert _children(web) == [worker], "the worker ended"
    for client in unfinished:
        client.close()


def _children(web: Web) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{web.process.pid}/task/{web.process.pid}/children").read_text().split()]


def test_a_request_that_takes_too_long_is_dropped(start: Callable[[str], Web]) -> None:
    web = start(f"127.0.0.1:{free_port()}")
    began = clock.monotonic()
    with web.send(_POST % b"1000" + b"a") as client:
        assert client.recv(100) == b""
    assert 3 < clock.monotonic() - began < 8


def test_forms_beyond_one_for_each_thread_are_refused_at_once(start: Callable[[str], Web], tmp_path: Path) -> None:
    """A queue of them would keep everybody waiting who comes after them."""
    form = b"entry=1&text=Words"
    kind = b"\r\nContent-Type: application/x-www-form-urlencoded"
    post = _POST % (str(len(form)).encode() + kind) + form
    with socket.socket(socket.AF_UNIX) as intake:
        intake.bind(str(tmp_path / "intake.sock"))
        intake.listen(8)
        intake.settimeout(20)
        web = start(f"127.0.0.1:{free_port()}")
        held = [web.send(post) for _ in range(2)]
        asked = [intake.accept()[0] for _ in held]  # both threads wait for an answer now
        with web.send(post) as third:
            answer = third.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 429 ") and b"Retry-After: 2\r\n" in answer
        for one in asked:
            one.close()
        assert {status(client) for client in held} == {503}
        for client in held:
            client.close()
        with web.send(post):
            intake.accept()[0].close()  # there is room again


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        (_POST % b"70000" + b"a" * 70_000, 413),
        (_POST % b"1\r\nContent-Length: 2" + b"ab", 400),
        (_POST % b"1\r\nTransfer-Encoding: chunked" + b"1\r\na\r\n0\r\n\r\n", 411),
        (_POST % b"+1" + b"a", 400),
        (b"GET / HTTP/1.1\r\nHost: here\r\nX-Long: " + b"a" * 40_000, 431),
        (b"GET /healthz HTTP/1.1\r\nHost: here\r\nContent-Length : 3\r\n\r\nabc", 400),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(
    start: Callable[[str], Web], request_text: bytes, answer: int
) -> None:
    web = start(f"127.0.0.1:{free_port()}")
    with web.send(request_text) as client:
        assert status(client) == answer
    assert web.seconds_of_a_look() < 2


def test_a_second_request_on_a_connection_is_not_answered(start: Callable[[str], Web]) -> None:
    web = start(f"127.0.0.1:{free_port()}")
    with web.send(_GET + _GET) as client:
        received = b""
        while data := client.recv(65_536):
            received += data
    assert received.count(b"HTTP/1.1 ") == 1


def test_a_stop_ends_all_of_it_and_removes_the_socket(start: Callable[[str], Web], tmp_path: Path) -> None:
    web = start(f"unix:{tmp_path}/web.sock")
    workers = Path(f"/proc/{web.process.pid}/task/{web.process.pid}/children").read_text().split()
    assert workers
    web.process.send_signal(signal.SIGTERM)
    assert web.process.wait(5) == 0, web.log.read_text()
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]
    assert not list(tmp_path.glob("*.sock*")) and not list(tmp_path.glob(".web*"))


def test_requests_go_on_while_workers_are_replaced(start: Callable[[str], Web], tmp_path: Path) -> None:
    """A worker that ends takes nothing along that the others need."""
    web = start(f"unix:{tmp_path}/web.sock")
    children = Path(f"/proc/{web.process.pid}/task/{web.process.pid}/children")
    for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGKILL):
        former = set(children.read_text().split())
        os.kill(int(min(former)) if number == signal.SIGKILL else web.process.pid, number)
        end = clock.monotonic() + 20
        while former & set(children.read_text().split()) or not children.read_text().split():
            web.seconds_of_a_look()
            assert clock.monotonic() < end, web.log.read_text()
        assert web.seconds_of_a_look() < 2
    web.process.send_signal(signal.SIGTERM)
    assert web.process.wait(5) == 0, web.log.read_text()


def test_a_request_in_pieces_is_whole_at_its_last_byte() -> None:
    whole = _POST % b"3" + b"abc"
    assert [missing_bytes(whole[:n], 100)[0] > 0 for n in range(len(whole))] == [True] * len(whole)
    assert missing_bytes(whole, 100) == (0, 0)
    assert missing_bytes(_GET, 100) == (0, 0)

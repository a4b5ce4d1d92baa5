"""An intake that may open no more files goes on: idle connections make room, and it pauses meanwhile."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from appliance import clock, db
from appliance.config import Config
from appliance.intake.client import IntakeClient
from appliance.intake.messages import FormRequest, ReadyRequest
from appliance.intake.server import Intake
from appliance.intake.socket_file import listen
from appliance.queue import processes
from tests.intake.test_server import answering, blog, entry

#: Files that the intake may open beyond those that it has when it is ready.
SPARE = 30


@contextmanager
def short_of_files(config: Config) -> Iterator[None]:
    """Let the intake open a few more files only."""
    client = IntakeClient(config.intake_socket)
    for _ in range(20):  # until all its threads are connected to the database
        assert client.ask(FormRequest(site="blog", entry=entry())).kind == "form"
    (pid,) = [row.pid for row in processes.list_processes() if row.role == "intake"]
    db.disconnect()
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    opened = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened + SPARE, hard))
    client.close()
    yield


def test_idle_connections_make_room(tmp_path: Path) -> None:
    with blog(tmp_path) as made, answering(made.config), short_of_files(made.config), ExitStack() as stack:
        for _ in range(SPARE + 20):
            stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(made.config.intake_socket))
        client = IntakeClient(made.config.intake_socket)
        assert client.ask(ReadyRequest()).kind == "ready"
        client.close()


def test_it_pauses_while_no_file_can_be_opened(tmp_path: Path) -> None:
    with blog(tmp_path) as made, ExitStack() as stack:
        intake = Intake(made.config, listen(made.config.intake_socket, made.config.web), lambda: False)
        peer = stack.enter_context(socket.socket(socket.AF_UNIX))
        peer.connect(str(made.config.intake_socket))
        with no_more_files():
            began = clock.monotonic()
            intake.accept(20.0)
            passed = clock.monotonic() - began
        assert 0.1 < passed < 10, "select() alone would return at once, again and again"
        intake.accept(20.0)
        peer.sendall(ReadyRequest().model_dump_json().encode() + b"\n")
        peer.settimeout(20)
        assert b"ready" in peer.recv(1000)
        intake.close()


@contextmanager
def no_more_files() -> Iterator[None]:
    """Let this process open no more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    taken = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        for number in taken:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

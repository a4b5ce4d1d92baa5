"""The client of the intake, for the web process: asks over a Unix socket and returns the answer.

Guarantees that a request ends within its time, with an answer or an IntakeUnavailable, whatever the intake does. So a
hanging intake holds no thread of the web process.

Connections stay open between requests. The intake may have ended meanwhile, and a new one may listen: a request on an
old connection that breaks before the first byte of the answer is sent once more on a new one. That is safe, since every
request can be repeated: a form makes one comment however often it is sent, and deleting what is gone succeeds.
"""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from appliance import clock
from appliance.errors import IntakeUnavailable
from appliance.intake.messages import ANSWER, MESSAGE_LIMIT, Answer, CommentRequest, ErrorAnswer, Request, StatusRequest
from appliance.intake.reachability import explain

#: Idle connections that are kept.
_KEPT: Final = 16
_CHUNK: Final = 65_536
#: Seconds to wait for an intake that is being replaced, and between two attempts.
_REPLACED: Final = 1.0
_PAUSE: Final = 0.05


class _Stale(Exception):  # noqa: N818 - not an error
    """A connection broke before the first byte of the answer."""


class IntakeClient:
    """Asks the intake. One client serves all threads of a process, and forked children of it too."""

    def __init__(self, path: Path, timeout: float = 10.0) -> None:
        """Create the client without connecting.

        Args:
            path: the intake's socket.
            timeout: the seconds that a request may take, besides those it asks the intake to wait.
        """
        self._path = path
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: list[socket.socket] = []
        self._process = os.getpid()

    def ask(self, request: Request) -> Answer:
        """Send a request and return the answer.

        Raises:
            IntakeUnavailable: there is no intake, or it did not answer in time.
        """
        line = request.model_dump_json().encode() + b"\n"
        if len(line) > MESSAGE_LIMIT:
            return ErrorAnswer(reason="invalid", sentence="This is longer than a request may be.")
        wait = request.wait if isinstance(request, CommentRequest | StatusRequest) else 0.0
        deadline = clock.monotonic() + self._timeout + wait
        kept = self._take()
        if kept is not None:
            with suppress(_Stale):
                return self._exchange(kept, line, deadline)
        try:
            return self._exchange(self._connect(deadline), line, deadline)
        except _Stale as broken:
            raise IntakeUnavailable(self._path, str(broken)) from broken

    def close(self) -> None:
        """Close the idle connections. The client can be used again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> socket.socket | None:
        """An idle connection that the intake has not closed, if there is one."""
        while True:
            with self._lock:
                if self._process != os.getpid():  # a forked child must not answer its parent's requests
                    self._idle, self._process = [], os.getpid()
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if not _is_readable(connection):  # an idle connection is readable only at its end
                return connection
            connection.close()

    def _keep(self, connection: socket.socket) -> None:
        with self._lock:
            if len(self._idle) < _KEPT:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self, deadline: float) -> socket.socket:
        """Connect; wait a moment for an intake that is being replaced, and nothing was sent yet."""
        patience = min(deadline, clock.monotonic() + _REPLACED)
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(max(0.001, deadline - clock.monotonic()))
                connection.connect(os.fspath(self._path))
            except OSError as error:
                connection.close()
                absent = isinstance(error, FileNotFoundError | ConnectionRefusedError)
                if not absent or clock.monotonic() + _PAUSE > patience:
                    raise IntakeUnavailable(self._path, *explain(self._path, error)) from error
                clock.sleep(_PAUSE)
            else:
                return connection

    def _exchange(self, connection: socket.socket, line: bytes, deadline: float) -> Answer:
        try:
            connection.settimeout(max(0.001, deadline - clock.monotonic()))
            received = _send_and_receive(connection, line, deadline)
            answer = ANSWER.validate_json(received)
        except TimeoutError as error:
            connection.close()
            raise IntakeUnavailable(self._path, "no answer in time") from error
        except (OSError, ValidationError) as error:
            connection.close()
            reason = "an answer of another release" if isinstance(error, ValidationError) else str(error)
            raise IntakeUnavailable(self._path, reason) from error
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return answer


def _send_and_receive(connection: socket.socket, line: bytes, deadline: float) -> bytes:
    """Send a line and return the line that answers it."""
    received = bytearray()
    try:
        with suppress(BrokenPipeError):  # it may have said why it closed the connection
            connection.sendall(line)
        received += connection.recv(_CHUNK)
    except ConnectionResetError as error:
        raise _Stale(error.strerror) from error
    if not received:
        raise _Stale("it ended before it answered")
    while not received.endswith(b"\n"):
        connection.settimeout(max(0.001, deadline - clock.monotonic()))
        more = connection.recv(_CHUNK)
        if not more or len(received) + len(more) > MESSAGE_LIMIT:
            raise ConnectionError("it broke off" if not more else "the answer is too long")
        received += more
    return bytes(received)


def _is_readable(connection: socket.socket) -> bool:
    poll = select.poll()  # select() fails for numbers above 1023
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))

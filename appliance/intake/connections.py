"""Connections to the intake: lines in, lines out, a thread for each, within limits.

Guarantees that no peer holds the intake: a request must arrive whole within seconds and within its size, and an answer
must be read as fast. When all connections are taken, the one that is idle longest makes room.
"""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from appliance import clock, logging
from appliance.intake.messages import MESSAGE_LIMIT, ErrorAnswer

log = logging.get_logger("intake")

#: Seconds until a connection without a request is closed, and in which a request that began must be complete and an
#: answer must be taken.
_IDLE: Final = 300.0
_MESSAGE: Final = 5.0
_CHUNK: Final = 65_536
_TOO_LONG: Final = ErrorAnswer(reason="invalid", sentence="This is longer than a request may be.")
_FULL: Final = ErrorAnswer(reason="busy", sentence="There is too much to do; try again soon.", retry_after=2)

#: Errors of accept() that last until other connections end.
SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

#: Answers a line of a peer with a line, without its end.
Answer = Callable[[bytes, socket.socket], bytes]


class _Connection:
    """One connection, served by a thread of its own."""

    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer
        #: Since when no request is in hand; None while one is.
        self.idle_since: float | None = clock.monotonic()
        self._buffer = bytearray()

    def serve(self, answer: Answer) -> None:
        """Answer requests until the peer is done, too slow or wrong."""
        while (line := self._next_line()) is not None:
            self._send(answer(line, self.peer))
            self.idle_since = clock.monotonic()
        if len(self._buffer) > MESSAGE_LIMIT:
            self._send(_TOO_LONG.model_dump_json().encode())

    def stop_reading(self) -> None:
        """Let the thread end after the request in hand."""
        with suppress(OSError):
            self.peer.shutdown(socket.SHUT_RD)

    def _next_line(self) -> bytes | None:
        deadline = clock.monotonic() + (_MESSAGE if self._buffer else _IDLE)
        begun = bool(self._buffer)
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MESSAGE_LIMIT:
                return None
            self.peer.settimeout(max(0.001, deadline - clock.monotonic()))
            received = self.peer.recv(_CHUNK)
            if not received:
                return None
            if not begun:
                begun, deadline = True, clock.monotonic() + _MESSAGE
                self.idle_since = None
            self._buffer += received
        self.idle_since = None
        if end >= MESSAGE_LIMIT:  # left in the buffer, which says why there is no line
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line

    def _send(self, line: bytes) -> None:
        self.peer.settimeout(_MESSAGE)
        self.peer.sendall(line + b"\n")


class Connections:
    """All connections of an intake, at most `limit` at a time."""

    def __init__(self, answer: Answer, limit: int) -> None:
        self._answer = answer
        self._limit = limit
        self._lock = threading.Lock()
        self._open: dict[_Connection, threading.Thread] = {}
        self._stopping = False

    def __len__(self) -> int:
        return len(self._open)

    def add(self, peer: socket.socket) -> None:
        """Serve a new connection, or refuse it if all others have a request in hand."""
        connection = _Connection(peer)
        thread = threading.Thread(target=self._serve, args=(connection,), name="connection", daemon=True)
        with self._lock:
            has_room = not self._stopping and (len(self._open) < self._limit or self._dismiss_idle())
            if has_room:
                self._open[connection] = thread
        if has_room:
            with suppress(RuntimeError):  # no more threads can be started
                thread.start()
                return
            with self._lock:
                del self._open[connection]
        refuse(peer, _FULL)

    def dismiss_idle(self) -> None:
        """Close the connection that is idle longest, if one is, since there are no files for a new one."""
        with self._lock:
            self._dismiss_idle()

    def stop(self, deadline: float) -> None:
        """Answer the requests in hand and end, until `deadline` by the monotonic clock."""
        with self._lock:
            self._stopping = True
            left = dict(self._open)
        for connection in left:
            connection.stop_reading()
        for thread in left.values():
            thread.join(max(0.0, deadline - clock.monotonic()))

    def _dismiss_idle(self) -> bool:
        """Close the connection that is idle longest, and say whether there is one. Its client connects anew later."""
        idle = [(connection.idle_since, connection) for connection in self._open if connection.idle_since is not None]
        if not idle:
            return False
        _, longest = min(idle, key=lambda pair: pair[0])
        longest.stop_reading()
        del self._open[longest]
        return True

    def _serve(self, connection: _Connection) -> None:
        try:
            with connection.peer:
                connection.serve(self._answer)
        except OSError:  # the peer is gone or too slow
            pass
        except Exception:
            log.exception("a connection broke")
        finally:
            with self._lock:
                self._open.pop(connection, None)


def refuse(peer: socket.socket, answer: ErrorAnswer) -> None:
    """Send an answer without waiting for anything, and close the connection."""
    with peer, suppress(OSError):
        peer.setblocking(False)
        peer.send(answer.model_dump_json().encode() + b"\n")

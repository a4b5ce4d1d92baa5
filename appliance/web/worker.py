"""A worker of gunicorn whose threads get whole requests only.

gunicorn's own worker reads a request in the thread that answers it, and closes connections in its main loop, where it
waits for the other side. So a few clients that send or close slowly could keep everybody else waiting. Here the main
loop gathers what arrives, waits for nobody, and drops a client that takes longer than its time. Each connection carries
one request, so no second one can be smuggled into it.

A flood of forms makes no queue: beyond one for each thread they are refused at once, for next to nothing. So whoever
reads or searches meanwhile never waits for more than those.
"""

from __future__ import annotations

import errno
import re
import socket
import struct
import time
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final

from gunicorn.http.unreader import IterUnreader
from gunicorn.util import close
from gunicorn.workers.gthread import TConn, ThreadWorker

from appliance.web.received import Received

_CHUNK: Final = 65_536
#: The most bytes before the body; nginx allows 32 KiB by default.
_HEAD: Final = 32_768
_HEAD_ENDS: Final = b"\r\n\r\n"
#: Unfinished requests that one worker holds; a further one takes the place of the oldest.
_UNFINISHED: Final = 128
#: Forms for each thread of a worker that are answered or wait for a thread.
_FORMS_A_THREAD: Final = 1
#: Bodies of the largest size whose bytes may be in files at once.
_IN_FILES: Final = 4
#: Connections accepted in one round of the main loop.
_ACCEPTED: Final = 8
_LENGTH: Final = re.compile(rb"\d{1,9}")
_REASONS: Final = {
    400: b"Bad Request",
    411: b"Length Required",
    413: b"Content Too Large",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
}
_BUSY: Final = b"There is too much to do at the moment. Please go back, and send it again in a few seconds.\n"
#: Errors of accept() that end no worker: nobody was there any more, or there are too many open files.
_GONE: Final = {errno.EAGAIN, errno.ECONNABORTED}
_SHORTAGES: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
#: Seconds until a connection is accepted for which no file could be opened.
_PAUSE: Final = 0.05


def missing_bytes(received: bytes | bytearray, limit: int) -> tuple[int, int]:
    """What a request lacks: the number of bytes (at least 1 if unknown), and the status that refuses it, or 0.

    Args:
        received: what arrived so far.
        limit: the most bytes of a body.
    """
    end = received.find(_HEAD_ENDS)
    if end < 0:
        return 1, 431 if len(received) > _HEAD else 0
    if end > _HEAD:
        return 0, 431
    lengths = []
    for line in bytes(received[:end]).split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower().strip() == b"transfer-encoding":
            return 0, 411
        if name.lower().strip() == b"content-length":
            lengths.append(value.strip())
    if not lengths:
        return 0, 0
    if len(lengths) > 1 or not _LENGTH.fullmatch(lengths[0]):
        return 0, 400
    if int(lengths[0]) > limit:
        return 0, 413
    return max(0, end + 4 + int(lengths[0]) - len(received)), 0


class _Connection(TConn):  # type: ignore[misc]
    """A connection of which nothing, or a part of a request, has arrived."""

    def __init__(self, in_memory: int, *values: Any) -> None:
        super().__init__(*values)
        self.received = Received(in_memory)
        #: The bytes of the whole request, once its head has arrived.
        self.expected = 0
        #: Those of them that may be in a file.
        self.in_file = 0
        #: Whether it is a form that counts as one in hand.
        self.is_form = False
        self.is_dropped = False

    def close(self, graceful: bool = False) -> None:  # noqa: ARG002 - gunicorn's parameter
        """Close at once. Nothing unread is left that could cut the answer short."""
        self.received.close()
        close(self.sock)


class WholeRequestWorker(ThreadWorker):  # type: ignore[misc]
    """Gathers requests in the main loop, and hands whole ones to the threads."""

    #: The most bytes of a body, and the seconds in which a request must arrive and an answer be taken.
    body = 65_536
    seconds = 10.0
    #: The bytes of a request that are kept in memory.
    in_memory = 65_536
    #: Forms that are answered or wait for a thread.
    _forms = 0
    #: Bytes of requests that are, or will be, in files.
    _in_files = 0

    def accept(self, listener: Any) -> None:
        """Accept those who wait, and begin to gather their requests.

        Several at a time: between two rounds of the main loop every busy thread may have its turn.
        """
        for _ in range(_ACCEPTED):
            try:
                client, address = listener.accept()
            except OSError as error:
                if error.errno in _SHORTAGES:
                    self._make_room()
                elif error.errno not in _GONE:
                    raise
                return
            self._add(_Connection(self.in_memory, self.cfg, client, address, listener.getsockname()))

    def _add(self, connection: _Connection) -> None:
        if len(self.pending_conns) >= _UNFINISHED:
            self._drop(self.pending_conns[0])
        self.nr_conns += 1
        patience = struct.pack("ll", int(self.seconds), int(self.seconds % 1 * 1_000_000))
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        connection.timeout = time.monotonic() + self.seconds
        self.pending_conns.append(connection)  # gunicorn closes those whose time is over
        self.poller.register(connection.sock, EVENT_READ, partial(self._gather, connection))

    def _make_room(self) -> None:
        """Drop the oldest unfinished request, since there is no file for a new connection; without one, wait a moment.

        The poller would report the new connection again at once.
        """
        if self.pending_conns:
            self._drop(self.pending_conns[0])
        else:
            time.sleep(_PAUSE)

    def _gather(self, connection: _Connection, client: socket.socket) -> None:
        try:
            data = client.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        connection.received.add(data)
        status = 0 if connection.expected else self._expect(connection)
        if status:
            self._refuse(connection, status)
        elif 0 < connection.expected <= len(connection.received):
            self._hand_over(connection)

    def _expect(self, connection: _Connection) -> int:
        """Learn from its head how long a request is; returns the status that refuses it, or 0."""
        missing, status = missing_bytes(connection.received.start, self.body)
        if status or _HEAD_ENDS not in connection.received.start:
            return status
        connection.expected = len(connection.received) + missing
        if connection.expected > self.in_memory + _HEAD:
            if self._in_files + connection.expected > _IN_FILES * self.body:
                return 429
            connection.in_file = connection.expected
            self._in_files += connection.in_file
        return 0

    def finish_request(self, conn: _Connection, fs: Any) -> None:
        """Close the connection of a request that was answered."""
        self._forms -= conn.is_form
        self._in_files -= conn.in_file
        super().finish_request(conn, fs)

    def _hand_over(self, connection: _Connection) -> None:
        if not connection.received.start.startswith((b"GET ", b"HEAD ")):
            if self._forms >= _FORMS_A_THREAD * self.cfg.threads:
                self._refuse(connection, 429)
                return
            connection.is_form = True
            self._forms += 1
        self.poller.unregister(connection.sock)
        self.pending_conns.remove(connection)
        connection.init()
        connection.parser.unreader = IterUnreader(connection.received.chunks())
        self.enqueue_req(connection)

    def _refuse(self, connection: _Connection, status: int) -> None:
        """Answer, and go on reading for a while: closing over unread bytes would discard the answer as well."""
        body = _BUSY if status == 429 else b""
        retry = b"Retry-After: 2\r\n" if status == 429 else b""
        head = b"HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain\r\n%bContent-Length: %d\r\n\r\n%b" % (
            status, _REASONS[status], retry, len(body), body
        )  # fmt: skip
        try:
            connection.sock.send(head)
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(connection)
            return
        connection.received.close()
        self.poller.modify(connection.sock, EVENT_READ, partial(self._discard, connection))

    def _discard(self, connection: _Connection, client: socket.socket) -> None:
        try:
            over = not client.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            over = True
        if over:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        """Close a connection without an answer.

        The poller may still report it: it tells of several events at once, and the first may have made room for itself.
        """
        if connection.is_dropped:
            return
        connection.is_dropped = True
        self._in_files -= connection.in_file
        self.poller.unregister(connection.sock)
        self.pending_conns.remove(connection)
        self.nr_conns -= 1
        connection.close()


def worker_class(body: int, seconds: float, in_memory: int) -> type[WholeRequestWorker]:
    """The worker class for these limits."""
    limits = {"body": body, "seconds": seconds, "in_memory": in_memory}
    return type("WholeRequestWorker", (WholeRequestWorker,), limits)

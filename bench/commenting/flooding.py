"""Many requests at a steady rate, whether earlier ones were answered or not, as from many machines at once.

One loop over one selector sends them all, so that little of the machine goes to sending. Sources are addresses of the
loopback network, which a web server tells apart as it does any other, and which nobody has to set up.
"""

from __future__ import annotations

import resource
import selectors
import socket
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from appliance import clock
from appliance.demo.frontend import HOST

#: Seconds after the last request until those that are not answered count as such.
_GRACE: Final = 15.0
_CHUNK: Final = 65_536


@dataclass(frozen=True, slots=True)
class Post:
    """A request: the loopback address that it comes from, and its bytes."""

    source: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request: the status (0 if it was not answered), and the seconds that it took."""

    status: int
    seconds: float


@dataclass(frozen=True)
class Flood:
    """The replies, in the order of the requests, and the seconds in which all were sent."""

    replies: list[Reply]
    seconds: float

    @property
    def by_status(self) -> Counter[int]:
        """The number of replies of each status."""
        return Counter(reply.status for reply in self.replies)

    def __str__(self) -> str:
        """The figures, one line."""
        number = len(self.replies)
        answers = ", ".join(f"{count:,} × {status or 'none'}" for status, count in sorted(self.by_status.items()))
        return f"{number:,} posts in {self.seconds:.1f} s ({number / self.seconds:,.0f}/s); answers: {answers}"


def network(number: int) -> str:
    """An address of the loopback network, for each number in a /24 of its own."""
    return f"127.{20 + number // 256}.{number % 256}.1"


def send(port: int, posts: Sequence[Post], rate: float) -> Flood:
    """Send requests to a port of this host, so many a second, and gather the answers."""
    _allow_files(len(posts) + 64)
    replies = [Reply(0, 0.0)] * len(posts)
    began, sent, last = clock.monotonic(), 0, 0.0
    with selectors.EpollSelector() as selector:
        while sent < len(posts) or selector.get_map():
            now = clock.monotonic()
            while sent < len(posts) and began + sent / rate <= now:
                exchange = _Exchange(sent, posts[sent], port)
                selector.register(exchange.socket, selectors.EVENT_WRITE, exchange)
                sent, last = sent + 1, clock.monotonic()
            due = began + sent / rate if sent < len(posts) else last + _GRACE
            if now > last + _GRACE:
                break
            for key, _ in selector.select(max(0.0, due - now)):
                if reply := key.data.go_on(selector):
                    selector.unregister(key.data.socket)
                    key.data.socket.close()
                    replies[key.data.number] = reply
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return Flood(replies, last - began)


class _Exchange:
    """A request under way."""

    def __init__(self, number: int, post: Post, port: int) -> None:
        self.number = number
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._began = clock.monotonic()
        self._unsent = post.data
        self._received = b""
        self.socket.setblocking(False)
        self.socket.bind((post.source, 0))
        with suppress(OSError):  # what is refused at once is seen when it is sent
            self.socket.connect_ex((HOST, port))

    def go_on(self, selector: selectors.EpollSelector) -> Reply | None:
        """Send or receive what can be now; returns the reply once it has ended."""
        try:
            if self._unsent:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
                if not self._unsent:
                    selector.modify(self.socket, selectors.EVENT_READ, self)
                return None
            data = self.socket.recv(_CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        self._received += data
        return None if data else self._reply()

    def _reply(self) -> Reply:
        status = self._received[9:12]
        return Reply(int(status) if status.isdigit() else 0, clock.monotonic() - self._began)


def _allow_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, hard), hard))

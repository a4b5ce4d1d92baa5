"""A reader who requests a page of a front end until it contains a text."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from contextlib import suppress

from appliance import clock
from appliance.demo.frontend import HOST, FrontEnd

#: Seconds to wait for a response.
_TIMEOUT = 5.0


class Reader:
    """Requests pages of a front end over one connection."""

    def __init__(self, front_end: FrontEnd) -> None:
        self.name = front_end.name
        self._connection = http.client.HTTPConnection(HOST, front_end.http_port, timeout=_TIMEOUT)

    def page_contains(self, address: str, text: str) -> bool:
        """Whether the page at the root-relative `address` contains `text`."""
        return text.encode() in self.read(address)

    def read(self, address: str) -> bytes:
        """Return the page at the root-relative `address`; nothing if there is none."""
        try:
            self._connection.request("GET", address)
            response = self._connection.getresponse()
            body = response.read()
        except (http.client.HTTPException, OSError):
            self.close()  # the next request opens a new connection
            return b""
        return body if response.status == http.client.OK else b""

    def close(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._connection.close()


def count_results(front_end: FrontEnd, address: str) -> int:
    """Return the number of results on the page of a search at the root-relative `address`; 0 if it is refused."""
    reader = Reader(front_end)
    try:
        return reader.read(address).count(b"<article>")
    finally:
        reader.close()


def wait_for_text(
    front_ends: list[FrontEnd], address: str, text: str, seconds: float, is_hopeless: Callable[[], bool]
) -> dict[str, float]:
    """Wait until the page at `address` of every front end contains `text`.

    Args:
        seconds: the longest time to wait.
        is_hopeless: whether to wait no longer, since the text will not appear.

    Returns:
        The time by `clock.monotonic` at which each page contained the text, by name of the front end. Front ends that
        never showed it are missing.
    """
    waiting = [Reader(front_end) for front_end in front_ends]
    deadline, seen = clock.monotonic() + seconds, dict[str, float]()
    while waiting and clock.monotonic() < deadline and not is_hopeless():
        for reader in list(waiting):
            if reader.page_contains(address, text):
                seen[reader.name] = clock.monotonic()
                reader.close()
                waiting.remove(reader)
        clock.sleep(0.001)
    for reader in waiting:
        reader.close()
    return seen

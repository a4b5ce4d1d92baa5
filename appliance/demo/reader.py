"""A reader of one front end: asks for a page again and again until it says what is waited for."""

from __future__ import annotations

import http.client
from contextlib import suppress

from appliance import clock
from appliance.demo.frontend import HOST, FrontEnd

#: Seconds for one answer.
_TIMEOUT = 5.0


class Reader:
    """Reads pages of a front end over one connection."""

    def __init__(self, front_end: FrontEnd) -> None:
        self.name = front_end.name
        self._connection = http.client.HTTPConnection(HOST, front_end.http_port, timeout=_TIMEOUT)

    def sees(self, address: str, text: str) -> bool:
        """Whether the page at `address`, root-relative, says `text` now."""
        try:
            self._connection.request("GET", address)
            answer = self._connection.getresponse()
            return text.encode() in answer.read() and answer.status == http.client.OK
        except (http.client.HTTPException, OSError):
            self.close()  # the next question opens a new one
            return False

    def close(self) -> None:
        """Close the connection."""
        with suppress(OSError):
            self._connection.close()


def await_text(front_ends: list[FrontEnd], address: str, text: str, seconds: float) -> dict[str, float]:
    """Wait until every front end's page at `address` says `text`, at most `seconds`.

    Returns:
        The moment, by `clock.monotonic`, at which each said it, by name; who never did is left out.
    """
    waiting = [Reader(front_end) for front_end in front_ends]
    deadline, seen = clock.monotonic() + seconds, dict[str, float]()
    while waiting and clock.monotonic() < deadline:
        for reader in list(waiting):
            if reader.sees(address, text):
                seen[reader.name] = clock.monotonic()
                reader.close()
                waiting.remove(reader)
        clock.sleep(0.001)
    for reader in waiting:
        reader.close()
    return seen

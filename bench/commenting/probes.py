"""What a reader gets meanwhile: a few requests each second, and how long their answers take."""

from __future__ import annotations

import http.client
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance import clock
from appliance.demo.frontend import HOST
from tests.web_stack import UnixConnection, ask

#: The loopback address that they come from, and the seconds between two rounds.
_SOURCE = "127.9.9.9"
_PAUSE = 0.25
_PATIENCE = 10.0


@dataclass
class Probed:
    """The answers to one kind of request."""

    seconds: list[float] = field(default_factory=list)
    #: The answers that were none, or had another status than 200.
    refused: int = 0

    @property
    def median(self) -> float:
        """The median of the seconds that answers took; one that did not come took as long as it was waited for."""
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        """The figures, one line."""
        return (
            f"{self.median * 1000:.0f} ms (longest {max(self.seconds) * 1000:.0f}) of {len(self.seconds)},"
            f" {self.refused} refused"
        )


def probe(port: int, web_socket: Path, paths: Mapping[str, str], seconds: float) -> dict[str, Probed]:
    """Ask for each of `paths` by turns for so many seconds.

    Args:
        port: that of a front end's nginx.
        web_socket: the socket of the web process, for what only its host may ask: paths below no folder.
        paths: by the name of each request.
        seconds: for how long.
    """
    found = {name: Probed() for name in paths}
    end = clock.monotonic() + seconds
    while clock.monotonic() < end:
        for name, path in paths.items():
            of_host = path.count("/") == 1
            connection = (
                UnixConnection(web_socket)
                if of_host
                else http.client.HTTPConnection(HOST, port, timeout=_PATIENCE, source_address=(_SOURCE, 0))
            )
            began = clock.monotonic()
            try:
                status = ask(connection, "GET", path).status
            except (OSError, http.client.HTTPException):
                status = 0
            found[name].seconds.append(clock.monotonic() - began)
            found[name].refused += status != 200
        clock.sleep(_PAUSE)
    return found

"""Connections to PostgreSQL that detect a dead peer, with waits that can be abandoned.

Guarantees that clients notice within about ten seconds when the server loses power or its network. The server notices a
lost client as quickly and releases its locks. A wait for the server ends soon after the process was told to end
(see `wait_limits`).
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import psycopg
from psycopg import conninfo, waiting

from appliance import clock
from appliance.db import wait_limits

#: Defaults for libpq, which the URL may override. After 5 s of silence libpq sends three keepalive probes; sent data
#: must be acknowledged within 8 s.
_CLIENT: Final = {
    "keepalives": "1", "keepalives_idle": "5", "keepalives_interval": "2", "keepalives_count": "3",
    "tcp_user_timeout": "8000", "connect_timeout": "5",
}  # fmt: skip
#: The same settings for the server. They also end the transaction of a process that has been suspended in the middle of
#: it for five minutes.
_SERVER: Final = {
    "timezone": "UTC", "jit": "off",
    "tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3", "tcp_user_timeout": "8000",
    "idle_in_transaction_session_timeout": "300000",
}  # fmt: skip
#: From PostgreSQL 14 on, a server can check during a statement whether its client is still connected.
_LOOKS: Final = 140_000
_LOOK: Final = "SET client_connection_check_interval = 5000"


class GivenUp(psycopg.OperationalError):
    """The server did not answer in time, and the wait was abandoned."""


def parameters(url: str, name: str) -> dict[str, Any]:
    """The connection parameters: those of the URL, with our defaults for those that it does not set."""
    given = conninfo.conninfo_to_dict(url)
    options = " ".join(f"-c {key}={value}" for key, value in _SERVER.items())
    return {
        **_CLIENT, **given, "application_name": name, "options": f"{options} {given.get('options') or ''}".strip(),
    }  # fmt: skip


class Connection(psycopg.Connection[Any]):
    """A connection that can abandon a wait for the server."""

    #: Seconds the server may take for one answer.
    limit = float("inf")

    @classmethod
    def open(cls, url: str, name: str) -> Connection:
        """Connect in autocommit mode."""
        made = cls.connect(**parameters(url, name), autocommit=True)
        if made.pgconn.server_version >= _LOOKS:
            made.execute(_LOOK)
        return made

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server until the limit or the deadline has passed. Abandoning a wait closes the connection."""
        try:
            return super().wait(_watched(gen, self.limit), interval, timeout)
        except GivenUp:
            self.pgconn.finish()
            raise

    @classmethod
    def _connect_gen(cls, *given: Any, **named: Any) -> Any:
        return _watched(super()._connect_gen(*given, **named), float("inf"))


def _watched(waits: Any, limit: float) -> Generator[Any, Any, Any]:
    """Delegate to one of psycopg's wait generators, and raise GivenUp once the wait has lasted too long."""
    began, ready = clock.monotonic(), None
    try:
        state = next(waits)
        while True:
            ready = yield state
            if ready == waiting.READY_NONE and (
                wait_limits.is_past_deadline(began) or clock.monotonic() - began > limit
            ):
                raise GivenUp("the server does not answer, and is not waited for any longer")
            state = waits.send(ready)
    except StopIteration as ended:
        return ended.value

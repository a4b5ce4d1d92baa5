"""An application as a web process serves it: what gunicorn and the process around it need to know, and nothing else.

So there is one web process for all applications, and none of them loads what only another one needs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class ServerSettings(Protocol):
    """The settings that a web process has for every application."""

    @property
    def listen(self) -> str:
        """Where to listen."""

    @property
    def socket_group(self) -> str:
        """The group of a Unix socket."""

    @property
    def socket_mode(self) -> str:
        """The mode of a Unix socket."""

    @property
    def workers(self) -> int:
        """The number of worker processes."""

    @property
    def threads(self) -> int:
        """The threads of each."""

    @property
    def requests_per_worker(self) -> int:
        """The requests after which a worker is replaced."""

    @property
    def worker_hours(self) -> float:
        """The hours after which a worker is replaced."""

    @property
    def timeout(self) -> float:
        """The seconds of one request."""


class Reporter(Protocol):
    """Tells somebody how a web process is doing."""

    def use(self, settings: Any) -> None:
        """Go by other settings from now on."""

    def report(self, processes: list[int], requests: int) -> bool:
        """Report; returns whether to let a fresh process take the place of this one."""


class _Silence:
    """Reports nothing."""

    def use(self, settings: Any) -> None:
        """Do nothing."""

    def report(self, processes: list[int], requests: int) -> bool:  # noqa: ARG002
        """Do nothing."""
        return False


def _nothing(_worker: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Served:
    """An application with its settings."""

    #: The section of its settings.
    section: str
    settings: ServerSettings
    #: The most bytes of a body, and how many of them are kept in memory before they go to a file.
    body: int
    in_memory: int
    #: Seconds that a view may take at most.
    longest: float
    #: The name of the counter of its requests.
    requests: str
    #: Loads what all workers run, before any of them is forked.
    load: Callable[[], None]
    #: Returns the application, in a worker.
    create: Callable[[], WSGIApplication]
    #: Returns what reports about the process, which is a part of `work` or not.
    reporter: Callable[[bool], Reporter] = lambda _with_work: _Silence()
    #: Called in a worker that begins, and in one that ends.
    begin: Callable[[Any], None] = _nothing
    end: Callable[[Any], None] = _nothing

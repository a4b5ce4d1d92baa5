"""Which processes were replaced by fresh ones since somebody asked for it, as the list of processes shows it.

Guarantees that a process counts as replaced only once the old one has ended and a fresh one of its role has entered
itself on its host. Nothing is stored for it: the moment of asking and what was asked say which rows are old and which
are fresh, so two people can follow the same recycling.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.queue.processes import ProcessRow, process_name

SUPERVISOR: Final = "supervisor"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which processes were asked: one, all of a supervisor, all of a host, or all."""

    #: Empty for all hosts.
    host: str = ""
    #: Of the process that was asked, and its role; 0 and empty for more than one.
    pid: int = 0
    role: str = ""

    @property
    def is_one(self) -> bool:
        """Whether one process was asked that is replaced itself. A supervisor replaces its processes instead."""
        return self.pid != 0 and self.role != SUPERVISOR

    @property
    def name(self) -> str:
        """The name of the process that was asked."""
        return process_name(self.host, self.pid)

    def is_replaced(self, row: ProcessRow) -> bool:
        """Whether a process is one of those that end, before the moment of asking."""
        return row.name == self.name if self.is_one else self._holds(row)

    def is_fresh(self, row: ProcessRow) -> bool:
        """Whether a process that started later has taken the place of one of them."""
        return row.host == self.host and row.role == self.role if self.is_one else self._holds(row)

    def _holds(self, row: ProcessRow) -> bool:
        if row.role == SUPERVISOR or (self.host and row.host != self.host):
            return False
        return self.role != SUPERVISOR or row.keeper == self.name


@dataclass(frozen=True, slots=True)
class Replacements:
    """How far it is."""

    #: The number of processes that end, and of those in whose place there is a fresh one.
    number: int
    done: int
    #: Those that have not ended yet, and the fresh ones.
    old: tuple[ProcessRow, ...]
    fresh: tuple[ProcessRow, ...]

    @property
    def is_over(self) -> bool:
        """Whether each has been replaced."""
        return self.done >= self.number and not self.old


def to_be_replaced(scope: Scope, rows: Iterable[ProcessRow]) -> list[ProcessRow]:
    """Return the processes that end when those of a scope are recycled now."""
    return [row for row in rows if scope.is_replaced(row)]


def follow(scope: Scope, asked_at: float, number: int, rows: Sequence[ProcessRow]) -> Replacements:
    """Return how far a recycling is.

    Args:
        scope: which processes were asked.
        asked_at: when, in seconds since the epoch on the database's clock, before they were asked.
        number: how many were to be replaced then.
        rows: all processes as they are now.
    """
    old = tuple(row for row in rows if scope.is_replaced(row) and row.started_at < asked_at)
    fresh = tuple(row for row in rows if scope.is_fresh(row) and row.started_at >= asked_at)
    return Replacements(number, min(len(fresh), max(0, number - len(old))), old, fresh)

"""Slices of what is to be written, as large as one short transaction can take on this machine at this moment.

Guarantees that others wait for an import only briefly: on SQLite a comment waits for the whole write transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from appliance import clock

T = TypeVar("T")

#: Seconds that writing one slice should take.
SECONDS: Final = 0.04
#: The fewest items of a slice: with fewer, statements and commits would be most of the work on a busy machine.
FEWEST: Final = 20


class ShortSlices:
    """Cuts sequences into slices, each by the time that the one before took to be written."""

    def __init__(self, most: int) -> None:
        """`most` is the number of items that a slice never exceeds."""
        self._most = most
        self._size = min(most, 2 * FEWEST)

    def of(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """The slices of `items`. The caller writes each before it asks for the next."""
        start = 0
        while start < len(items):
            some = items[start : start + self._size]
            began = clock.monotonic()
            yield some
            self._adapt(len(some), clock.monotonic() - began)
            start += len(some)

    def _adapt(self, count: int, seconds: float) -> None:
        fitting = int(count * SECONDS / max(seconds, 1e-6))
        self._size = max(FEWEST, min(fitting, 2 * self._size, self._most))

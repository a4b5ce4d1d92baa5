"""Slices of what is to be written, as large as one short transaction can take on this machine at this moment.

Guarantees that others wait for an import only briefly: on SQLite a comment waits for the whole write transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from appliance import clock

T = TypeVar("T")

#: Seconds that writing one slice should take, and the fewest items of a slice.
SECONDS: Final = 0.04
_FEWEST: Final = 5


class ShortSlices:
    """Cuts sequences into slices, each by the time that the one before took to be written."""

    def __init__(self, most: int) -> None:
        """`most` is the number of items that a slice never exceeds."""
        self._most = most
        self._size = min(most, 4 * _FEWEST)

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
        self._size = max(_FEWEST, min(fitting, 2 * self._size, self._most))

"""Histograms of durations: counts in buckets, each a tenth wider than the one before.

Guarantees that a quantile differs by less than five per cent from that of the durations themselves, from a millisecond
upwards. Histograms can be added up, which quantiles cannot.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Self

#: How much wider each bucket is than the one before. The middle of a bucket is less than half of that away from any of
#: its durations.
GROWTH: Final = 1.1
#: The first bucket takes all durations up to this one, in seconds.
_FIRST: Final = 0.001
_LOG: Final = math.log(GROWTH)


class Histogram:
    """Counts of durations by bucket."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts: Counter[int] = Counter(counts or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self._counts == other._counts

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"Histogram({self.encode()!r})"

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read what `encode` wrote."""
        pairs = (pair.split(":") for pair in text.split())
        return cls({int(bucket): int(count) for bucket, count in pairs})

    @classmethod
    def sum(cls, histograms: Iterable[Histogram]) -> Self:
        """Add up histograms."""
        total = cls()
        for one in histograms:
            total._counts.update(one._counts)
        return total

    @property
    def count(self) -> int:
        """The number of durations."""
        return self._counts.total()

    def add(self, seconds: float, times: int = 1) -> None:
        """Count a duration. A negative one, of clocks that disagree, counts as none."""
        self._counts[0 if seconds <= _FIRST else math.ceil(math.log(seconds / _FIRST) / _LOG)] += times

    def encode(self) -> str:
        """Return the buckets as text: pairs of a bucket and its count."""
        return " ".join(f"{bucket}:{count}" for bucket, count in sorted(self._counts.items()))

    def quantile(self, share: float) -> float | None:
        """The duration in seconds that `share` of all do not exceed, such as 0.5 for the median; None without any."""
        rank = max(1, math.ceil(share * self.count))
        for bucket, count in sorted(self._counts.items()):
            rank -= count
            if rank <= 0:
                return _middle(bucket)
        return None


def _middle(bucket: int) -> float:
    """The duration whose ratio to both ends of a bucket is the same, in seconds."""
    return float(_FIRST * GROWTH ** (bucket - 0.5)) if bucket else _FIRST

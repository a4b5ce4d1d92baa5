"""Limits on how often something may happen: moving windows in memory, for each network and each entry.

Guarantees that within any window no more is let through than the limit, and that memory stays bounded however many
networks take part in a flood: beyond a fixed number of remembered events the key unused longest is forgotten. Windows
are measured by the monotonic clock, so a corrected clock neither blocks anybody nor lets more through. Each publishing
host counts for itself.
"""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from appliance import clock

#: The most events that are remembered, over all keys. It takes about 20 MB.
_EVENTS: Final = 100_000


class Rates:
    """Counts events by key, and says whether another one is within its limit."""

    def __init__(self, most_events: int = _EVENTS, now: Callable[[], float] = clock.monotonic) -> None:
        self._most = most_events
        self._now = now
        self._lock = threading.Lock()
        #: The times of the last events by key, the key used longest ago first.
        self._times: OrderedDict[Hashable, list[float]] = OrderedDict()
        self._count = 0

    def take(self, key: Hashable, limit: int, seconds: float = 60.0) -> float:
        """Count an event if fewer than `limit` happened in the last `seconds`.

        Returns:
            0 if it was counted, and else the seconds until the next one will be.
        """
        with self._lock:
            now = self._now()
            times = self._times.setdefault(key, [])
            self._times.move_to_end(key)
            over = bisect.bisect_right(times, now - seconds)
            del times[:over]
            self._count -= over
            if len(times) >= limit:
                return max(0.001, times[-limit] + seconds - now)
            times.append(now)
            self._count += 1
            while self._count > self._most:
                self._count -= len(self._times.popitem(last=False)[1])
            return 0.0

    @property
    def size(self) -> int:
        """The number of events remembered."""
        return self._count

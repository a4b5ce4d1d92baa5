"""Values that are kept for some seconds, since many people look at the same ones all the time.

Guarantees that a value is made by one thread while the others wait for it, and that one which is dear is made seldom:
it is kept for a hundred times as long as it took, and so takes a hundredth of a core at most. But nobody is shown what
is older than a quarter of a minute because the machine is slow, since then people look.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from appliance import clock

Value = TypeVar("Value")

#: How many times as long as it took to make a value it is kept, and for how many seconds at most for that reason.
_SPARING: Final = 100
_LONGEST: Final = 15.0


class Kept(Generic[Value]):
    """Values by a key, each kept for at least some seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._values: dict[Hashable, tuple[float, Value]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Return the value of a key, made now unless it was lately."""
        with self._lock:
            begun = clock.monotonic()
            found = self._values.get(key)
            if found is not None and begun < found[0]:
                return found[1]
            value = make()
            now = clock.monotonic()
            self._values = {one: kept for one, kept in self._values.items() if kept[0] > now}
            self._values[key] = (now + max(self._seconds, min(_LONGEST, _SPARING * (now - begun))), value)
            return value

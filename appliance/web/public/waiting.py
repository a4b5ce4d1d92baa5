"""Which requests may wait until a front end shows a comment.

Guarantees that half of a worker's threads at least are free for requests that wait for nothing, however many readers
comment at once. A reader whose request may not wait is told that the comment is on its way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: The seconds that a request may wait, and those of one that may not but asks how things are.
_LONGEST: Final = 1.0
GLANCE: Final = 0.05


class WaitingSlots:
    """The threads of one worker that may wait at the same time."""

    def __init__(self, threads: int) -> None:
        self._slots = threading.BoundedSemaphore(threads // 2)

    @contextmanager
    def seconds(self, otherwise: float = 0.0) -> Iterator[float]:
        """The seconds that the request in the block may wait; `otherwise` if enough wait already."""
        if not self._slots.acquire(blocking=False):
            yield otherwise
            return
        try:
            yield _LONGEST
        finally:
            self._slots.release()

"""A limit on the processor time of code that may be slow, such as the lexers of Pygments.

Python checks for signals while it matches a regular expression, so a timer can end a match that would take hours.
Signals reach the main thread only. Code that runs in other threads has no limit and must check `can_limit_time` first.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from appliance.errors import TimeLimitExceeded


def can_limit_time() -> bool:
    """Whether `time_limit` works in this thread."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Stop the body when it has used this many seconds of processor time.

    Raises:
        TimeLimitExceeded: the body was stopped.
    """
    if not can_limit_time():
        yield
        return
    is_over = False

    def expire(_number: int, _frame: FrameType | None) -> None:
        if not is_over:
            raise TimeLimitExceeded

    before = signal.signal(signal.SIGVTALRM, expire)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)

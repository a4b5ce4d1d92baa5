"""Lengths of time as people read them, in pages and in the terminal."""

from __future__ import annotations

from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86_400


def relative(seconds: float) -> str:
    """Return a time relative to now: `3 min ago`, `in 2 h`, `now`."""
    if abs(seconds) < 1:
        return "now"
    return f"{duration(-seconds)} ago" if seconds < 0 else f"in {duration(seconds)}"


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units at most: `85 ms`, `4.2 s`, `3 min`, `2 h 5 min`, `12 d`."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < _MINUTE:
        return f"{int(seconds)} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min"
    if seconds < _DAY:
        hours, rest = divmod(int(seconds), _HOUR)
        return f"{hours} h {rest // _MINUTE} min" if rest >= _MINUTE else f"{hours} h"
    return f"{int(seconds // _DAY)} d"

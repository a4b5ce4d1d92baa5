"""Checks that work grows no faster than its input, by the same work on an input and on one several times as long.

Only ratios of processor time in one run are looked at, each the least of several tries, so that neither the machine nor
its other tenants matter.
"""

import gc
import time
from collections.abc import Callable

#: Times as long the second input is, and times as much work it may be; the square of the first would be 16.
FACTOR, ALLOWED = 4, 9.0
#: Seconds of work below which nothing is told from noise.
NOISE = 0.02


def spent(work: Callable[[str], object], text: str) -> float:
    """Return the seconds of processor time that the work takes, without garbage collection."""
    gc.disable()
    try:
        began = time.process_time()
        work(text)
        return time.process_time() - began
    finally:
        gc.enable()


def grows_too_fast(work: Callable[[str], object], made: Callable[[int], str], size: int) -> str:
    """Nothing, or what was measured on `made(size)` and on `made(FACTOR * size)`."""
    short, long = made(size), made(FACTOR * size)
    much = spent(work, long)
    if much < NOISE:
        return ""
    little = min(spent(work, short) for _ in range(3))
    for _ in range(8):
        if much <= ALLOWED * max(little, NOISE / FACTOR**2):
            return ""
        much = min(much, spent(work, long))
    if much <= ALLOWED * max(little, NOISE / FACTOR**2):
        return ""
    return f"{len(short):,} characters: {little:.4f} s, {len(long):,}: {much:.4f} s"


def repeated(before: str, piece: str, between: str, other: str, after: str) -> Callable[[int], str]:
    """Return a function that makes texts of a length by repeating two pieces, the shape of all known slow inputs."""

    def made(size: int) -> str:
        half = size // 2 if other else size
        second = other * (half // len(other)) if other else ""
        return before + piece * (half // len(piece)) + between + second + after

    return made

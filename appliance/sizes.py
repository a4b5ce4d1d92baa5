"""Numbers of bytes as people read them, in pages and in the terminal."""

from __future__ import annotations


def in_bytes(number: float) -> str:
    """Return a number of bytes in the unit that fits: `950 B`, `4.1 KiB`, `320 MiB`."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"

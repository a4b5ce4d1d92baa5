"""Processes that a test started and left running."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.demo.frontend import descendants


@contextmanager
def none_left() -> Iterator[None]:
    """Fail when the block leaves processes behind.

    Those of servers that ran before it are not its own: PostgreSQL starts one for itself whenever it sees fit.
    """
    before = set(descendants(os.getpid()))
    yield
    left = descendants(os.getpid(), but=before)
    assert left == [], [_command(pid) for pid in left]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return f"{pid}, gone since"

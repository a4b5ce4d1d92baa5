"""Two network namespaces with a link between them. Taking the link down is as silent as a lost host."""

from __future__ import annotations

import os
import subprocess
from types import TracebackType
from typing import Self

#: The addresses of the two ends.
HERE, THERE = "10.213.7.1", "10.213.7.2"


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def refusal() -> str | None:
    """Return why network namespaces cannot be made here; None if they can."""
    if os.geteuid() != 0:
        return "only root makes network namespaces"
    name = f"app-try-{os.getpid()}"
    try:
        _ip("netns", "add", name)
        _ip("netns", "del", name)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"network namespaces cannot be made here ({error})"
    return None


class Link:
    """The link and its two namespaces, `here` and `there`; a context manager."""

    def __init__(self) -> None:
        self.here, self.there = f"app-h-{os.getpid()}", f"app-t-{os.getpid()}"

    def __enter__(self) -> Self:
        for name in (self.here, self.there):
            _ip("netns", "add", name)
        _ip("-n", self.here, "link", "add", "e0", "type", "veth", "peer", "name", "e0", "netns", self.there)
        for name, address in ((self.here, HERE), (self.there, THERE)):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "e0")
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "link", "set", "e0", "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in (self.here, self.there):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def down(self) -> None:
        """Drop everything, without an answer to senders."""
        _ip("-n", self.here, "link", "set", "e0", "down")

    def up(self) -> None:
        """Let everything pass."""
        _ip("-n", self.here, "link", "set", "e0", "up")

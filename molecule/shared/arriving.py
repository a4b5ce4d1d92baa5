"""What an editor does on a publishing host, and when readers of the front ends see it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from operating import Cluster
from reading import Answer, await_everywhere


def arrives(
    cluster: Cluster,
    what: str,
    words: tuple[str, ...],
    path: str,
    seen: Callable[[Answer], bool],
    *,
    on: Mapping[str, str] | None = None,
) -> None:
    """Run a task of the appliance on the first publishing host, and wait until readers see what it did.

    Says how long that took, from when the command was given; most of it is the command itself.

    Args:
        what: what an editor would call it.
        words: the task.
        path: the page that shows it.
        seen: whether an answer shows it.
        on: the front ends that have to show it, with their addresses; all in service when not given.
    """
    began = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(lambda: (cluster.appliance(cluster.publishers[0], *words), time.monotonic())[1])
        arrived = await_everywhere(cluster.served() if on is None else on, path, seen)
        command = done.result()
    print(f"\n{what}: there {1000 * (arrived - began):.0f} ms after its command was given, which took "
          f"{1000 * (command - began):.0f} ms", end="")  # fmt: skip

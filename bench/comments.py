"""Ten thousand comments on one entry: how fast they are taken, and how often their page is built.

    ./inv bench comments [-- --comments 10000 --writers 2 --only sqlite]

Two processes take comments one by one, each in a transaction of its own that also asks for the site to be planned. A
daemon with two workers plans and publishes meanwhile. PostgreSQL runs once as a server runs usually, and once without
waiting for its disk.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from appliance import config
from bench import queue
from bench.commenting import machine
from bench.queueing import burst
from tests import postgresql


def run(fresh: Callable[[], config.Config], comments: int, writers: int) -> bool:
    """Measure on a new installation and print the figures; returns whether the last build showed the last comment."""
    with queue.opened(fresh()) as made, machine.watched():
        came = burst.burst(made, number=comments, writers=writers)
    print(f"  {came}\n  {came.comments / came.seconds:,.0f} comments/s", flush=True)
    return came.shown == came.comments


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--comments", type=int, default=10_000)
    parser.add_argument("--writers", type=int, default=2)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    home.chmod(0o755)  # the server of PostgreSQL runs as another account
    print(machine.describe())
    kept = True
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, home, ignore_errors=True)
        databases: dict[str, Callable[[], config.Config]] = {"SQLite": lambda: queue.settings(home, None)}
        if postgresql.installed() and options.only != "sqlite":
            for name, durable in (("PostgreSQL", True), ("PostgreSQL, not durable", False)):
                server = ending.enter_context(postgresql.Server(durable=durable, folder=home))
                databases[name] = lambda server=server: queue.settings(home, server.fresh())  # type: ignore[misc]
        for name, fresh in databases.items():
            if options.only is None or name.lower().startswith(options.only):
                print(f"{name}:", flush=True)
                kept = run(fresh, options.comments, options.writers) and kept
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()

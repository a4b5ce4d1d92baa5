"""Ten thousand comments on one entry: how fast they are taken, and how often their page is built.

    ./inv bench comments [-- --comments 10000 --writers 2 --only sqlite]

Two processes take comments, as the intakes of two hosts do: 64 in a transaction, and for comparison one in each. A
daemon with two workers plans and publishes meanwhile. PostgreSQL runs once as a server usually does, and once without
waiting for its disk.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from appliance import config
from bench import queue
from bench.commenting import machine
from bench.queueing import burst
from tests import postgresql

#: Comments of a transaction: as the intake takes those that wait, and one by one.
BATCHES = (64, 1)


def settings(home: Path, database: str | None) -> config.Config:
    """An installation of one site that accepts every comment, below a new folder in `home`."""
    made = queue.settings(home, database)
    site = {**made.sites[0].model_dump(include={"name", "title", "url"}), "comments": {"moderation": "none"}}
    chosen = {"database": database} if database else {}
    return config.validate({"docroot": str(made.docroot), "sites": [site], **chosen}, made.path)


def run(fresh: Callable[[], config.Config], comments: int, writers: int, batches: Sequence[int]) -> bool:
    """Measure on new installations and print the figures; returns whether the last builds showed the last comments."""
    kept = True
    for batch in batches:
        with queue.opened(fresh()) as made, machine.watched():
            came = burst.burst(made, number=comments, writers=writers, batch=batch)
        print(f"  {batch} in a transaction: {came} ({came.comments / came.seconds:,.0f} comments/s)", flush=True)
        kept = kept and came.shown == came.comments
    return kept


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--comments", type=int, default=10_000)
    parser.add_argument("--writers", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="comments of a transaction")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    home.chmod(0o755)  # the server of PostgreSQL runs as another account
    print(machine.describe())
    kept = True
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, home, ignore_errors=True)
        databases: dict[str, Callable[[], config.Config]] = {"SQLite": lambda: settings(home, None)}
        if postgresql.installed() and options.only != "sqlite":
            for name, durable in (("PostgreSQL", True), ("PostgreSQL, not durable", False)):
                server = ending.enter_context(postgresql.Server(durable=durable, folder=home))
                databases[name] = lambda server=server: settings(home, server.fresh())  # type: ignore[misc]
        for name, fresh in databases.items():
            if options.only is None or name.lower().startswith(options.only):
                print(f"{name}:", flush=True)
                kept = run(fresh, options.comments, options.writers, options.batches) and kept
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()

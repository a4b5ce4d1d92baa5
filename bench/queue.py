"""What the queue promises under contention, and how fast it is, on SQLite and on PostgreSQL, beside other queues.

    ./inv bench queue [-- --seconds 60 --jobs 20000 --comments 10000 --peers --only sqlite]

PostgreSQL is a server of its own, with its usual durability, in the same folder as the SQLite file.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from appliance import clock, config, db
from bench.queueing import burst, contention, figures, peers
from tests import postgresql

BATCHES, PROCESSES = (50, 500), (1, 2)


def settings(home: Path, database: str | None) -> config.Config:
    """An installation of one site below a new folder in `home`."""
    place = Path(tempfile.mkdtemp(prefix="one-", dir=home))
    site = {"name": "bench", "title": "Bench", "url": "https://bench.example/"}
    chosen = {"database": database} if database else {}
    return config.validate({"docroot": str(place / "www"), "sites": [site], **chosen}, place / "appliance.toml")


@contextmanager
def opened(made: config.Config) -> Iterator[config.Config]:
    """An installation, its tables made."""
    connection = db.connect(made)
    try:
        yield made
    finally:
        connection.close()


def promises(name: str, fresh: Callable[[], config.Config], options: argparse.Namespace) -> bool:
    """Contention and the burst of comments; returns whether all was as promised."""
    with opened(fresh()) as made:
        verdict = contention.contend(made, seconds=options.seconds)
    print(f"{name}: 8 workers and 4 who ask for {options.seconds:.0f} s: {verdict}")
    for fault in verdict.faults:
        print(f"{name}: BROKEN: {fault}")
    print(
        f"{name}: no job claimed by two, no trigger lost" if not verdict.faults else f"{name}: promises broken",
        flush=True,
    )
    if not options.comments:
        return not verdict.faults
    with opened(fresh()) as made:
        came = burst.burst(made, number=options.comments)
    print(f"{name}: {came}", flush=True)
    return not verdict.faults and came.shown == options.comments


def speed(name: str, fresh: Callable[[], config.Config], options: argparse.Namespace) -> tuple[str, str, str]:
    """Throughput, latency and idling, one line each; returns the row for the table."""
    best = 0.0
    with opened(fresh()) as made:
        for batch in BATCHES:
            for processes in PROCESSES:
                rate = figures.throughput(made, jobs=options.jobs, batch=batch, processes=processes)
                best = max(best, rate)
                print(
                    f"{name}: claim and finish, batches of {batch}, {processes} processes: {rate:,.0f} jobs/s",
                    flush=True,
                )
        wait = figures.latency(made, samples=options.samples)
        print(f"{name}: from asking to start, median / 95 %: {wait}", flush=True)
        print(
            f"{name}: a waiting worker takes {figures.idle(made, seconds=options.idle):.2f} % of a processor",
            flush=True,
        )
    return f"appliance ({name})", f"{best:,.0f}", f"{wait} of {options.samples}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="how long there is contention; 0 for none")
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--idle", type=float, default=10, help="seconds for which a waiting worker is watched")
    parser.add_argument("--comments", type=int, default=10_000, help="comments of the burst; 0 for none")
    parser.add_argument(
        "--peers", action="store_true", help="install other queues into a temporary folder, and measure"
    )
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    home.chmod(0o755)  # the server of PostgreSQL runs as another account
    print(
        f"{os.cpu_count()} cores, {platform.platform(terse=True)}, Python {platform.python_version()},"
        f" {clock.to_datetime(clock.now()):%Y-%m-%d}"
    )
    kept, rows = True, list[tuple[str, str, str]]()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        databases: dict[str, Callable[[], config.Config]] = {"SQLite": lambda: settings(home, None)}
        if postgresql.installed():
            server = stack.enter_context(postgresql.Server(durable=True, folder=home))
            databases["PostgreSQL"] = lambda: settings(home, server.fresh())
        for name, fresh in databases.items():
            if options.only in (None, name.lower()):
                kept = (not options.seconds or promises(name, fresh, options)) and kept
                rows.append(speed(name, fresh, options))
        if options.peers:
            url = server.fresh() if postgresql.installed() else ""
            rows += peers.measure(home, url, jobs=min(2000, options.jobs), samples=min(50, options.samples))
    print()
    for row in [("queue (kept in)", "jobs/s", "from asking to start, median / 95 %"), *rows]:
        print(f"{row[0]:<28} {row[1]:>10}   {row[2]}")
    sys.exit(0 if kept else 1)


if __name__ == "__main__":
    main()

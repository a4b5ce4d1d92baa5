"""What a running installation does all day, with 10,000, 100,000 and 1,000,000 jobs, publications and entries.

    ./inv bench growth [-- --rows 10000 100000 1000000 --rounds 7 --only sqlite --folder /var/tmp]

Each is rolled back after it was timed. Given are the median milliseconds with the least and the greatest, of processor
time on SQLite and of elapsed time on PostgreSQL, whose server takes time of its own; the ratio of the largest to the
smallest installation; and how many rows a second of processor time pruning removes. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

from appliance import audit, config, db, logging, status
from appliance.audit import AuditFilter
from appliance.content.models import Site
from appliance.delivery import journal
from appliance.delivery.journal import Put
from appliance.queue import administration, pruning, store, totals
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.search.query import find
from bench.administration.installation import settings
from tests import growth, postgresql
from tests.delivery.test_growth import QUERIES
from tests.query_plans import filled
from tests.queue.test_growth import LOOKS

#: Of what the tests of growth look at, what is done every second or while a person waits.
_LOOKS: Final = (
    "rescue", "failures", "outstanding", "next_due", "unknown kinds", "list", "list by path", "why", "page",
    "page of a site", "page of the cancelled", "counts", "prune",
)  # fmt: skip
_QUERIES: Final = ("newest", "latest_after", "latest_through", "backlogs", "state", "send plan", "files", "origins")


def _claim_and_complete() -> None:
    claims = store.claim("here:1", ["publish"], 50, 60.0)
    journal.append([Put(claim.key, 4_000_000_000, "d", 1) for claim in claims], "here")
    store.complete(dict.fromkeys(claims, "changed"))


def _enqueue() -> None:
    enqueue("publish", [JobRequest(f"new/{number}") for number in range(50)], ageing=60.0)


def flows(made: config.Config) -> dict[str, Callable[[], Any]]:
    """What is timed, by its name."""
    site = Site.get(name="blog")
    return {
        "enqueue 50": _enqueue,
        "claim, journal and complete 50": _claim_and_complete,
        **{f"queue: {name}": LOOKS[name] for name in _LOOKS},
        **{f"journal: {name}": QUERIES[name] for name in _QUERIES},
        "status": lambda: status.read_status(made),
        "count by state": store.count_by_state,
        "totals of the overview": totals.read,
        "search": lambda: find(site, "harbour7"),
        "audit": lambda: audit.list_audit(AuditFilter(actor="user1")),
        "show a job": lambda: administration.show(1001),
    }


def timed(clock: Callable[[], float], body: Callable[[], Any], rounds: int) -> tuple[float, float, float]:
    """The median, least and greatest milliseconds of some rounds, after one that does not count."""
    taken = []
    for _ in range(rounds + 1):

        def once() -> None:
            began = clock()
            body()
            taken.append((clock() - began) * 1000)

        growth.undone(once)
    return statistics.median(taken[1:]), min(taken[1:]), max(taken[1:])


def prune_rates(clock: Callable[[], float]) -> dict[str, float]:
    """Rows a second that the pruning of finished jobs and of superseded publications removes. They are gone then."""
    rates = {}
    last = journal.newest("here")
    bodies = {"jobs": lambda: pruning.prune(0.0), "publications": lambda: journal.prune({"here": last, "there": last})}
    for what, body in bodies.items():
        began = clock()
        rates[what] = body() / max(clock() - began, 1e-6)
    return rates


@contextmanager
def filled_with(made: config.Config, rows: int) -> Iterator[None]:
    """An installation with so many rows, open."""
    with closing(db.connect(made)):
        filled.fill(rows)
        yield


def measure(name: str, homes: Iterator[config.Config], options: argparse.Namespace) -> dict[str, Any]:
    """Measure one database at each size, and print a table."""
    clock = time.process_time if name == "SQLite" else time.perf_counter
    found: dict[int, dict[str, tuple[float, float, float]]] = {}
    rates: dict[int, dict[str, float]] = {}
    for rows, made in zip(options.rows, homes, strict=False):
        with filled_with(made, rows):
            found[rows] = {what: timed(clock, body, options.rounds) for what, body in flows(made).items()}
            rates[rows] = prune_rates(clock)
        shutil.rmtree(made.docroot.parent, ignore_errors=True)
    first, last = options.rows[0], options.rows[-1]
    print(f"\n| {name}, ms | {' | '.join(f'{rows:,}' for rows in found)} | ratio |")
    print("|---|" + "---|" * (len(found) + 1))
    for what in found[first]:
        cells = [f"{one[what][0]:.2f} ({one[what][1]:.2f} to {one[what][2]:.2f})" for one in found.values()]
        ratio = found[last][what][0] / max(found[first][what][0], 1e-9)
        print(f"| {what} | {' | '.join(cells)} | {ratio:.1f} |")
    for what in rates[first]:
        print(f"| pruned {what}, rows/s | {' | '.join(f'{one[what]:,.0f}' for one in rates.values())} | |")
    return {"milliseconds": found, "pruned rows/s": rates}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    logging.configure()
    print(f"{platform.machine()}, Python {sys.version.split()[0]}, {options.rounds} rounds")
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    home.chmod(0o755)  # the server of PostgreSQL runs as another account
    results = {}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        if options.only in (None, "sqlite"):
            results["SQLite"] = measure("SQLite", (settings(home, None) for _ in options.rows), options)
        if options.only in (None, "postgresql") and postgresql.installed():
            server = stack.enter_context(postgresql.Server(durable=True, folder=home))
            homes = (settings(home, server.fresh()) for _ in options.rows)
            results["PostgreSQL"] = measure("PostgreSQL", homes, options)
    print(json.dumps(results))


if __name__ == "__main__":
    main()

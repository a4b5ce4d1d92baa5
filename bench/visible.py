"""From sending a comment until the front end that the reader came from shows it, on SQLite and PostgreSQL.

    ./inv bench visible [-- --posts 30 --together 10 --fronts 2 --only sqlite --peer]

All of it is real: `work` with intake, web process, workers and couriers, and front ends with nginx, sshd and rsync. The
time is that from sending the form through a front end's nginx until the reader, led to the page by the answer, has the
page with the comment in it. With `--peer` the same with Isso, from its POST until its comments have been fetched.
"""

from __future__ import annotations

import argparse
import itertools
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from appliance import clock
from bench.commenting import machine, timeline
from bench.commenting.isso import Isso
from bench.commenting.timeline import Seen
from bench.queueing.figures import Latency
from tests import postgresql
from tests.web_stack import WebStack, web_stack

#: Comments before those that count.
_FIRST = 5
#: Seconds between two comments that come one after another.
_PAUSE = (0.2, 0.3)

#: Gets ready to comment on a page, and returns what sends the comment and sees it.
Reader = Callable[[str], Callable[[], Seen]]
_numbers = itertools.count(1)


def one_after_another(reader: Reader, page: str, posts: int, report: Callable[[Seen], None]) -> list[Seen]:
    """Comments on one page, each sent once nothing is under way; `report` is told of each."""
    found = []
    for number in range(_FIRST + posts):
        clock.sleep(random.uniform(*_PAUSE))
        seen = reader(page)()
        if number >= _FIRST:
            found.append(seen)
            report(seen)
    return found


def at_once(reader: Reader, pages: Sequence[str], posts: int) -> list[Seen]:
    """One comment on each of `pages`, all sent at the same moment, again and again until there are so many."""
    found: list[Seen] = []
    with ThreadPoolExecutor(len(pages)) as readers:
        while len(found) < posts:
            clock.sleep(random.uniform(*_PAUSE))
            ready = [reader(page) for page in pages]
            found += [one.result() for one in [readers.submit(send) for send in ready]]
    return found


def measure(
    reader: Reader, pages: Sequence[str], posts: int, together: int, report: Callable[[Seen], None]
) -> dict[str, list[Seen]]:
    """Comments as they were seen, by how they came."""
    return {
        "one after another": one_after_another(reader, pages[0], posts, report),
        f"{together} at once on one page": at_once(reader, pages[1:2] * together, posts),
        f"{together} at once on as many pages": at_once(reader, pages[2 : 2 + together], posts),
    }


def ours(folder: Path, database: str, posts: int, together: int, fronts: int) -> dict[str, list[Seen]]:
    """Measure this product, and print where the time goes."""
    pages, steps = _pages(together), list[timeline.Steps]()
    with web_stack(folder, database, fronts=fronts, slugs=pages) as stack, machine.watched():
        found = measure(
            partial(ready, stack), pages, posts, together,
            lambda seen: steps.append(timeline.steps(stack, pages[0], seen)),
        )  # fmt: skip
    print(f"  medians in ms, one after another: {timeline.medians(steps)}")
    return found


def peer(folder: Path, posts: int, together: int) -> dict[str, list[Seen]]:
    """Measure Isso.

    Raises:
        subprocess.CalledProcessError: it cannot be installed.
    """
    with Isso(folder) as isso, machine.watched():
        return measure(
            lambda page: partial(isso.send_and_see, f"/{page}/", _text()), _pages(together), posts, together,
            lambda _seen: None,
        )  # fmt: skip


def latency(found: Sequence[Seen]) -> Latency:
    """Median and 95th percentile."""
    return Latency.of([seen.seconds for seen in found])


def ready(stack: WebStack, page: str) -> Callable[[], Seen]:
    """Open a form of this product; returns what sends it."""
    return partial(timeline.send_and_see, stack, page, stack.token(page), _text())


def _pages(together: int) -> list[str]:
    return [f"post-{number}" for number in range(2 + together)]


def _text() -> str:
    return f"Comment number {next(_numbers)}, which says something."


def _print(found: dict[str, list[Seen]]) -> None:
    for name, seen in found.items():
        by_first = sum(one.at_once for one in seen)
        print(f"  {name}: {latency(seen)} of {len(seen)}, {by_first} of them led to the page by the first answer")
    print(flush=True)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", type=int, default=30)
    parser.add_argument("--together", type=int, default=10)
    parser.add_argument("--fronts", type=int, default=2)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--peer", action="store_true", help="install Isso into a temporary folder, and measure it too")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    home.chmod(0o755)  # the server of PostgreSQL runs as another account
    print(machine.describe())
    with ExitStack() as ending:
        ending.callback(shutil.rmtree, home, ignore_errors=True)
        databases: dict[str, Callable[[], str]] = {"SQLite": str}
        if postgresql.installed() and options.only != "sqlite":
            databases["PostgreSQL"] = ending.enter_context(postgresql.Server(durable=True, folder=home)).fresh
        for name, fresh in databases.items():
            if options.only in (None, name.lower()):
                print(f"{name}, {options.fronts} front ends, from sending to seeing, median / 95 %:", flush=True)
                (home / name).mkdir()
                _print(ours(home / name, fresh(), options.posts, options.together, options.fronts))
        if options.peer:
            print("Isso (SQLite), no front end, its own server:", flush=True)
            try:
                _print(peer(home, options.posts, options.together))
            except subprocess.CalledProcessError as error:
                print(f"  could not be installed: {str(error.stderr).strip().splitlines()[-1]}")


if __name__ == "__main__":
    main()

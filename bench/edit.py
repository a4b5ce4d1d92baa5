"""How fast one change is published on sites of different sizes, and how many files it writes.

    ./inv bench edit [--posts 1000 10000 100000] [--edits 20] [--folder /dev/shm]

A site of generated posts is published first. Then, with workers waiting as on a publishing host, each kind of change is
made again and again. The time is that from the commit of the change until everything it touches stands in the docroot.
On small sites every file of the docroot is compared before and after, so that what was written is what differs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from appliance import clock, config, db, publishing, running
from appliance.content import comments, entries, entry_edits
from appliance.content.models import Entry, Site
from appliance.installation import open_installation
from appliance.queue import store
from bench import many_posts, rebuild
from tests.local_site import tree

_PATIENCE: Final = 120.0
#: Changes of each kind before the ones that count, so that pages know what they showed and caches are filled.
_WARM: Final = 3
#: The largest site, in posts, of which all files are compared before and after.
_COMPARED: Final = 2000
_YEAR: Final = 365 * 86_400


@dataclass
class Kind:
    """What was measured of one kind of change on one site. Times are in milliseconds."""

    kind: str
    posts: int
    total: list[float] = field(default_factory=list)
    planning: list[float] = field(default_factory=list)
    #: Processor time of planning.
    processor: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Of the time until everything stands in the docroot."""
        return statistics.median(self.total)

    def __str__(self) -> str:
        """One line of the table."""
        times = f"{self.median:>8.0f} {min(self.total):>8.0f} {max(self.total):>8.0f}"
        planned = f"{statistics.median(self.planning):>9.1f} {statistics.median(self.processor):>10.1f}"
        return f"{self.posts:>9,}  {self.kind:<12} {times} {planned} {min(self.files):>6} to {max(self.files):<5}"


_HEADING: Final = (
    f"{'posts':>9}  {'change':<12} {'median':>8} {'min':>8} {'max':>8} {'planning':>9} {'processor':>10}  files written"
)


class Changes:
    """The kinds of change, each on posts of its own that are the same in every run."""

    def __init__(self, posts: int) -> None:
        self._site = Site.get()
        self._chance = random.Random(posts)
        self._posts = posts

    def kinds(self) -> dict[str, Callable[[int], None]]:
        """Each kind by its name. A kind is called with the number of the change."""
        newest = Entry.select().order_by(Entry.published_at.desc(), Entry.id.desc()).first()
        old = Entry.get_by_id(max(1, self._posts // 3))

        def edit(number: int) -> None:
            text = f"Sentence {number}. {newest.text}"
            entry_edits.edit(newest, title=f"Edited {number}", text=text, modified_at=newest.published_at + number)

        def comment(number: int) -> None:
            comments.add(newest, "Reader", f"Comment {number}")

        def new(number: int) -> None:
            given = {"text": old.text, "categories": ["Maps", "Tools"], "tags": ["repair"], "authors": ["Ada Okafor"]}
            at = int(db.now()) - 3600 + number
            entry_edits.add(self._site, f"Something new {number}", status="published", published_at=at, **given)

        def redate(number: int) -> None:
            entry_edits.edit(old, published_at=old.published_at + (_YEAR if number % 2 else -_YEAR))

        def delete(_number: int) -> None:
            entries.delete(self._any())

        return {"edit": edit, "comment": comment, "new entry": new, "changed date": redate, "deletion": delete}

    def _any(self) -> Entry:
        """Some entry, neither among the newest nor among the oldest."""
        while True:
            found = Entry.get_or_none(Entry.id == self._chance.randrange(self._posts // 10, self._posts // 10 * 9))
            if found is not None:
                return found


def work(home: Path, workers: int) -> None:
    """Workers that wait for work, until told to stop."""
    made = rebuild.settings(home)
    with open_installation(made):
        running.work(made, workers=workers)


def first(home: Path, workers: int) -> None:
    """Publish everything."""
    made = rebuild.settings(home)
    with open_installation(made):
        plan = publishing.publish(made)[0]
        drained = running.drain(made, workers=workers)
        if drained.failed or plan.faults:
            sys.exit(f"failed: {(drained.failed or plan.faults)[0]}")


def settle() -> None:
    """Wait until nothing is on the queue."""
    began = clock.monotonic()
    while store.count_unfinished():
        if clock.monotonic() - began > _PATIENCE:
            sys.exit("the queue does not empty")
        clock.sleep(0.0005)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _written_since(publication: int) -> list[str]:
    rows = db.execute("SELECT path FROM publication WHERE id > ?", [publication]).fetchall()
    return [path for (path,) in rows]


def _newest() -> int:
    return int(db.execute("SELECT COALESCE(MAX(id), 0) FROM publication").fetchone()[0])


def measure(made: config.Config, posts: int, edits: int) -> list[Kind]:
    """Make each kind of change, and see what it took."""
    found = []
    for name, change in Changes(posts).kinds().items():
        seen = Kind(name, posts)
        for number in range(edits + _WARM):
            compared = posts <= _COMPARED and number == _WARM
            before, docroot = _newest(), tree(Path(made.docroot)) if compared else {}
            change(number)
            began, processor = clock.monotonic(), _processor()
            publishing.publish(made)
            planned, used = clock.monotonic(), _processor() - processor
            settle()
            ended, written = clock.monotonic(), _written_since(before)
            if compared:
                _compare(name, written, docroot, tree(Path(made.docroot)))
            if number >= _WARM:
                seen.total.append(1000 * (ended - began))
                seen.planning.append(1000 * (planned - began))
                seen.processor.append(1000 * used)
                seen.files.append(len(written))
        print(seen, flush=True)
        found.append(seen)
    return found


def _compare(name: str, written: Sequence[str], before: dict[str, bytes], after: dict[str, bytes]) -> None:
    differ = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    if set(written) != differ:
        sys.exit(f"{name}: {len(written)} files were written or deleted, and {len(differ)} differ")


def _run_apart(target: Callable[..., None], *arguments: object) -> None:
    """Run a step in a process of its own, so that what it took is no part of what measuring takes."""
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)


def run(posts: int, edits: int, folder: Path, workers: int) -> list[Kind]:
    """Make a site, publish it, measure."""
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=folder))
    try:
        _run_apart(many_posts.fill, home, posts)
        _run_apart(first, home, workers)
        crew = multiprocessing.get_context("fork").Process(target=work, args=(home, workers))
        crew.start()
        try:
            made = rebuild.settings(home)
            with open_installation(made):
                return measure(made, posts, edits)
        finally:
            if crew.pid:
                os.kill(crew.pid, signal.SIGTERM)
            crew.join(20)
    finally:
        shutil.rmtree(home)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--edits", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    options = parser.parse_args()
    print(f"{options.workers} workers, {os.cpu_count()} cores, Python {sys.version.split()[0]}; times in ms")
    print(_HEADING, flush=True)
    found = [run(posts, options.edits, options.folder, options.workers) for posts in options.posts]
    for kinds in found[1:]:
        for small, large in zip(found[0], kinds, strict=True):
            ratio = large.median / small.median
            print(f"{large.kind} on {large.posts:,} posts: {ratio:.2f} times that on {small.posts:,}")
    print(json.dumps({"bench": "edit", "found": [asdict(kind) for kinds in found for kind in kinds]}))


if __name__ == "__main__":
    main()

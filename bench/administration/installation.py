"""A large installation for benchmarks of the admin application, and what an answer of it costs."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from appliance import clock, config, db
from appliance.actor import Actor, acting
from appliance.delivery.targets import courier_targets

_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) "
_FILL = {
    "entries": """
INSERT INTO entry (site_id, kind, status, title, slug, folder, published_at, modified_at, day, week, format, text, html,
    excerpt, summary, late_bound, allow_comments, extra)
{numbers} SELECT 1, CASE WHEN i % 50 = 0 THEN 'page' ELSE 'entry' END,
    CASE WHEN i % 20 = 0 THEN 'draft' ELSE 'published' END, 'Title ' || i, 'slug-' || i, '', 1500000000 + i * 600,
    1500000000 + i * 600, '2026-01-01', '2026-01-01', 'markdown', 'The text of entry ' || i, '<p>The text</p>', '', '',
    false, true, '{{}}' FROM n""",
    "comments": """
INSERT INTO comment (entry_id, status, created_at, author_name, author_email, author_url, text, html)
{numbers} SELECT i, CASE WHEN i % 100 = 0 THEN 'pending' WHEN i % 7 = 0 THEN 'spam' ELSE 'approved' END,
    1500000000 + i * 600, 'Reader ' || i, 'reader@example.org', '', 'A comment', '<p>A comment</p>' FROM n""",
    "assets": """
INSERT INTO asset (site_id, path, digest, size, media_type, entry_id)
{numbers} SELECT 1, 'pictures/' || i || '.png', 'd', 1000, 'image/png', i FROM n""",
    "tags": "INSERT INTO tag (site_id, name, slug) {numbers} SELECT 1, 'Tag ' || i, 'tag-' || i FROM n",
    "tags of entries": """
INSERT INTO entry_tag (entry_id, tag_id, position) {numbers} SELECT i, 1 + i % {tags}, 0 FROM n""",
    "jobs": """
INSERT INTO job (kind, key, scope, priority, rank, state, outcome, every, run_at, created_at, finished_at, worker,
    attempt, failures, triggers, reason, answer, error_class, error_message)
{numbers} SELECT 'publish', 'posts/' || i || '/index.html', 'blog', 10, i,
    CASE WHEN i % 100 = 0 THEN 'failed' WHEN i % 10 = 0 THEN 'pending' ELSE 'done' END, 'changed', 0, i, i, i, 'h:1',
    1, 0, 1, 'entry edited', 'added', CASE WHEN i % 100 = 0 THEN 'BuildError' END, NULL FROM n""",
}
#: What a dashboard looks at as well, for the artifacts that the jobs are of.
_FILL_CLUSTER = {
    "artifacts": """
INSERT INTO artifact (site_id, path, type, template, subject, period, page, per_page, is_permalink, priority, every,
    wanted, plan, digest, size, version, build, marked, built)
{numbers} SELECT 1, 'posts/' || i || '/index.html', 'entry', CASE WHEN i % 3 = 0 THEN 'page.html' ELSE 'entry.html' END,
    i, '', 1, 0, true, 10, 0, true, 1, 'd', 12000, 1500000000 + i, 'queue', 1, 1 FROM n""",
    "publications": """
INSERT INTO publication (path, op, version, digest, size, origin, at, latest)
{numbers} SELECT 'posts/' || i || '/index.html', 'put', 1500000000 + i, 'd', 12000, 'pub' || (1 + i % 2),
    {now} - 9000 + i * 0.008, true FROM n""",
    "errors": """
UPDATE job SET error_class = CASE WHEN id % 200 = 0 THEN 'TemplateError' ELSE 'BuildError' END,
    error_message = 'archive.html, line ' || (id % 700) / 100 || ': there is no attribute “readingtime”'
WHERE state = 'failed'""",
    "times": """
UPDATE job SET created_at = {now} - 90000 + id * 0.08, run_at = {now} - 90000 + id * 0.08,
    claimed_at = {now} - 90000 + id * 0.08,
    finished_at = CASE WHEN state = 'pending' THEN NULL ELSE {now} - 89999 + id * 0.08 END""",
}


#: The lag of a target in each minute of two days.
_LAG_SAMPLES = """
INSERT INTO lag_sample (target, at, lag, waiting, paused, failing)
{numbers} SELECT ?, ? - i * 60, i % 90, i % 90, ?, ? FROM n"""


def settings(home: Path, database: str | None, targets: int = 2) -> config.Config:
    """Return the settings of one site with some front ends."""
    place = Path(tempfile.mkdtemp(prefix="one-", dir=home))
    site = {"name": "blog", "title": "Blog", "url": "https://bench.example/"}
    fronts = [
        {"name": f"front{n}", "address": str(place / f"front{n}"), "other_path": True} for n in range(1, targets + 1)
    ]
    raw = {
        "docroot": str(place / "www"),
        "sites": [site],
        "targets": fronts,
        "admin": {"url": "https://a.example/", "second_factor": []},
    }
    return config.validate({**raw, **({"database": database} if database else {})}, place / "appliance.toml")


def fill(entries: int, jobs: int) -> None:
    """Write the rows of content and of the queue, and what every database learns of them by itself in time."""
    many = {"tags": entries // 20, "jobs": jobs}
    for what, statement in _FILL.items():
        with db.write():
            numbers = _NUMBERS.format(last=many.get(what, entries))
            db.execute(statement.format(numbers=numbers, tags=many["tags"]))
    with acting(Actor("bench", "python")), db.write():
        from appliance import audit

        for number in range(2000):
            audit.record("entry.edit", "entry", number % 50, site="blog", label=f"Title {number}")
    db.analyze()
    db.execute("ANALYZE")


def fill_cluster(made: config.Config, jobs: int) -> None:
    """Write the rows of artifacts and publications of so many jobs, and how far the targets are: one is behind."""
    for statement in _FILL_CLUSTER.values():
        with db.write():
            db.execute(
                statement.format(numbers=_NUMBERS.format(last=jobs), now=f"CAST({db.now()} AS DOUBLE PRECISION)")
            )
    row = (
        "INSERT INTO cursor (target, origin, address, publication, confirmed_at, pushed_at, files, bytes, seconds,"
        " error, failures) VALUES (?, ?, ?, ?, ?, ?, 10, 120000, 0.1, ?, 0)"
    )
    names = [target.name for target in courier_targets(made)]
    with db.write():
        for name in names:
            db.execute(_LAG_SAMPLES.format(numbers=_NUMBERS.format(last=2880)), [name, db.now(), False, False])
        for number, target in enumerate(courier_targets(made)):
            for origin in ("pub1", "pub2"):
                last = jobs // 2 if number == 0 else jobs
                error = "nothing listens on its ssh port" if number == 0 else None
                db.execute(row, [target.name, origin, target.address, last, db.now(), db.now(), error])
    db.analyze()
    db.execute("ANALYZE")


def backend_seconds() -> float:
    """The processor time that the server's process of this connection has taken; 0 for SQLite, which has none."""
    if "Postgres" not in type(db.backend()).__name__:
        return 0.0
    (pid,) = db.execute("SELECT pg_backend_pid()").fetchone()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(ask: Callable[[str], object], path: str, rounds: int) -> tuple[float, float]:
    """The median milliseconds of some requests, and their processor time, after one that does not count.

    The server counts in hundredths of a second, so its share is a mean.
    """
    ask(path)
    elapsed, spent, server = [], [], backend_seconds()
    for _ in range(rounds):
        began, used = clock.monotonic(), time.process_time()
        ask(path)
        elapsed.append((clock.monotonic() - began) * 1000)
        spent.append((time.process_time() - used) * 1000)
    share = (backend_seconds() - server) * 1000 / rounds
    return statistics.median(elapsed), statistics.median(spent) + share

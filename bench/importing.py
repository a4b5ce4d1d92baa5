"""What importing a folder of Markdown costs: the first time, again with nothing changed, and with one file changed.

    ./inv bench importing [-- --posts 10000 100000 --only sqlite --folder /dev/shm]

Generated posts (`content.py`) lie in a folder on tmpfs. Each import is a process of its own, so that its processor time
and its memory are those of the import alone. Beside them stands what rendering the same texts costs by itself:
comrak alone, and all that `content.markup` does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

from appliance import clock, config, db
from appliance.content import markup
from appliance.importing.formats import import_content
from appliance.importing.markdown import importer
from appliance.installation import open_installation
from bench import content as generated
from bench.queue import settings
from tests import postgresql

#: Posts that are rendered alone, to see what Markdown itself costs.
_SAMPLE = 1000
_PATIENCE = 3600.0
#: The parts of an import by what does them; all else is counted as the rest.
_PARTS: dict[str, tuple[object, str]] = {
    "scan": (importer.Scan, "run"),
    "claims": (importer.AddressClaims, "settle"),
    "ids": (importer._Import, "_reserve_ids"),
    "texts": (importer._Import, "_save_changed"),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one import took: seconds, and MiB of the importing process and of the largest of its children."""

    outcome: str
    elapsed: float
    processor: float
    children: float
    peak: float
    child_peak: float
    statements: int
    #: Seconds of the longest write transaction.
    longest_write: float
    #: Processor seconds of the importing process by part.
    parts: dict[str, float]


def measure(made: config.Config, folder: Path, answer: Connection) -> None:
    """Import once and send the cost."""
    parts: dict[str, float] = {}
    with ExitStack() as stack:
        stack.enter_context(open_installation(made))
        for name, (owner, attribute) in _PARTS.items():
            stack.enter_context(patch.object(owner, attribute, _timed(getattr(owner, attribute), name, parts)))
        sent, writes = _watched(stack)
        began, processor = clock.monotonic(), _processor(resource.RUSAGE_SELF)
        report = import_content(made, "bench", folder)
        elapsed, own = clock.monotonic() - began, _processor(resource.RUSAGE_SELF) - processor
    kinds = ", ".join(f"{count} {word}" for word, count in report.texts.items())
    sizes = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    parts["rest"] = own - sum(parts.values())
    children = _processor(resource.RUSAGE_CHILDREN)
    answer.send(Cost(kinds, elapsed, own, children, *sizes, sent[0], max(writes, default=0.0), parts))


def _processor(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _timed(function: Callable[..., object], name: str, parts: dict[str, float]) -> Callable[..., object]:
    def run(*given: object, **named: object) -> object:
        began = _processor(resource.RUSAGE_SELF)
        try:
            return function(*given, **named)
        finally:
            parts[name] = parts.get(name, 0.0) + _processor(resource.RUSAGE_SELF) - began

    return run


def _watched(stack: ExitStack) -> tuple[list[int], list[float]]:
    """Count statements, and the seconds of each outermost write transaction."""
    sent, writes, begun = [0], list[float](), [0.0]
    kind = type(db.database.obj)
    execute, begin, commit = kind.execute_sql, kind.begin, kind.commit

    def count(self: object, *given: object, **named: object) -> object:
        sent[0] += 1
        return execute(self, *given, **named)

    def start(self: object, *given: object, **named: object) -> object:
        done = begin(self, *given, **named)
        begun[0] = clock.monotonic()
        return done

    def end(self: object) -> object:
        done = commit(self)
        writes.append(clock.monotonic() - begun[0])
        return done

    for name, function in (("execute_sql", count), ("begin", start), ("commit", end)):
        stack.enter_context(patch.object(kind, name, function))
    return sent, writes


def imported(made: config.Config, folder: Path) -> Cost:
    """The cost of one import, in a process of its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=measure, args=(made, folder, there))
    process.start()
    there.close()
    cost: Cost | None = here.recv() if here.poll(_PATIENCE) else None
    process.join()
    if cost is None or process.exitcode:
        sys.exit("the import failed")
    return cost


def rendering() -> dict[str, float]:
    """Milliseconds of processor time that a text takes to render: with comrak alone, and with all that is done."""
    texts = [post.body for post in generated.posts(_SAMPLE)]

    def time_of(render: Callable[[str], object]) -> float:
        render(texts[0])
        began = _processor(resource.RUSAGE_SELF)
        for text in texts:
            render(text)
        return 1000 * (_processor(resource.RUSAGE_SELF) - began) / len(texts)

    comrak = markup.comrak
    alone = time_of(lambda text: comrak.render_markdown(text, markup._EXTENSIONS, None, markup._RENDERING))
    return {"comrak": alone, "render": time_of(markup.render)}


def run(name: str, made: config.Config, folder: Path, posts: int) -> list[tuple[str, ...]]:
    """The three imports of one folder into one database; prints a line of JSON and returns the rows of the table."""
    found = {"first": imported(made, folder), "again": imported(made, folder)}
    file = sorted(folder.rglob("*.md"))[posts // 2]
    file.write_bytes(file.read_bytes() + b"\nOne more sentence.\n")
    found["one changed"] = imported(made, folder)
    costs = {which: asdict(cost) for which, cost in found.items()}
    print(json.dumps({"bench": "importing", "database": name, "posts": posts, "costs": costs}), flush=True)
    return [
        (
            f"{posts:,} {which} ({name})", f"{cost.elapsed:.1f} s",
            f"{1000 * cost.processor / posts:.2f} + {1000 * cost.children / posts:.2f}",
            f"{cost.peak:.0f} / {cost.child_peak:.0f} MiB", f"{cost.statements / posts:.2f}",
            f"{1000 * cost.longest_write:.0f} ms",
            " ".join(f"{part} {1000 * seconds / posts:.2f}" for part, seconds in cost.parts.items()),
        )
        for which, cost in found.items()
    ]  # fmt: skip


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--posts", type=int, nargs="+", default=[10_000])
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    home.chmod(0o755)  # the server of PostgreSQL runs as another account
    print(f"{os.cpu_count()} cores, {platform.platform(terse=True)}, Python {platform.python_version()}", flush=True)
    floor = rendering()
    print(json.dumps({"bench": "importing", "milliseconds": floor}), flush=True)
    rows = list[tuple[str, ...]]()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        databases: dict[str, Callable[[], config.Config]] = {"SQLite": lambda: settings(home, None)}
        if options.only != "sqlite" and postgresql.installed():
            server = stack.enter_context(postgresql.Server(durable=True, folder=home))
            databases["PostgreSQL"] = lambda: settings(home, server.fresh())
        for posts in options.posts:
            for name, fresh in databases.items():
                if options.only in (None, name.lower()):
                    folder = home / "posts"
                    generated.write(folder, posts)
                    rows += run(name, fresh(), folder, posts)
                    shutil.rmtree(folder)
    head = ("posts", "elapsed", "ms a file, own + children", "peak", "statements", "longest write", "parts, ms a file")
    print(f"\nrendering alone: comrak {floor['comrak']:.2f} ms, all of it {floor['render']:.2f} ms")
    for row in [head, *rows]:
        print(f"{row[0]:<32} {row[1]:>8} {row[2]:>26} {row[3]:>15} {row[4]:>11} {row[5]:>14}   {row[6]}")


if __name__ == "__main__":
    main()

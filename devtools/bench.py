"""The task that runs benchmarks."""

from __future__ import annotations

import os
import shlex
import sys

from invoke import Context, Exit, task

from devtools.checks import ROOT, run_child


@task(
    positional=["name"],
    help={"name": "A benchmark in the folder bench, such as rebuild; arguments after -- are passed to it."},
)
def bench(context: Context, name: str) -> None:
    """Run a benchmark and print its figures."""
    known = sorted(f.stem for f in (ROOT / "bench").glob("*.py") if f.stem != "content")
    if name not in known:
        raise Exit(f"There is no benchmark “{name}”; there are: {', '.join(known) or 'none outside a checkout'}.", 2)
    arguments = shlex.split(context.remainder or "")
    # Run as a module: with the folder first in the path, bench/queue.py would hide Python's own module queue.
    command = [sys.executable, "-P", "-m", f"bench.{name}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    raise Exit(None, run_child(command, env=environment))

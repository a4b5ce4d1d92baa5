"""Measuring, for those who work on the appliance itself."""

from __future__ import annotations

import os
import shlex
import sys

from invoke import Context, Exit, task

from appliance.tasks.house import ROOT, attend


@task(
    positional=["name"],
    help={"name": "A benchmark of the bench folder, such as rebuild; what follows -- is passed to it."},
)
def bench(context: Context, name: str) -> None:
    """Run a benchmark and print its figures."""
    known = sorted(f.stem for f in (ROOT / "bench").glob("*.py") if f.stem != "content")
    if name not in known:
        raise Exit(f"There is no benchmark “{name}”; there are: {', '.join(known) or 'none outside a checkout'}.", 2)
    arguments = shlex.split(context.remainder or "")
    # As a module, since one is called queue: a folder of such files first in the path would hide Python's own.
    command = [sys.executable, "-P", "-m", f"bench.{name}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    raise Exit(None, attend(command, env=environment))

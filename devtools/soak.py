"""The task that runs the soak test."""

from __future__ import annotations

import os
import shlex
import sys

from invoke import Context, Exit, task

from devtools.checks import ROOT, run_child


@task(
    help={
        "seconds": "Seconds under load.",
        "seed": "The seed of all random choices; by default a new one, which is printed.",
    },
)
def soak(context: Context, seconds: int = 600, seed: str = "") -> None:
    """Publish under load while everything fails in turn, and check that every front end converges."""
    if not (ROOT / "tests" / "soak").is_dir():
        raise Exit("soak works on the appliance's source; run it as ./inv soak in a checkout", 3)
    arguments = [f"--seconds={seconds}", *([f"--seed={seed}"] if seed else []), *shlex.split(context.remainder or "")]
    command = [sys.executable, "-P", "-m", "tests.soak", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    raise Exit(None, run_child(command, cwd=ROOT, env=environment))

"""The fault run, for those who work on the appliance itself."""

from __future__ import annotations

import os
import shlex
import sys

from invoke import Context, Exit, task

from appliance.tasks.house import ROOT, attend


@task(
    help={
        "seconds": "How long it is under load.",
        "seed": "What chance is drawn from; a new one, which is printed, if not given.",
    },
)
def soak(context: Context, seconds: int = 600, seed: str = "") -> None:
    """Publish under load while everything fails in turn, and see that every front end converges."""
    if not (ROOT / "tests" / "soak").is_dir():
        raise Exit("soak works on the appliance's source; run it as ./inv soak in a checkout", 3)
    arguments = [f"--seconds={seconds}", *([f"--seed={seed}"] if seed else []), *shlex.split(context.remainder or "")]
    command = [sys.executable, "-P", "-m", "tests.soak", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    raise Exit(None, attend(command, cwd=ROOT, env=environment))

"""The task that takes the pictures of the documents."""

from __future__ import annotations

import os
import sys

from invoke import Context, Exit, task

from devtools.checks import ROOT, require_checkout, run_child


@task
def pictures(_context: Context) -> None:
    """Take the pictures of the dashboard anew, of an installation on a bad night."""
    require_checkout("pictures")
    command = [sys.executable, "-P", "-m", "tests.browser.pictures"]
    raise Exit(None, run_child(command, env={**os.environ, "PYTHONPATH": str(ROOT)}))

"""Runs a benchmark of the admin application on each database in turn."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from appliance import clock, config, logging
from bench.administration.installation import settings
from tests import postgresql

Found = TypeVar("Found")


def arguments(doc: str | None, *, jobs: int, targets: int | None = None) -> argparse.ArgumentParser:
    """Return the parser of what each of these benchmarks can be told; `doc` is that of its module."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=jobs)
    if targets is not None:
        parser.add_argument("--targets", type=int, default=targets)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    return parser


def on_each(
    measure: Callable[[str, config.Config, argparse.Namespace], Found], options: argparse.Namespace
) -> dict[str, Found]:
    """Measure an installation on each database that is asked for and installed; return what was found by its name."""
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    home.chmod(0o755)  # the server of PostgreSQL runs as another account
    logging.configure()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {clock.to_datetime(clock.now()):%Y-%m-%d}")
    targets, found = getattr(options, "targets", 2), dict[str, Found]()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        if options.only in (None, "sqlite"):
            found["SQLite"] = measure("SQLite", settings(home, None, targets), options)
        if options.only in (None, "postgresql") and postgresql.installed():
            server = stack.enter_context(postgresql.Server(durable=True, folder=home))
            found["PostgreSQL"] = measure("PostgreSQL", settings(home, server.fresh(), targets), options)
    return found

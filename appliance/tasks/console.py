"""What every command shares: settings, sentences instead of stack traces, and output for people and for programs."""

from __future__ import annotations

import getpass
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

from invoke import Exit
from rich.console import Console
from rich.table import Table

from appliance import config as settings
from appliance import publishing, telemetry
from appliance.config import Config
from appliance.content.models import Site
from appliance.errors import ApplianceError

P = ParamSpec("P")
T = TypeVar("T")

out = Console(highlight=False, soft_wrap=True)


def command(body: Callable[P, T]) -> Callable[P, T]:
    """Let a task's errors reach people as sentences and programs as exit statuses.

    The stack trace is shown when the task was called with --verbose.
    """

    @wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        verbose = bool(kwargs.get("verbose"))
        telemetry.configure(verbose)
        try:
            return body(*args, **kwargs)
        except ApplianceError as error:
            if verbose:
                traceback.print_exc()
            leave(str(error), error.exit_code)
        except PermissionError as error:
            # A file that a person named, and that the account the command runs as is not let at.
            if verbose or error.filename is None:
                raise
            leave(f"{error.filename}: {getpass.getuser()} may not use it; give it leave, or name a copy elsewhere", 1)
        except KeyboardInterrupt:
            leave("Interrupted; what was not done is kept on the queue.", 130)

    return run


def leave(sentence: str, code: int) -> NoReturn:
    """End the command with a sentence on standard error and an exit status."""
    sys.stdout.flush()
    raise Exit(sentence or None, code)


@contextmanager
def opened() -> Iterator[tuple[Config, dict[str, Site]]]:
    """The installation of the settings in force, opened."""
    config = settings.load()
    with publishing.installation(config) as sites:
        yield config, sites


def tell(line: str) -> None:
    """A line for people; markup is never read in it."""
    out.print(line, markup=False)


def warn(line: str) -> None:
    """A line on standard error."""
    print(line, file=sys.stderr, flush=True)


def tell_json(value: Any) -> None:
    """One JSON document for programs."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def tell_table(columns: list[str], rows: list[list[str]]) -> None:
    """A table for people; plain columns where nobody can see lines."""
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    out.print(table)

"""Functions that all commands share: opening the installation, printing, and reporting errors as sentences.

Every function here that prints escapes control characters, so no text from a stranger can control a terminal.
"""

from __future__ import annotations

import getpass
import json
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

from invoke import Context, Exit

from appliance import logging
from appliance.actor import acting
from appliance.errors import ApplianceError, DatabaseUnavailable
from appliance.tasks.caller import find_caller
from appliance.terminal_text import escape_json, escape_line, escape_text

if TYPE_CHECKING:
    from rich.console import Console

    from appliance.config import Config
    from appliance.content.models import Site

P = ParamSpec("P")
T = TypeVar("T")


@cache
def console() -> Console:
    """Return the console on standard output, which shows styles when it is a terminal."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def is_terminal() -> bool:
    """Whether to print for a terminal. Elsewhere rich is not imported, which makes commands start faster."""
    forced = os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE")
    return bool(sys.stdout.isatty() or forced) and console().is_terminal


def command(body: Callable[P, T]) -> Callable[P, T]:
    """Decorate a task: whoever runs it acts, and an error becomes one sentence on standard error and an exit status.

    With --verbose the stack trace is shown as well.
    """

    @wraps(body)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        verbose = bool(kwargs.get("verbose"))
        logging.configure(verbose)
        try:
            with acting(find_caller()):
                return body(*args, **kwargs)
        except ApplianceError as error:
            if verbose:
                sys.stderr.write(escape_text(traceback.format_exc()))
            exit_with(str(error), error.exit_code)
        except PermissionError as error:
            # A person named a file that the account running the command may not use.
            if verbose or error.filename is None:
                raise
            exit_with(
                f"{error.filename}: {getpass.getuser()} may not use it; change its permissions, or name a copy",
                1,
            )
        except Exception as error:
            from appliance import db
            from appliance.db.outage import one_line

            if verbose or not db.is_unavailable(error):
                raise
            unavailable = DatabaseUnavailable(one_line(error))
            exit_with(str(unavailable), unavailable.exit_code)
        except KeyboardInterrupt:
            exit_with("Interrupted; unfinished jobs stay on the queue.", 130)

    return run


def exit_with(sentence: str, code: int) -> NoReturn:
    """End the command with a sentence on standard error and an exit status."""
    sys.stdout.flush()
    raise Exit(escape_text(sentence) or None, code)


@contextmanager
def open_installation() -> Iterator[tuple[Config, dict[str, Site]]]:
    """Open the installation that the settings file describes; yields the settings, and the sites by name."""
    from appliance import config as settings
    from appliance import installation

    config = settings.load()
    with installation.open_installation(config) as sites:
        yield config, sites


def remaining_arguments(context: Context) -> list[str]:
    """Return the arguments that follow a task of any number of arguments, see `program`."""
    return shlex.split(context.remainder or "")


def print_line(line: str) -> None:
    """Print a line for people."""
    print(escape_text(line))


def print_styled(*parts: str | tuple[str, str]) -> None:
    """Print a line for people. A part is text, or text with a style that a terminal shows."""
    parts = tuple(escape_text(part) if isinstance(part, str) else (escape_text(part[0]), part[1]) for part in parts)
    if is_terminal():
        from rich.text import Text

        console().print(Text.assemble(*parts))
    else:
        print("".join(part if isinstance(part, str) else part[0] for part in parts))


def warn(line: str) -> None:
    """Print a line on standard error."""
    print(escape_text(line), file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print one JSON document for programs."""
    print(escape_json(json.dumps(value, indent=2, ensure_ascii=False)))


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """Print a table for people."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(Text(escape_line(cell)) for cell in row))
    console().print(table)


def pluralize(count: int, singular: str, plural: str = "") -> str:
    """Return a count with its noun: `1 entry`, `3 entries`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"

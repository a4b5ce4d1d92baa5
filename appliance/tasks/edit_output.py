"""The arguments and the output that commands for editing content have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke import Context

from appliance.errors import ContentError
from appliance.tasks.command_line import exit_with, print_line, remaining_arguments, warn

if TYPE_CHECKING:
    from appliance.editorial import EditResult


def print_result(result: EditResult[Any], sentence: str) -> None:
    """Print what an edit changed, how many files it rebuilds, and which files cannot be published.

    Exits with status 1 when nothing of the site can be published.
    """
    if not result.changed:
        sentence = "nothing changed"
    elif result.files:
        sentence += f"; {result.files:,} file{'s'[: result.files > 1]} to build"
    print_line(sentence)
    for conflict in result.conflicts:
        warn(conflict)
    if result.faults:
        exit_with("\n".join(result.faults), 1)


def require_arguments(context: Context, description: str) -> list[str]:
    """Return the arguments that follow a command. `description` says what they name.

    Raises:
        ContentError: there are none.
    """
    if not (arguments := remaining_arguments(context)):
        raise ContentError(f"Name {description}.")
    return arguments


def require_ids(context: Context, description: str) -> list[int]:
    """Return the ids that follow a command.

    Raises:
        ContentError: there are none, or an argument is not a number.
    """
    return [parse_id(argument, description) for argument in require_arguments(context, description)]


def parse_id(argument: str | int, description: str) -> int:
    """Return the id that an argument is; invoke gives that of a positional one as text, whatever type it has.

    Raises:
        ContentError: it is not a number.
    """
    text = str(argument)
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ContentError(f"“{text}” is not a number; name {description}.")
    return int(text)

"""What the commands that edit content share: their options, and the line that says what came of it."""

from __future__ import annotations

import shlex
from typing import Any, Final

from invoke import Context

from appliance.editorial import Done
from appliance.errors import ContentError
from appliance.tasks.console import leave, tell

#: Who the changes made here are by.
ACTOR: Final = "shell"
SITE: Final = {"site": "The site; the only one when not given."}
VERBOSE: Final = {"verbose": "Show the stack trace of an error."}
LATER: Final = {"later": "Only save; publish builds it."}
JSON: Final = {"json": "One JSON document for programs."}
ENTRY: Final = "The entry: its id, slug, or address below the site."


def report(done: Done[Any], line: str) -> None:
    """Say what was done and what is to be built; what cannot be published is told and ends the command with 1."""
    if not done.changed:
        line = "nothing changed"
    elif done.files:
        line += f"; {done.files:,} file{'s'[: done.files > 1]} to build"
    tell(line)
    if done.faults:
        leave("\n".join(done.faults), 1)


def words(context: Context, what: str) -> list[str]:
    """The loose words of a command.

    Raises:
        ContentError: there are none.
    """
    found = shlex.split(context.remainder or "")
    if not found:
        raise ContentError(f"Name {what}.")
    return found


def numbers(context: Context, what: str) -> list[int]:
    """The loose words of a command as numbers.

    Raises:
        ContentError: there are none, or one is none.
    """
    found = []
    for word in words(context, what):
        if not (word.isascii() and word.isdigit() and len(word) < 10):
            raise ContentError(f"“{word}” is no number; name {what}.")
        found.append(int(word))
    return found


def counted(count: int, one: str, many: str = "") -> str:
    """`1 entry`, `3 entries`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"

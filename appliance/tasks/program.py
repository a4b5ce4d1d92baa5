"""The program behind `./inv` and `appliance`: invoke's own, but that patterns may follow `publish` plainly, and
numbers the tasks about jobs.

invoke knows no arguments of any number; what follows -- it hands on untouched, so loose words are put there.
"""

from __future__ import annotations

import copy
import shlex
from typing import Any

from invoke import Argument, Collection, Exit, Program

from appliance.errors import ApplianceError
from appliance.tasks import remote
from appliance.tasks.console import leave
from appliance.tasks.filters import HELP

#: Tasks that take any number of words, with their flags that take a value.
_FILTERS = {f"--{name}" for name in HELP}
_WORDY = {
    "publish": {"--match", "--site", "--limit"},
    "content.delete": {"--site", "-s"},
    "content.pull": {"--site", "-s"},
    "content.moderate": {"--site", "-s"},
    "content.remove-asset": {"--site", "-s"},
    "jobs.list": {*_FILTERS, "--limit", "--sort"},
    "jobs.show": set[str](),
    "jobs.delete": _FILTERS,
    "jobs.retry": _FILTERS,
    "jobs.prioritise": {*_FILTERS, "--to"},
    "targets.check": {
        "--access",
        "--inside",
        "--inside-key",
        "--key",
        "--known-hosts",
        "--port",
        "--ssh-option",
        "--timeout",
    },
}


def with_words_aside(tokens: list[str]) -> tuple[list[str], list[str]]:
    """Command line tokens without the loose words of a wordy task, and those words."""
    kept: list[str] = []
    words: list[str] = []
    valued: set[str] | None = None
    previous = ""
    for token in tokens:
        if valued is None:
            valued = _WORDY.get(token)
            kept.append(token)
        elif token.startswith("-") or previous in valued:
            kept.append(token)
        else:
            words.append(token)
        previous = token
    return kept, words


class ApplianceProgram(Program):
    """invoke's Program with the appliance's way of reading patterns."""

    def __init__(self, *, namespace: Collection, **named: Any) -> None:
        # Parsing a command line takes the help out of tasks; those of others keep theirs.
        super().__init__(namespace=copy.deepcopy(namespace), **named)

    def core_args(self) -> list[Argument]:
        """What may stand before or after any task."""
        inventory = "Run the task on a publishing host of this Ansible inventory."
        on = "The publishing host to run it on, with --inventory; the first that can be reached when not given."
        return [
            *super().core_args(),
            Argument(names=("inventory",), help=inventory),
            Argument(names=("on",), help=on),
        ]

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse what invoke itself takes, unless the command line is for a cluster, which then runs it."""
        self.normalize_argv(argv)
        try:
            asked = remote.aside(self.argv[1:])
            if asked is not None:
                raise Exit(code=remote.run(asked))
        except ApplianceError as error:
            leave(str(error), error.exit_code)
        super().parse_core(self.argv)

    def parse_tasks(self) -> None:
        """Parse tasks after putting loose words with what follows --."""
        self.core.unparsed, words = with_words_aside(list(self.core.unparsed))
        if words:
            self.core.remainder = " ".join(filter(None, [shlex.join(words), self.core.remainder]))
        super().parse_tasks()

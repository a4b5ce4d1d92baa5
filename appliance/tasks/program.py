"""The program behind `./inv` and `appliance`: invoke's Program, plus tasks that take any number of arguments.

Invoke has no arguments of variable number, but passes what follows `--` to the task untouched. Arguments of such a
task are moved there.
"""

from __future__ import annotations

import shlex
import sys
from typing import Any, Final

from invoke import Argument, Collection, Exit, ParserContext, Program

from appliance.errors import ApplianceError
from appliance.tasks import api_mode, command_table, remote_commands
from appliance.tasks.api_mode import API
from appliance.tasks.command_line import exit_with

#: Tasks that take any number of arguments.
_VARIADIC: Final = {
    "publish",
    "audit.export",
    "content.delete",
    "content.pull",
    "comments.approve",
    "comments.delete",
    "comments.hold",
    "previews.revoke",
    "comments.spam",
    "content.moderate",
    "content.remove-asset",
    "jobs.list",
    "jobs.show",
    "jobs.delete",
    "jobs.retry",
    "jobs.prioritise",
    "targets.check",
}


def split_arguments(tokens: list[str]) -> tuple[list[str], list[str]]:
    """Split the tokens of a command line into those for invoke and the arguments of a variadic task."""
    kept: list[str] = []
    arguments: list[str] = []
    flags: set[str] | None = None
    previous = ""
    for token in tokens:
        if flags is None:
            flags = _flags_with_value(token) if token in _VARIADIC else None
            kept.append(token)
        elif token.startswith("-") or previous in flags:
            kept.append(token)
        else:
            arguments.append(token)
        previous = token
    return kept, arguments


def _flags_with_value(name: str) -> set[str]:
    flags = ParserContext(args=command_table.load_task(name).get_arguments()).flags
    return {flag for flag in (*flags, *flags.aliases) if flags[flag].takes_value}


class ApplianceProgram(Program):
    """Invoke's Program with `--inventory` and `--api`, variadic tasks, and tasks that are imported when needed."""

    def __init__(self, **options: Any) -> None:
        # parse_collection fills the namespace once the command line is known.
        super().__init__(namespace=Collection(), **options)

    def core_args(self) -> list[Argument]:
        """Return the arguments that may stand before or after any task."""
        inventory = "Run the task on a publishing host of this Ansible inventory."
        on = "The publishing host to run it on, with --inventory; by default the first that can be reached."
        api = f"Run the task by the API at this address, with the token in APPLIANCE_TOKEN. Also the variable {API}."
        return [
            *super().core_args(),
            Argument(names=("inventory",), help=inventory),
            Argument(names=("on",), help=on),
            Argument(names=("api",), help=api),
        ]

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse invoke's own options. A command line with --inventory is run on that cluster instead."""
        self.normalize_argv(argv)
        try:
            api, words = api_mode.take_option(self.argv[1:])
            self.argv = [*self.argv[:1], *words]
            api_mode.choose(api)
            remote = remote_commands.parse(words)
            if remote is not None:
                raise Exit(code=remote_commands.run(remote))
        except ApplianceError as error:
            exit_with(str(error), error.exit_code)
        writes_bytecode = not sys.dont_write_bytecode
        super().parse_core(self.argv)
        # Invoke turns bytecode off here, before most of what a command needs is imported; turn it back on.
        sys.dont_write_bytecode = not (writes_bytecode or self.args["write-pyc"].value)

    def parse_collection(self) -> None:
        """Load the tasks named on the command line, and placeholders for all others."""
        help_for = self.args.help.value
        words = {*self.core.unparsed, *self.core.remainder.split(), *([help_for] if isinstance(help_for, str) else [])}
        self.namespace = command_table.namespace_for(words)
        super().parse_collection()

    def parse_tasks(self) -> None:
        """Parse the tasks after moving arguments of variadic tasks behind `--`."""
        self.core.unparsed, arguments = split_arguments(list(self.core.unparsed))
        if arguments:
            self.core.remainder = " ".join(filter(None, [shlex.join(arguments), self.core.remainder]))
        super().parse_tasks()
        try:
            for context in self.tasks:
                api_mode.check_command(str(context.name))
        except ApplianceError as error:
            exit_with(str(error), error.exit_code)

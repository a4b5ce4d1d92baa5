"""The commands that exist only in a checkout, in the form of `appliance.tasks.command_table`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from appliance.tasks import command_table

if TYPE_CHECKING:
    from invoke import Collection

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "test": ("devtools.checks:test", "Check everything: style, types, imports, roles, and the tests."),
    "lint": ("devtools.checks:lint", "Check style, types, imports and the roles, without running tests."),
    "lock": (
        "devtools.checks:lock",
        "Write requirements.lock and requirements-hosts.lock from pyproject.toml, for every supported Python.",
    ),
    "docs": ("devtools.checks:docs", "Write the reference pages from the code."),
    "pictures": (
        "devtools.pictures:pictures",
        "Take the pictures of the dashboard anew, of an installation on a bad night.",
    ),
    "bench": ("devtools.bench:bench", "Run a benchmark and print its figures."),
    "soak": (
        "devtools.soak:soak",
        "Publish under load while everything fails in turn, and check that every front end converges.",
    ),
    "molecule": (
        "devtools.molecule:molecule",
        "Test the roles and playbooks on hosts with systemd and sshd, which are created and removed.",
    ),
    "collections": (
        "devtools.collections:collections",
        "Install the collections in requirements.yml into .ansible/collections, without Galaxy.",
    ),
    "wheelhouse": (
        "devtools.wheelhouse:wheelhouse",
        "Gather the packages for publishing hosts in .ansible/wheelhouse; print the release and whether it changed.",
    ),
}


def register() -> None:
    """Add these commands to those of the appliance."""
    command_table.COMMANDS.update(COMMANDS)


def all_tasks() -> Collection:
    """Return all tasks of a checkout, with their modules imported."""
    register()
    return command_table.all_tasks()

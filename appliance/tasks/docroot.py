"""Commands about the docroot: mark a shared one, and republish it after the database was restored."""

from __future__ import annotations

from invoke import Context, task

from appliance import audit
from appliance import config as settings
from appliance.building import docroot_restore
from appliance.config import ownership
from appliance.delivery import shared_docroot
from appliance.tasks.command_line import command, open_installation, print_line
from appliance.tasks.option_help import VERBOSE


@task(
    name="init",
    help={
        "anyway": "Also mark a docroot on this host's own file system, or one that already holds files.",
        **VERBOSE,
    },
)
@command
def docroot_init(_context: Context, anyway: bool = False, verbose: bool = False) -> None:
    """Mark a docroot on a shared file system as this installation's own. Without the marker it is not used."""
    config = settings.load()
    ownership.check_owner(config)
    with open_installation():
        mount = shared_docroot.create_marker(config, anyway=anyway)
        audit.record("docroot.init", "docroot", label=str(config.docroot), after={"shared": config.shared})
    print_line(f"{config.docroot} is the docroot of “{config.shared}”: {mount}.")


@task(name="renew", help=VERBOSE)
@command
def docroot_renew(_context: Context, verbose: bool = False) -> None:
    """After restoring the database, mark every file to be published again and every target to be sent everything."""
    with open_installation() as (config, _):
        files, targets = docroot_restore.republish_all(config)
    print_line(
        f"{files:,} files and {targets} targets are to be renewed; next: docroot.clear on every publishing host,"
        " then publish --all, then the daemon or drain"
    )


@task(
    name="clear",
    auto_shortflags=False,
    help={"allow-removals": "Remove the files even if they are a large part of the docroot.", **VERBOSE},
)
@command
def docroot_clear(_context: Context, allow_removals: bool = False, verbose: bool = False) -> None:
    """Remove files from this host's docroot that were never published. Nothing is published meanwhile."""
    with open_installation() as (config, _):
        removed = docroot_restore.remove_extra_files(config, allow_removals=allow_removals)
    print_line(f"{config.docroot}: {removed:,} files removed")

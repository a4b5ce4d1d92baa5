"""The command that runs the admin application by itself."""

from __future__ import annotations

import os
import sys

from invoke import Context, task

from appliance.config import find, load
from appliance.errors import WebError
from appliance.tasks.command_line import command
from appliance.tasks.option_help import VERBOSE


@task(help=VERBOSE)
@command
def admin(_context: Context, verbose: bool = False) -> None:
    """Run the admin application, with its sign-in, dashboard and API, until it is stopped."""
    if os.geteuid() == 0:
        raise WebError(
            "the admin application must not run as root, since whoever breaks into it would own this host; run it as"
            " the publishing account, or on PostgreSQL as an account of its own"
        )
    from appliance.web import server
    from appliance.web.admin.served import served
    from appliance.web.program import Program

    file = find()
    if not load(file).admin.url:
        raise WebError(
            "the setting [admin] url is empty, so there is no name to serve; set it, such as to https://admin.example.org/"
        )
    sys.exit(server.serve(lambda: served(load(file)), file=file, program=Program.of_task("admin")))

"""The command that runs the web process by itself, under an account that can read no other settings."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from invoke import Context, task

from appliance.config import find_web, load_web
from appliance.errors import WebError
from appliance.tasks.command_line import command
from appliance.tasks.option_help import VERBOSE


@task(
    help={
        "settings": "A file with the keys of [web] at its top; by default web.toml beside the settings of the"
        " installation, or the table [web] there.",
        **VERBOSE,
    }
)
@command
def serve(_context: Context, settings: str = "", verbose: bool = False) -> None:
    """Run the web process, which takes readers' comments and searches, until it is stopped."""
    if os.geteuid() == 0:
        raise WebError(
            "a web process must not run as root, since whoever breaks into it would own this host; run it as an account"
            " of its own, such as: setpriv --reuid=appliance-web --regid=appliance-web --init-groups appliance serve"
        )
    from appliance.web import server
    from appliance.web.program import Program
    from appliance.web.public.served import served

    file = find_web(Path(settings) if settings else None)
    read = partial(load_web, file if settings else None)
    if not read().path:
        raise WebError("the setting [web] path is empty, so no page leads to a web process; set it, such as to /-/")
    sys.exit(server.serve(lambda: served(read()), file=file, program=Program.of_task("serve")))

"""Runs ansible-playbook in many folders, two at a time, each in a copy of a process that has loaded it once.

    python many_plays.py FOLDER… -- OPTION…    prints the exit statuses as JSON

To load Ansible takes about half as long as to play what is refused. A copy shares nothing with the others that it could
change. What it says is in the file `said` of its folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from ansible.cli.playbook import PlaybookCLI
from ansible.plugins import loader

AT_ONCE = 2


def load() -> None:
    """Load what every play needs: plugins are kept by their loaders, so that no copy looks for them again."""
    loader.init_plugin_loader()
    for kind in (loader.filter_loader, loader.test_loader, loader.vars_loader, loader.inventory_loader):
        list(kind.all(class_only=True))
    for kind, name in (
        (loader.action_loader, "assert"), (loader.action_loader, "set_fact"), (loader.connection_loader, "local"),
        (loader.callback_loader, "default"), (loader.strategy_loader, "linear"),
    ):  # fmt: skip
        assert kind.get(name, class_only=True), name


def play(folder: str, options: Sequence[str]) -> int:
    """Start a run in a folder; return the process."""
    if process := os.fork():
        return process
    code = 70
    try:
        os.chdir(folder)
        said = os.open("said", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        PlaybookCLI.cli_executor(["ansible-playbook", "--inventory=inventory.yml", *options, "site.yml"])
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def play_all(folders: Sequence[str], options: Sequence[str]) -> list[int]:
    """Return the exit status of the run in each folder."""
    running: dict[int, str] = {}
    statuses: dict[str, int] = {}
    for folder in [*folders, *[""] * AT_ONCE]:
        if running and (len(running) == AT_ONCE or not folder):
            process, status = os.wait()
            statuses[running.pop(process)] = os.waitstatus_to_exitcode(status)
        if folder:
            running[play(folder, options)] = folder
    return [statuses[folder] for folder in folders]


if __name__ == "__main__":
    load()
    at = sys.argv.index("--")
    print(json.dumps(play_all(sys.argv[1:at], sys.argv[at + 1 :])))

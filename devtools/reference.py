"""Generates the reference pages: settings from their descriptions, tasks from their signatures, themes from their API.

A test compares the pages with the files in docs/reference, so that they always agree with the code.
"""

from __future__ import annotations

import copy
import inspect
import typing
from collections.abc import Iterator
from typing import Any

from invoke import Argument, Collection, Task
from pydantic import BaseModel

from appliance.config import FILE_NAME, SYSTEM_FILE, Config
from appliance.tasks.api_mode import SUPPORTED
from devtools import api_reference, cluster_reference, rights_reference, theme_reference
from devtools.reference_tables import GENERATED_NOTICE, model_of, table_of

#: A complete settings file. A test loads it, so it stays valid.
EXAMPLE = """\
docroot = "/srv/www"

[[sites]]
name = "blog"
title = "Notes from the workshop"
url = "https://www.example.org/"
timezone = "Europe/Berlin"

[[targets]]
name = "front1"
address = "publish@front1.example.org:/srv/www"
access = "rrsync"

[[targets]]
name = "front2"
address = "publish@front2.example.org:/srv/www"
access = "rrsync"

[queue]
workers = 4
"""


def pages(namespace: Collection) -> dict[str, str]:
    """Return the text of each reference page by its file name in docs/reference."""
    return {
        "api.md": api_reference.page(),
        "cluster.md": cluster_reference.page(),
        "rights.md": rights_reference.page(),
        "settings.md": settings_page(),
        "tasks.md": tasks_page(namespace),
        "theme.md": theme_reference.page(),
    }


def settings_page() -> str:
    """Return the page of settings: every key with type, default and meaning."""
    parts = [
        f"{GENERATED_NOTICE}\n\n# Settings",
        "Settings are in one TOML file: the file in the environment variable `APPLIANCE_CONFIG`, or else "
        f"`{FILE_NAME}` in the working folder, or else `{SYSTEM_FILE}`. The whole file is checked before anything "
        "changes: unknown keys, wrong types, relative paths where absolute ones are needed and duplicate names are "
        "all reported at once.",
        f"## An example\n\n```toml\n{EXAMPLE}```",
        *(_section(header, model) for header, model in _sections()),
    ]
    return "\n\n".join(parts) + "\n"


def _sections() -> Iterator[tuple[str, type[BaseModel]]]:
    yield "", Config
    yield from _sections_in(Config, "")


def _sections_in(model: type[BaseModel], above: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        if inner := model_of(field.annotation):
            is_list = typing.get_origin(field.annotation) is list
            yield (f"[[{above}{name}]]" if is_list else f"[{above}{name}]"), inner
            yield from _sections_in(inner, f"{above}{name}.")


def _section(header: str, model: type[BaseModel]) -> str:
    title = f"`{header}`" if header else "At the top of the file"
    left_out = [name for name, field in model.model_fields.items() if model_of(field.annotation)]
    return f"## {title}\n\n{inspect.getdoc(model)}\n\n{table_of(model, left_out)}"


def tasks_page(namespace: Collection) -> str:
    """Return the page of tasks: every task with its arguments and its description, by name."""
    parts = [
        f"{GENERATED_NOTICE}\n\n# Tasks",
        "In a checkout, run a task by `./inv TASK`, which creates the environment first, or by `invoke TASK` in that "
        "environment. An installed appliance has `appliance TASK`. `--help TASK` shows the same text.",
        "`publish`, `drain`, `status`, `why`, `periodic`, and all of `content`, `docroot`, `jobs`, `processes` and "
        "`targets` also take `--inventory=FILE`, and with it `--on=HOST`: they then "
        "[run on a publishing host](../how-to/run-from-the-controller.md) of that Ansible inventory.",
        f"{', '.join(f'`{name}`' for name in sorted(SUPPORTED))} also take `--api=URL`: they then "
        "[act by the API](../how-to/work-from-anywhere.md) of an installation elsewhere.",
        *(_task(name, task) for name, task in sorted(tasks(namespace))),
    ]
    return "\n\n".join(parts) + "\n"


def tasks(namespace: Collection, prefix: str = "") -> Iterator[tuple[str, Task[Any]]]:
    """Yield each task with its full name on the command line, such as `jobs.list`."""
    for name, task in namespace.tasks.items():
        yield prefix + namespace.transform(name), task
    for name, collection in namespace.collections.items():
        yield from tasks(collection, f"{prefix}{namespace.transform(name)}.")


def arguments_of(task: Task[Any]) -> list[Argument]:
    """Return the arguments of a task with their help, which invoke returns only once for each task."""
    untouched = copy.copy(task)
    untouched.help = dict(task.help)
    return untouched.get_arguments()


def _task(name: str, task: Task[Any]) -> str:
    arguments = arguments_of(task)
    usage = " ".join([name, *(f"{_name(a).upper()}" for a in arguments if a.positional)])
    usage += " [options]" if any(not a.positional for a in arguments) else ""
    parts = [f"## `{usage}`", inspect.getdoc(task) or ""]
    if arguments:
        rows = [f"| {_flags(a)} | {_argument_default(a)} | {a.help or ''} |" for a in arguments]
        parts.append("\n".join(["| argument | default | meaning |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def _name(argument: Argument) -> str:
    return max(argument.names, key=len).replace("_", "-")


def _flags(argument: Argument) -> str:
    if argument.positional:
        return f"`{_name(argument).upper()}`"
    words = sorted(argument.names, key=len)
    flags = [f"-{word}" if len(word) == 1 else f"--{word.replace('_', '-')}" for word in words]
    if argument.kind is bool and argument.default:
        flags = [f"--no-{_name(argument)}"]
    value = "" if argument.kind is bool else f"={argument.kind.__name__.upper()}"
    return ", ".join(f"`{flag}{value if flag.startswith('--') else ''}`" for flag in flags)


def _argument_default(argument: Argument) -> str:
    if argument.positional or argument.kind is bool or argument.default in (None, "", [], ()):
        return ""
    return f"`{argument.default}`"

"""Commands that import content from other systems and export whole sites."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from invoke import Context, task

from appliance import plan_job
from appliance.building import upload_store
from appliance.config import Config
from appliance.content.sites import find_site
from appliance.errors import ContentError
from appliance.exporting import markdown, movabletype
from appliance.importing.formats import import_content
from appliance.importing.report import Report
from appliance.tasks.command_line import command, exit_with, open_installation, print_line, warn
from appliance.tasks.option_help import SITE, VERBOSE
from appliance.tasks.progress import ProgressBar

_EXPORT_FORMATS: Final = ("markdown", "movabletype")


@task(
    name="import",
    positional=["path"],
    help={
        "path": "A folder of Markdown, a WordPress export, or a file in Movable Type's format.",
        "format": "The format: auto, markdown, movabletype or wordpress.",
        "source": "The name that identifies this source in later imports; defaults to its path or the blog's address.",
        "uploads": "For WordPress: a copy of the blog's wp-content/uploads.",
        "encoding": "For Movable Type: the encoding of the file; UTF-8 by default.",
        "remove": "Remove entries of an earlier import that are no longer in the file. Always on for a folder.",
        "allow_removals": "Remove them even if they are a large part of the import.",
        **SITE,
        **VERBOSE,
    },
)
@command
def import_(
    _context: Context,
    path: str,
    format: str = "auto",
    site: str = "",
    source: str = "",
    uploads: str = "",
    encoding: str = "",
    remove: bool = False,
    allow_removals: bool = False,
    verbose: bool = False,
) -> None:
    """Import a folder of Markdown or an export of another system. Run it again to import later changes."""
    with open_installation() as (config, _), ProgressBar("importing") as bar:
        name = find_site(config, site).name
        with plan_job.hold_back_import(name):
            report = import_content(
                config,
                name,
                Path(path),
                format,
                source or None,
                Path(uploads) if uploads else None,
                encoding or None,
                remove,
                bar.update,
                allow_removals,
            )
    for line in report.lines():
        print_line(line)
    if not _has_content(report):
        exit_with("Nothing was imported; the reasons are above.", 1)


@task(
    positional=["path"],
    help={
        "path": "The folder or file to create; - writes Movable Type's format to standard output.",
        "format": "markdown, which keeps everything, or movabletype.",
        **SITE,
        **VERBOSE,
    },
)
@command
def export(_context: Context, path: str, format: str = "markdown", site: str = "", verbose: bool = False) -> None:
    """Export a whole site to a folder of Markdown, or to a file in Movable Type's format."""
    if format not in _EXPORT_FORMATS:
        raise ContentError(f"“{format}” is not an export format; use one of {', '.join(_EXPORT_FORMATS)}")
    with open_installation() as (config, _):
        row = find_site(config, site)
        if format == "markdown":
            upload_store.keep_published_uploads(config, row)
            written = markdown.export(config, row.name, Path(path))
            lines = [
                f"{path}: " + (", ".join(f"{count} {noun}" for noun, count in written.items() if count) or "nothing")
            ]
        elif path == "-":
            lines = movabletype.export(config, row.name, sys.stdout).lines()
        else:
            first, *more = _export_file(config, row.name, Path(path))
            lines = [f"{path}: {first}", *more]
    for line in lines:
        (warn if path == "-" else print_line)(line)


def _export_file(config: Config, site: str, file: Path) -> list[str]:
    try:
        return movabletype.export(config, site, file).lines()
    except OSError as error:
        raise ContentError(f"{file}: cannot be written: {error.strerror}; fix that and export again") from error


def _has_content(report: Report) -> bool:
    """Whether any of the source is on the site, from this import or an earlier one."""
    return bool(report.texts.total() or report.assets.total() or report.removed or report.assets_removed)

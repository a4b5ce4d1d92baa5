"""Whole sites in and out: imports from other systems, and exports to them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from invoke import Context, task
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from appliance.building import uploads
from appliance.config import Config
from appliance.errors import ContentError
from appliance.exporting import markdown, movabletype
from appliance.importing.formats import import_any
from appliance.importing.report import Report
from appliance.tasks.console import command, leave, opened, out, tell, warn
from appliance.tasks.content import chosen

_VERBOSE = {"verbose": "Show the stack trace of an error."}
_SITE = {"site": "The site; the only one when not given."}
_EXPORTS = ("markdown", "movabletype")


@task(
    name="import",
    positional=["path"],
    help={
        "path": "A folder of Markdown, a WordPress export, or a file in Movable Type's format.",
        "format": "What it is: auto, markdown, movabletype or wordpress.",
        "source": "The name under which it is known from import to import; its path, or the blog's address, when"
        " not given.",
        "uploads": "A copy of the blog's wp-content/uploads; for WordPress.",
        "encoding": "What the file is written in, UTF-8 when not given; for Movable Type.",
        "remove": "Remove what was imported before and is not in the file; a folder's is in any case.",
        "allow_removals": "Remove it even if it is a large part of what was imported.",
        **_SITE,
        **_VERBOSE,
    },
)
@command
def import_(
    _context: Context, path: str, format: str = "auto", site: str = "", source: str = "", uploads: str = "",
    encoding: str = "", remove: bool = False, allow_removals: bool = False, verbose: bool = False,
) -> None:  # fmt: skip
    """Bring in a folder of Markdown or another system's export; once more takes over what has changed in it."""
    with opened() as (config, sites), _Bar() as bar:
        name = chosen(config, sites, site).name
        report = import_any(
            config, name, Path(path), format, source or None, Path(uploads) if uploads else None, encoding or None,
            remove, bar.show, allow_removals,
        )  # fmt: skip
    for line in report.lines():
        tell(line)
    if not _took(report):
        leave("Nothing was taken; the reasons are above.", 1)


@task(
    positional=["path"],
    help={
        "path": "The folder to make, or the file; - writes Movable Type's format to standard output.",
        "format": "markdown, which holds all there is, or movabletype.",
        **_SITE,
        **_VERBOSE,
    },
)
@command
def export(
    _context: Context, path: str, format: str = "markdown", site: str = "", verbose: bool = False
) -> None:  # fmt: skip
    """Write a whole site to a folder of Markdown, or to a file in Movable Type's format."""
    if format not in _EXPORTS:
        raise ContentError(f"“{format}” is no format to export; use one of {', '.join(_EXPORTS)}")
    with opened() as (config, sites):
        found = chosen(config, sites, site)
        name = found.name
        if format == "markdown":
            uploads.gather(config, found)
            written = markdown.export(config, name, Path(path))
            lines = [f"{path}: " + (", ".join(f"{n} {what}" for what, n in written.items() if n) or "nothing")]
        elif path == "-":
            lines = movabletype.export(config, name, sys.stdout).lines()
        else:
            first, *more = _export_file(config, name, Path(path))
            lines = [f"{path}: {first}", *more]
    for line in lines:
        (warn if path == "-" else tell)(line)


def _export_file(config: Config, name: str, file: Path) -> list[str]:
    try:
        return movabletype.export(config, name, file).lines()
    except OSError as error:
        raise ContentError(f"{file}: cannot be written: {error.strerror}; mend that and export again") from error


def _took(report: Report) -> bool:
    """Whether anything of it is on the site, now or from an earlier import."""
    return bool(report.texts.total() or report.assets.total() or report.removed or report.assets_removed)


class _Bar:
    """How far an import is, on a terminal."""

    def __enter__(self) -> Self:
        self._bar: Progress | None = None
        if out.is_terminal:
            self._bar = Progress(
                TextColumn("importing"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
                console=out, auto_refresh=False, transient=True,
            )  # fmt: skip
            self._bar.start()
            self._task = self._bar.add_task("")
            self._shown = -1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, done: int, total: int) -> None:
        """Draw it, once for every hundredth."""
        if self._bar and (now := 100 * done // max(total, 1)) != self._shown:
            self._shown = now
            self._bar.update(self._task, completed=done, total=total, refresh=True)

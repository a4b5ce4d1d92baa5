"""Which format a path holds, and the one function that imports any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from appliance.config import Config
from appliance.errors import ContentError
from appliance.importing import movabletype, wordpress
from appliance.importing.folder import import_folder
from appliance.importing.report import Report

Format = Literal["markdown", "movabletype", "wordpress"]
FORMATS = ("auto", "markdown", "movabletype", "wordpress")
#: Told how much is done, of how much.
Progress = Callable[[int, int], None]

_NAMED = "a folder of Markdown, a WordPress export or a file in Movable Type's format"
#: The options that only one format has.
_OWN: dict[str, Format] = {"uploads": "wordpress", "encoding": "movabletype"}


def format_of(path: Path, said: str = "auto") -> Format:
    """The format of what is at `path`; `said` is what a person says it is.

    Raises:
        ContentError: there is no such format, nothing is there, or it is in none of them.
    """
    if said not in FORMATS:
        raise ContentError(f"“{said}” is no format to import; use one of {', '.join(FORMATS)}")
    if not path.exists():
        raise ContentError(f"{path}: does not exist; name {_NAMED}")
    if path.is_dir():
        if said in ("auto", "markdown"):
            return "markdown"
        raise ContentError(f"{path}: is a folder, and of the format {said} only a file can be; name the file")
    for name in ("markdown", "movabletype", "wordpress"):
        if said == name:
            return name
    try:
        if wordpress.looks_right(path):
            return "wordpress"
        if movabletype.looks_right(path):
            return "movabletype"
    except OSError as error:
        raise ContentError(f"{path}: cannot be read: {error.strerror}; mend that and import again") from error
    raise ContentError(f"{path}: is in no format that can be imported; name {_NAMED}")


def import_any(
    config: Config,
    site_name: str,
    path: Path | str,
    format: str = "auto",
    source: str | None = None,
    uploads: Path | str | None = None,
    encoding: str | None = None,
    remove: bool = False,
    progress: Progress | None = None,
    allow_removals: bool = False,
) -> Report:
    """Bring what is at `path` into a site, whichever format it is in; returns what became of each part of it.

    A folder of Markdown is always taken as a whole, and what is gone from it is removed; of a file, which may be one
    part of many, only with `remove`. `uploads` is for WordPress and `encoding` for Movable Type.

    Raises:
        ContentError: it is in none of the formats or broken, an option is for another format, or too much would be
        removed at once without `allow_removals`; nothing has been touched.
        ConfigError: there is no such site.
    """
    place = Path(path)
    found = format_of(place, format)
    for name, value in (("uploads", uploads), ("encoding", encoding)):
        if value is not None and found != _OWN[name]:
            raise ContentError(f"{place}: is of the format {found}, which has no {name}; leave --{name} out")
    if found == "wordpress":
        return wordpress.import_file(
            config, site_name, place, source, uploads, remove, progress, allow_removals=allow_removals
        )
    if found == "movabletype":
        return movabletype.import_file(config, site_name, place, source, encoding, remove, progress, allow_removals)
    return import_folder(config, site_name, place, "markdown", source, progress, allow_removals=allow_removals)

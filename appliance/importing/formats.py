"""Detection of the format at a path, and import of any format."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from appliance import audit, db
from appliance.config import Config
from appliance.errors import ApplianceError, ContentError
from appliance.importing import Progress, movabletype, wordpress
from appliance.importing.markdown.importer import import_folder
from appliance.importing.report import Report

Format = Literal["markdown", "movabletype", "wordpress"]
FORMATS: Final = ("auto", "markdown", "movabletype", "wordpress")

_IMPORTABLE: Final = "a folder of Markdown, a WordPress export or a file in Movable Type's format"
#: The only format that has an option.
_FORMAT_OF_OPTION: Final[dict[str, Format]] = {"uploads": "wordpress", "encoding": "movabletype"}


def detect_format(path: Path, requested: str = "auto") -> Format:
    """The format of the file or folder at `path`; with `requested`, the format that it must have.

    Raises:
        ContentError: there is no such format, nothing is at `path`, or it has another format.
    """
    if requested not in FORMATS:
        raise ContentError(f"“{requested}” is not a format to import; use one of {', '.join(FORMATS)}")
    if not path.exists():
        raise ContentError(f"{path}: does not exist; name {_IMPORTABLE}")
    if path.is_dir():
        if requested in ("auto", "markdown"):
            return "markdown"
        raise ContentError(f"{path}: is a folder, but the format {requested} needs a file; name the file")
    for name in ("markdown", "movabletype", "wordpress"):
        if requested == name:
            return name
    try:
        if wordpress.is_export(path):
            return "wordpress"
        if movabletype.is_export(path):
            return "movabletype"
    except OSError as error:
        raise ContentError(f"{path}: cannot be read: {error.strerror}; mend that and import again") from error
    raise ContentError(f"{path}: has no format that can be imported; name {_IMPORTABLE}")


def import_content(
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
    """Import the file or folder at `path` into a site; returns what became of each file or item.

    A folder of Markdown stands for the whole site: what is gone from it is deleted. A file may be one part of many, so
    what it does not have is deleted only with `remove`. `uploads` is for WordPress, and `encoding` for Movable Type.

    Raises:
        ContentError: the path has no known format or cannot be read, an option is for another format, or too much
            would be deleted at once without `allow_removals`. Nothing was written.
        ConfigError: there is no such site.
    """
    place = Path(path)
    found = detect_format(place, format)
    for name, value in (("uploads", uploads), ("encoding", encoding)):
        if value is not None and found != _FORMAT_OF_OPTION[name]:
            raise ContentError(f"{place}: has the format {found}, which has no {name}; leave --{name} out")
    options = {"path": str(place), "format": found, "source": source, "remove": remove, "removals": allow_removals}
    given = {name: value for name, value in options.items() if value}
    try:
        report = _import(config, site_name, place, found, source, uploads, encoding, remove, progress, allow_removals)
    except ApplianceError:  # nothing was written
        raise
    except BaseException as error:
        _audit(site_name, place, {**given, "broken_off": type(error).__name__})
        raise
    if not report.changed_nothing:
        _audit(site_name, place, given | report.counts())
        db.analyze_if_grown()
    return report


def _audit(site: str, place: Path, after: dict[str, object]) -> None:
    audit.record("entry.import", "import", site=site, label=place.name, after=after)


def _import(
    config: Config, site_name: str, place: Path, found: Format, source: str | None, uploads: Path | str | None,
    encoding: str | None, remove: bool, progress: Progress | None, allow_removals: bool,
) -> Report:  # fmt: skip
    if found == "wordpress":
        return wordpress.import_file(
            config, site_name, place, source, uploads, remove, progress, allow_removals=allow_removals
        )
    if found == "movabletype":
        return movabletype.import_file(config, site_name, place, source, encoding, remove, progress, allow_removals)
    return import_folder(config, site_name, place, source, progress, allow_removals=allow_removals)

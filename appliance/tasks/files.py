"""Uploaded files from the shell: put on the site, listed, moved, removed."""

from __future__ import annotations

from invoke import Context, task

from appliance import editorial
from appliance.errors import ContentError
from appliance.tasks.console import command, opened, tell, tell_json
from appliance.tasks.edited import ACTOR, JSON, LATER, SITE, VERBOSE, counted, report, words
from appliance.tasks.listing import cut, one_more, show_list


@task(
    positional=["file"],
    help={
        "file": "The file.",
        "path": "Its address below the site, such as pictures/cat.jpg; the name of the file when not given.",
        "entry": "The entry it belongs to: its id, slug, or address below the site.",
        **LATER, **SITE, **VERBOSE,
    },
)  # fmt: skip
@command
def upload(
    _context: Context, file: str, path: str = "", entry: str = "", later: bool = False, site: str = "",
    verbose: bool = False,
) -> None:  # fmt: skip
    """Put a file on the site, in the place of the one that is there."""
    with opened() as (config, _):
        done = editorial.upload(config, site, file, path, entry=entry or None, actor=ACTOR, later=later)
        asset = done.subject
        pixels = f", {asset.width} × {asset.height} pixels" if asset.width else ""
        report(done, f"{asset.path} uploaded, {counted(asset.size, 'byte')}{pixels}")


@task(
    name="assets",
    help={
        "path": "Those whose path contains this.",
        "entry": "Those of this entry: its id, slug, or address below the site.",
        "limit": "This many at most; 0 for all.",
        **JSON, **SITE, **VERBOSE,
    },
)  # fmt: skip
@command
def assets_list(
    _context: Context, path: str = "", entry: str = "", limit: int = 50, json: bool = False, site: str = "",
    verbose: bool = False,
) -> None:  # fmt: skip
    """The uploaded files for which all that is named holds, by path."""
    with opened() as (config, _):
        found = editorial.assets(config, site, path=path, entry=entry or None, limit=one_more(limit))
    found = cut(found, limit)
    if json:
        tell_json(found)
    elif not found:
        tell("no files")
    else:
        columns = {
            "id": [str(one["id"]) for one in found],
            "bytes": [f"{one['size']:,}" for one in found],
            "type": [one["media_type"] for one in found],
            "entry": [str(one["entry"] or "") for one in found],
            "path": [one["path"] for one in found],
        }
        show_list(columns, {"path": 4, "type": 2})


@task(
    name="move-asset",
    positional=["path"],
    help={"path": "Its path below the site, or its id.", "to": "Its new path.", **LATER, **SITE, **VERBOSE},
)
@command
def move_asset(
    _context: Context, path: str, to: str = "", later: bool = False, site: str = "", verbose: bool = False
) -> None:
    """Give an uploaded file another path."""
    if not to:
        raise ContentError(f"Name the new path of {path}: --to.")
    with opened() as (config, _):
        done = editorial.move_asset(config, site, path, to, actor=ACTOR, later=later)
        report(done, f"{path} moved to {done.subject.path}")


@task(name="remove-asset", help={**LATER, **SITE, **VERBOSE})
@command
def remove_asset(context: Context, later: bool = False, site: str = "", verbose: bool = False) -> None:
    """Take the files with these paths or ids off the site: all of them or none."""
    with opened() as (config, _):
        named = words(context, "the files by their paths, which content.assets lists")
        done = editorial.remove_asset(config, site, *named, actor=ACTOR, later=later)
        what = done.subject[0].path if len(done.subject) == 1 else counted(len(done.subject), "file")
        report(done, f"{what} removed")

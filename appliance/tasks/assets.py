"""Commands about uploaded files: upload, list, move and remove them."""

from __future__ import annotations

from invoke import Context, task

from appliance.editorial import AssetFilter
from appliance.errors import ContentError
from appliance.tasks.command_line import command, pluralize, print_json, print_line
from appliance.tasks.edit_output import print_result, require_arguments
from appliance.tasks.list_output import print_columns, read_rows, row_json
from appliance.tasks.option_help import JSON, LATER, SITE, VERBOSE
from appliance.tasks.verbs.assets import open_assets


@task(
    positional=["file"],
    help={
        "file": "The file to upload.",
        "path": "Its address below the site, such as pictures/cat.jpg; by default the name of the file.",
        "entry": "The entry it belongs to: its id, slug, or address below the site.",
        **LATER,
        **SITE,
        **VERBOSE,
    },
)
@command
def upload(
    _context: Context,
    file: str,
    path: str = "",
    entry: str = "",
    later: bool = False,
    site: str = "",
    verbose: bool = False,
) -> None:
    """Upload a file to the site, replacing an earlier one at the same path."""
    with open_assets(later=later) as verbs:
        result = verbs.upload_asset(site, file, path, entry=entry or None)
        asset = result.subject
        pixels = f", {asset.width} × {asset.height} pixels" if asset.width else ""
        print_result(result, f"{asset.path} uploaded, {pluralize(asset.size, 'byte')}{pixels}")


@task(
    name="assets",
    help={
        "path": "Files with a path that contains this.",
        "entry": "Files of this entry: its id, slug, or address below the site.",
        "limit": "List at most this many; 0 lists all.",
        **JSON,
        **SITE,
        **VERBOSE,
    },
)
@command
def assets_list(
    _context: Context,
    path: str = "",
    entry: str = "",
    limit: int = 50,
    json: bool = False,
    site: str = "",
    verbose: bool = False,
) -> None:
    """List uploaded files that match all given options, by path."""
    wanted = AssetFilter(path, entry or None)
    with open_assets() as verbs:
        rows = read_rows(lambda size, after: verbs.list_assets(site, wanted, size=size, after=after), limit)
    if json:
        print_json([row_json(row) for row in rows])
    elif not rows:
        print_line("no files")
    else:
        columns = {
            "id": [str(row.id) for row in rows],
            "bytes": [f"{row.size:,}" for row in rows],
            "type": [row.media_type for row in rows],
            "entry": [str(row.entry or "") for row in rows],
            "path": [row.path for row in rows],
        }
        print_columns(columns, {"path": 4, "type": 2})


@task(
    name="move-asset",
    positional=["path"],
    help={"path": "Its path below the site, or its id.", "to": "Its new path.", **LATER, **SITE, **VERBOSE},
)
@command
def move_asset(
    _context: Context, path: str, to: str = "", later: bool = False, site: str = "", verbose: bool = False
) -> None:
    """Move an uploaded file to another path."""
    if not to:
        raise ContentError(f"Give the new path of {path}: --to.")
    with open_assets(later=later) as verbs:
        result = verbs.move_asset(site, path, to)
        print_result(result, f"{path} moved to {result.subject.path}")


@task(name="remove-asset", help={**LATER, **SITE, **VERBOSE})
@command
def remove_asset(context: Context, later: bool = False, site: str = "", verbose: bool = False) -> None:
    """Remove the uploaded files with these paths or ids from the site: all of them or none."""
    with open_assets(later=later) as verbs:
        named = require_arguments(context, "the files by the paths that content.assets shows")
        result = verbs.remove_assets(site, *named)
        what = result.subject[0].path if len(result.subject) == 1 else pluralize(len(result.subject), "file")
        print_result(result, f"{what} removed")

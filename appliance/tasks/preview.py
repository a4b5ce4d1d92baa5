"""The command that renders an unpublished entry for its author."""

from __future__ import annotations

from pathlib import Path

from invoke import Context, task

from appliance import editorial
from appliance.planning.paths import url_path
from appliance.tasks.command_line import command, open_installation, pluralize, print_json, print_line
from appliance.tasks.option_help import ENTRY, JSON, SITE, VERBOSE


@task(
    positional=["entry"],
    help={
        "entry": ENTRY,
        "to": "The folder to write to; by default the folder preview beside the settings file.",
        **JSON,
        **SITE,
        **VERBOSE,
    },
)
@command
def preview(
    _context: Context, entry: str, to: str = "", json: bool = False, site: str = "", verbose: bool = False
) -> None:
    """Render an entry, and the listings that would show it, as if it were published now, into a separate folder."""
    with open_installation() as (config, _):
        files = editorial.preview_entry(config, site, entry, Path(to) if to else None)
        folder = Path(to).absolute() if to else config.path.parent / "preview"
    if json:
        print_json({"folder": str(folder), "page": files[0], "files": files})
        return
    print_line(f"{pluralize(len(files), 'file')} in {folder}; nothing is published")
    print_line(f"To see it: python3 -m http.server --bind 127.0.0.1 --directory {folder}")
    print_line(f"and open http://127.0.0.1:8000/{url_path(files[0])}")

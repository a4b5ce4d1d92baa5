"""Drafts as they would be published, where no reader sees them."""

from __future__ import annotations

from pathlib import Path

from invoke import Context, task

from appliance import editorial
from appliance.planning.paths import link
from appliance.tasks.console import command, opened, tell, tell_json
from appliance.tasks.edited import ENTRY, JSON, SITE, VERBOSE, counted


@task(
    positional=["entry"],
    help={
        "entry": ENTRY,
        "to": "The folder to write to; preview beside the settings when not given.",
        **JSON, **SITE, **VERBOSE,
    },
)  # fmt: skip
@command
def preview(
    _context: Context, entry: str, to: str = "", json: bool = False, site: str = "", verbose: bool = False
) -> None:
    """Render an entry as if it were published now, and the listings that would show it, into a folder of its own."""
    with opened() as (config, _):
        made = editorial.preview(config, site, entry, Path(to) if to else None)
        folder = Path(to).absolute() if to else config.path.parent / "preview"
    if json:
        tell_json({"folder": str(folder), "page": made[0], "files": made})
        return
    tell(f"{counted(len(made), 'file')} in {folder}; nothing is published")
    tell(f"To see it: python3 -m http.server --bind 127.0.0.1 --directory {folder}")
    tell(f"and open http://127.0.0.1:8000/{link(made[0])}")

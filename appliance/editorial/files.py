"""Uploaded files: put on the site, replaced, moved, removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from appliance import db
from appliance.config import Config
from appliance.content import assets as content
from appliance.content.models import Asset, Entry, Site
from appliance.editorial.done import Done, carry_out
from appliance.editorial.finding import entry_named, file_here, own_asset, refuse_source, site_named


def upload(
    config: Config, site: str, file: str | Path, path: str = "", *, entry: Entry | int | str | None = None,
    actor: str = "", later: bool = False,
) -> Done[Asset]:  # fmt: skip
    """Put a file on the site at `path` (its own name when empty), in the place of what is there.

    `entry` is the one it belongs to; a file that is replaced stays that of its entry unless one is named.

    Raises:
        ContentError: it cannot be read, the path is none, what is there belongs to a source, or there is no such entry.
        ConfigError, ThemeError: nothing has been changed.
    """

    def work(row: Site) -> tuple[Asset, bool]:
        source = file_here(file)
        place = content.clean_path(path.removeprefix(row.url) or source.name)
        there = Asset.get_or_none(Asset.site == row, Asset.path == place)
        if there is not None:
            refuse_source(config, there)
        owner = there.entry_id if there else None
        owner = owner if entry is None else entry_named(row, entry).id
        origin, origin_path = (there.source, there.source_path) if there else (None, None)
        return content.add_file(
            config, row, source, place, entry=owner, source=origin, source_path=origin_path, actor=actor
        )

    return carry_out(config, site, later, work)


def move_asset(
    config: Config, site: str, asset: Asset | int | str, path: str, *, actor: str = "", later: bool = False
) -> Done[Asset]:
    """Give a file (its path or id) another path. Errors as `upload`."""

    def work(row: Site) -> tuple[Asset, bool]:
        found = own_asset(config, row, asset)
        return found, content.move(found, path.removeprefix(row.url), actor)

    return carry_out(config, site, later, work)


def remove_asset(
    config: Config, site: str, *assets: Asset | int | str, actor: str = "", later: bool = False
) -> Done[list[Asset]]:
    """Take files off the site, all or none. Errors as `upload`."""

    def work(row: Site) -> tuple[list[Asset], bool]:
        found = list({asset.id: asset for asset in (own_asset(config, row, named) for named in assets)}.values())
        with db.write():
            for asset in found:
                content.delete(asset, actor)
        return found, bool(found)

    return carry_out(config, site, later, work)


def assets(
    config: Config, site: str, *, path: str = "", entry: Entry | int | str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """Files whose path contains `path` and which belong to `entry`, by path, as plain values.

    Raises:
        ContentError: there is no such entry.
    """
    row = site_named(config, site)
    query = Asset.select().where(Asset.site == row)
    query = query.where(Asset.path.contains(path)) if path else query
    query = query.where(Asset.entry == entry_named(row, entry).id) if entry is not None else query
    return [
        {
            "id": asset.id, "path": asset.path, "size": asset.size, "media_type": asset.media_type,
            "width": asset.width, "height": asset.height, "entry": asset.entry_id, "source": asset.source,
        }
        for asset in query.order_by(Asset.path).limit(limit)
    ]  # fmt: skip

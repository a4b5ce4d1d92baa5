"""Commands that upload, replace, move and remove files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from appliance import db
from appliance.actor import UNKNOWN, Actor
from appliance.config import Config
from appliance.content import assets as content
from appliance.content import versions
from appliance.content.models import Asset, Entry, Site
from appliance.editorial import acts, taken_paths, upload_judgement
from appliance.editorial.lookup import check_editable, find_asset, find_editable_asset, find_entry
from appliance.editorial.result import NO_VERSIONS, EditResult, apply_edit
from appliance.editorial.upload_judgement import Accepted
from appliance.errors import ContentError


def upload_asset(
    config: Config,
    site: str,
    file: str | Path,
    path: str = "",
    *,
    entry: Entry | int | str | None = None,
    expected_version: str | None = None,
    accepts: Accepted = "anything",
    must_be_free: bool = False,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[Asset]:
    """Upload a local file to `path` below the site, and replace the file that is there, unless it `must_be_free`.

    By default `path` is the name of the local file. The upload is attached to `entry`. Without `entry`, a replacement
    stays attached to the same entry as the file it replaces. `expected_version` is the version of the file to replace.
    A file from the network is judged first: see `Accepted`.

    Raises:
        EditConflict: somebody has changed the file at `path` since that version.
        ContentError: the local file cannot be read, the path is invalid, the file at `path` comes from a source, the
            entry does not exist, a version is expected and there is no file at `path`, the file is not accepted, or
            it may be only `harmless` and something else is published at its path.
        ConfigError, ThemeError: the site or its theme cannot be used, and nothing was changed.
    """

    def edit(row: Site) -> tuple[Asset, bool]:
        local_file = _existing_file(file)
        place = content.clean_path(path.removeprefix(row.url) or local_file.name)
        upload_judgement.judge(local_file, place, accepts)
        replaced = Asset.get_or_none(Asset.site == row, Asset.path == place)
        if replaced is not None:
            check_editable(config, replaced)
        elif accepts == "harmless":
            taken_paths.require_free_upload(row, place)
        owner = replaced.entry_id if replaced else None
        owner = owner if entry is None else find_entry(row, entry).id
        source, source_path = (replaced.source, replaced.source_path) if replaced else (None, None)
        if expected_version is not None:
            replaced = find_asset(row, place)
        stored = content.store_file(config, local_file, place)
        with db.write():
            if replaced is not None:
                versions.expect(replaced, expected_version)
            before = Asset.get_or_none(Asset.site == row, Asset.path == place)
            if must_be_free and before is not None:
                raise ContentError(f"There is a file at “{place}” already; choose another path, or replace that file.")
            values = acts.asset_values(before) if before is not None else None
            saved, changed = content.save(
                row,
                stored,
                place,
                entry=owner,
                source=source,
                source_path=source_path,
                actor=actor.name,
                gives_way=accepts == "harmless" if replaced is None else bool(replaced.gives_way),
            )
            acts.record_upload(row, saved, values, actor)
        return saved, changed

    return apply_edit(config, site, actor, later, edit)


def move_asset(
    config: Config,
    site: str,
    asset: Asset | int | str,
    path: str,
    *,
    expected_version: str | None = None,
    accepts: Accepted = "anything",
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[Asset]:
    """Move a file to another path below the site. `asset` may be a path or an id.

    Its name says what a browser takes it for, so it is judged under the new one.

    Raises:
        EditConflict: somebody has changed the file since the expected version.
        ContentError: the file does not exist or comes from a source, or the new path is invalid or taken.
        ConfigError, ThemeError: the site or its theme cannot be used, and nothing was changed.
    """

    def edit(row: Site) -> tuple[Asset, bool]:
        found = find_editable_asset(config, row, asset)
        place = content.clean_path(path.removeprefix(row.url))
        if accepts != "anything":
            upload_judgement.judge(content.stored_path(config, found.digest), place, accepts)
        if accepts == "harmless" and place != found.path:
            taken_paths.require_free_upload(row, place)
        with db.write():
            versions.expect(found, expected_version)
            before = found.path
            changed = content.move(found, path.removeprefix(row.url), actor.name, gives_way=accepts == "harmless")
            if changed:
                acts.record_asset_moved(row, found, before, actor)
        return found, changed

    return apply_edit(config, site, actor, later, edit)


def remove_assets(
    config: Config,
    site: str,
    *assets: Asset | int | str,
    expected_versions: Mapping[int, str] = NO_VERSIONS,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[list[Asset]]:
    """Remove files from the site, either all of them or none.

    `expected_versions` maps the id of a file to its expected version. Raises the same errors as `move_asset`.
    """

    def edit(row: Site) -> tuple[list[Asset], bool]:
        rows = [find_editable_asset(config, row, asset) for asset in assets]
        with db.write():
            found = versions.expect_all(rows, expected_versions)
            acts.record_assets_deleted(row, found, actor)
            for asset in found:
                content.delete(asset, actor.name)
        return found, bool(found)

    return apply_edit(config, site, actor, later, edit)


def _existing_file(name: str | Path) -> Path:
    file = Path(name).expanduser()
    if not file.is_file():
        raise ContentError(f"{file}: {'is not a file' if file.exists() else 'does not exist'}; name a file.")
    return file

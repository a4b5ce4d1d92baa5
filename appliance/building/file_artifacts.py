"""Artifacts that are published as files without rendering: static files of a theme, uploads and thumbnails.

A thumbnail is made once on each host for a picture, width and quality, and kept beside the uploads.
"""

from __future__ import annotations

import os
from pathlib import Path

from appliance.building.docroot import File
from appliance.building.thumbnails import Resizer
from appliance.building.upload_store import require_upload
from appliance.config import Config
from appliance.content.assets import file_digest
from appliance.errors import BuildError
from appliance.planning.theme import Theme


def static_file(theme: Theme, name: str, path: str) -> File:
    """A static file of the theme.

    Raises:
        BuildError: the theme no longer has it.
    """
    file = theme.static_files.get(name)
    if file is None or not file.is_file():
        raise BuildError(f"{path}: the theme has no static file “{name}” any more; publish again", path)
    return _file(file)


def upload(config: Config, asset: int, digest: str, size: int, path: str) -> File:
    """An uploaded file, which the assets folder keeps under its digest.

    Raises:
        BuildError, ContentError: its bytes are not on this host.
    """
    return File(require_upload(config, asset, digest, path), digest, size)


def thumbnail(config: Config, asset: int, digest: str, width: int, quality: int, resizer: Resizer, path: str) -> File:
    """A thumbnail of the picture with this digest, made now unless it was made before.

    Raises:
        BuildError, ContentError: the picture is not on this host, or cannot be resized.
    """
    kept = config.assets_folder / "derived" / digest[:2] / f"{digest}-{width}-{quality}"
    if not kept.is_file():
        picture = require_upload(config, asset, digest, path)
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f".{os.getpid()}-{kept.name}")
        try:
            resizer.resize(picture, temporary, width, quality, path)
            temporary.replace(kept)
        finally:
            temporary.unlink(missing_ok=True)
    return _file(kept)


def _file(file: Path) -> File:
    return File(file, file_digest(file), file.stat().st_size)

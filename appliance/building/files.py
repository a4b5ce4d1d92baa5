"""Artifacts that are files already: a theme's static files, uploads, and smaller copies of pictures.

A smaller copy is made once for each picture, width and quality on a host, and kept beside the uploads.
"""

from __future__ import annotations

import os
from pathlib import Path

from appliance.building.docroot import File
from appliance.building.resizing import Resizer
from appliance.building.uploads import at_hand
from appliance.config import Config
from appliance.content.assets import digest_of
from appliance.errors import BuildError
from appliance.planning.theme import Theme


def static_file(theme: Theme, name: str, path: str) -> File:
    """A file of the theme.

    Raises:
        BuildError: the theme no longer has it.
    """
    file = theme.static_files.get(name)
    if file is None or not file.is_file():
        raise BuildError(f"{path}: the theme has no static file “{name}” any more; publish again", path)
    return _file(file)


def upload(config: Config, asset: int, digest: str, size: int, path: str) -> File:
    """An uploaded file, kept in the assets folder by its digest.

    Raises:
        BuildError, ContentError: its bytes are not here.
    """
    return File(at_hand(config, asset, digest, path), digest, size)


def thumbnail(config: Config, asset: int, digest: str, width: int, quality: int, resizer: Resizer, path: str) -> File:
    """A smaller copy of the picture kept under `digest`, from the kept copies or made now.

    Raises:
        BuildError, ContentError: the picture is not here, or cannot be made smaller.
    """
    kept = config.assets_folder / "derived" / digest[:2] / f"{digest}-{width}-{quality}"
    if not kept.is_file():
        picture = at_hand(config, asset, digest, path)
        kept.parent.mkdir(parents=True, exist_ok=True)
        fresh = kept.with_name(f".{os.getpid()}-{kept.name}")
        try:
            resizer.resize(picture, fresh, width, quality, path)
            fresh.replace(kept)
        finally:
            fresh.unlink(missing_ok=True)
    return _file(kept)


def _file(file: Path) -> File:
    return File(file, digest_of(file), file.stat().st_size)

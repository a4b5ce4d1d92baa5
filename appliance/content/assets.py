"""Uploaded files: bytes kept once, by digest, and a row for each address they have on a site.

Guarantees that a kept file is whole or absent (written beside its place, then renamed) and never changes
afterwards, so that whatever names its digest can rely on its bytes; and that no picture is decoded here, only
its header read.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from PIL import Image

from appliance import db
from appliance.config import Config
from appliance.content.changes import record
from appliance.content.models import Asset, Entry, Site
from appliance.errors import ContentError

#: What Pillow may try to read; anything else is a plain file.
PICTURES = {
    "image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WEBP", "image/avif": "AVIF",
    "image/bmp": "BMP", "image/tiff": "TIFF",
}  # fmt: skip

_CHUNK = 1 << 20
_TURNED = (5, 6, 7, 8)
_ORIENTATION = 0x0112

mimetypes.add_type("image/avif", ".avif")
mimetypes.add_type("image/webp", ".webp")
mimetypes.add_type("font/woff2", ".woff2")


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a kept file, in bytes and pixels; `note` says why a picture counts as a plain file."""

    digest: str
    size: int
    media_type: str
    width: int | None = None
    height: int | None = None
    note: str = ""


def kept_file(config: Config, digest: str) -> Path:
    """Where the bytes with this digest are kept."""
    return config.assets_folder / digest[:2] / digest


def digest_of(file: Path) -> str:
    """BLAKE2b-256 of a file's bytes, hexadecimal."""
    with file.open("rb") as stream:
        return _copy(stream, None)[0]


def keep(config: Config, file: Path, name: str = "") -> Kept:
    """Keep the bytes of `file`; `name` (its own by default) tells its media type.

    Raises:
        ContentError: it cannot be read or kept.
    """
    try:
        digest, size = _keep_bytes(config, file)
    except OSError as error:
        raise ContentError(f"{file}: cannot be kept: {error.strerror}; mend that and try again") from error
    media_type = mimetypes.guess_type(name or file.name, strict=False)[0] or "application/octet-stream"
    width, height, note = picture_size(kept_file(config, digest), media_type)
    return Kept(digest, size, media_type, width, height, note)


def keep_exactly(config: Config, file: Path, digest: str) -> bool:
    """Keep the bytes of `file` if they have this digest; returns whether they have. What is not there has not.

    Raises:
        ContentError: they cannot be kept.
    """
    try:
        return file.is_file() and _keep_bytes(config, file, digest)[0] == digest
    except FileNotFoundError:  # deleted this moment
        return False
    except OSError as error:
        raise ContentError(f"{file}: cannot be kept: {error.strerror}; mend that and try again") from error


def picture_size(file: Path, media_type: str) -> tuple[int | None, int | None, str]:
    """Width and height in pixels as shown, EXIF turns included, or a note why it is no usable picture."""
    if media_type not in PICTURES:
        return None, None, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=[PICTURES[media_type]]) as image:
                width, height = image.size
                turned = image.getexif().get(_ORIENTATION) in _TURNED
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None, None, "has too many pixels for a picture; it is kept as a plain file"
    except Exception:  # whatever a damaged header provokes in a decoder
        return None, None, f"is not a readable {PICTURES[media_type]} picture; it is kept as a plain file"
    return (height, width, "") if turned else (width, height, "")


def add_file(
    config: Config,
    site: Site,
    file: Path,
    path: str,
    *,
    entry: Entry | int | None = None,
    source: str | None = None,
    source_path: str | None = None,
    actor: str = "",
) -> tuple[Asset, bool]:
    """Put `file` on the site at `path`; returns the asset and whether anything changed.

    Raises:
        ContentError: the file cannot be kept, or the path is not one or is taken by another source's file.
    """
    return save(site, keep(config, file, path), path, entry=entry, source=source, source_path=source_path, actor=actor)


def save(
    site: Site,
    kept: Kept,
    path: str,
    *,
    entry: Entry | int | None = None,
    source: str | None = None,
    source_path: str | None = None,
    actor: str = "",
) -> tuple[Asset, bool]:
    """Give kept bytes an address. The asset of the same source path is moved, the one at `path` replaced.

    Raises:
        ContentError: as `add_file`.
    """
    path = clean_path(path)
    values = {
        "path": path,
        "entry": entry.id if isinstance(entry, Entry) else entry,
        "digest": kept.digest,
        "size": kept.size,
        "media_type": kept.media_type,
        "width": kept.width,
        "height": kept.height,
        "source": source,
        "source_path": source_path,
    }
    with db.write():
        asset = _existing(site, path, source, source_path)
        if asset is None:
            asset = Asset.create(site=site, **values)
            record(site, "asset added", "asset", asset.id, asset.entry_id, actor)
            return asset, True
        now = {**asset.__data__}
        differing = {column for column, value in values.items() if now[column] != value}
        if not differing:
            return asset, False
        for column in differing:
            setattr(asset, column, values[column])
        asset.save(only=sorted(differing))
        changed = bool(differing - {"source", "source_path"})
        if changed:
            was = {"path": now["path"]} if "path" in differing else None
            record(site, "asset edited", "asset", asset.id, asset.entry_id, actor, was=was)
            if "entry" in differing and now["entry"] is not None:
                record(site, "asset left an entry", "asset", asset.id, now["entry"], actor)
    return asset, changed


def move(asset: Asset, path: str, actor: str = "") -> bool:
    """Give an asset another address; returns whether it is another.

    Raises:
        ContentError: the path is none, or another file's.
    """
    path = clean_path(path)
    with db.write():
        was = Asset.get_or_none(Asset.id == asset.id)
        if was is None:
            raise ContentError(f"the file “{asset.path}” is gone; name another")
        if was.path == path:
            return False
        if Asset.select().where(Asset.site == was.site_id, Asset.path == path).exists():
            raise ContentError(f"the address “{path}” is that of another file; name another, or remove that one first")
        Asset.update(path=path).where(Asset.id == was.id).execute()
        record(was.site_id, "asset moved", "asset", was.id, was.entry_id, actor, was={"path": was.path})
    asset.path = path
    return True


def delete(asset: Asset, actor: str = "") -> None:
    """Take an asset off its site. Its bytes stay: other assets may have them too."""
    with db.write():
        if Asset.delete().where(Asset.id == asset.id).execute():
            record(asset.site_id, "asset removed", "asset", asset.id, asset.entry_id, actor)


def clean_path(path: str) -> str:
    """`path` as an address below the site.

    Raises:
        ContentError: it is empty, absolute, leaves the site or holds what no address may.
    """
    parts = PurePosixPath(path).parts
    bad = not parts or path.startswith("/") or ".." in parts or "\\" in path or any(ord(c) < 32 for c in path)
    if bad or any(len(part.encode(errors="replace")) > 255 for part in parts):
        raise ContentError(f"“{path[:120]}” cannot be the address of a file; write it like pictures/cat.jpg")
    return "/".join(parts)


def _existing(site: Site, path: str, source: str | None, source_path: str | None) -> Asset | None:
    at_path = Asset.get_or_none(Asset.site == site, Asset.path == path)
    if at_path is not None and at_path.source != source:
        owner = at_path.source or "an upload"
        raise ContentError(f"the address “{path}” is that of a file of {owner}; give one of them another path")
    if source_path is None:
        return at_path
    named = Asset.get_or_none(Asset.site == site, Asset.source == source, Asset.source_path == source_path)
    if named is not None and at_path is not None and named.id != at_path.id:
        raise ContentError(f"“{source_path}” and “{at_path.source_path}” would both be at “{path}”; rename one of them")
    return named or at_path


def _keep_bytes(config: Config, file: Path, wanted: str | None = None) -> tuple[str, int]:
    """Keep a file's bytes, if they have the digest that is wanted; returns their digest and size."""
    folder = config.assets_folder
    folder.mkdir(parents=True, exist_ok=True)
    number, temporary = tempfile.mkstemp(prefix=".new-", dir=folder)
    try:
        with os.fdopen(number, "wb") as copy, file.open("rb") as stream:
            digest, size = _copy(stream, copy)
        kept = kept_file(config, digest)
        if not kept.exists() and wanted in (None, digest):
            kept.parent.mkdir(exist_ok=True)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(kept)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return digest, size


def _copy(stream: IO[bytes], copy: IO[bytes] | None) -> tuple[str, int]:
    state = hashlib.blake2b(digest_size=32)
    size = 0
    while chunk := stream.read(_CHUNK):
        state.update(chunk)
        size += len(chunk)
        if copy is not None:
            copy.write(chunk)
    return state.hexdigest(), size

"""Uploaded files: the bytes, stored once per digest, and a row for each address that they have on a site.

A stored file is complete or absent, because it is written to a temporary file and then renamed. It never changes
afterwards, so a digest always names the same bytes. Pictures are not decoded here; only their headers are read.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import stat
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

#: Media types that Pillow may open, with its names of the formats. Files of other types are not treated as pictures.
PICTURE_FORMATS = {
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WEBP",
    "image/avif": "AVIF",
    "image/bmp": "BMP",
    "image/tiff": "TIFF",
}

_CHUNK = 1 << 20
#: The EXIF tag for the orientation, and its values that swap width and height.
_ORIENTATION = 0x0112
_ROTATED = (5, 6, 7, 8)

mimetypes.add_type("image/avif", ".avif")
mimetypes.add_type("image/webp", ".webp")
mimetypes.add_type("font/woff2", ".woff2")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file: size in bytes, width and height in pixels. `note` says why a picture counts as a plain file."""

    digest: str
    size: int
    media_type: str
    width: int | None = None
    height: int | None = None
    note: str = ""


def stored_path(config: Config, digest: str) -> Path:
    """The path of the stored file with this digest."""
    return config.assets_folder / digest[:2] / digest


def file_digest(file: Path) -> str:
    """The BLAKE2b-256 digest of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return _copy(stream, None)[0]


def store_file(config: Config, file: Path, name: str = "") -> StoredFile:
    """Store the bytes of `file`. The media type is guessed from `name`, by default the name of the file.

    Raises:
        ContentError: the file cannot be read or stored.
    """
    try:
        digest, size = _store_bytes(config, file)
    except OSError as error:
        raise ContentError(f"{file}: cannot be stored: {error.strerror}; fix that and try again") from error
    media_type = mimetypes.guess_type(name or file.name, strict=False)[0] or "application/octet-stream"
    width, height, note = picture_size(stored_path(config, digest), media_type)
    return StoredFile(digest, size, media_type, width, height, note)


def store_matching_file(config: Config, file: Path, digest: str) -> bool:
    """Store `file` if its bytes have this digest; returns whether it exists and they do.

    Raises:
        ContentError: the file cannot be read or stored.
    """
    try:
        return file.is_file() and _store_bytes(config, file, digest)[0] == digest
    except FileNotFoundError:  # deleted after the check
        return False
    except OSError as error:
        raise ContentError(f"{file}: cannot be stored: {error.strerror}; fix that and try again") from error


def picture_size(file: Path, media_type: str) -> tuple[int | None, int | None, str]:
    """Width and height in pixels as displayed, after EXIF rotation, or a note why the picture cannot be used."""
    if media_type not in PICTURE_FORMATS:
        return None, None, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=[PICTURE_FORMATS[media_type]]) as image:
                width, height = image.size
                is_rotated = image.getexif().get(_ORIENTATION) in _ROTATED
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None, None, "has too many pixels for a picture; it is kept as a plain file"
    except Exception:  # a damaged header may raise anything
        return None, None, f"is not a readable {PICTURE_FORMATS[media_type]} picture; it is kept as a plain file"
    return (height, width, "") if is_rotated else (width, height, "")


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
    """Store `file` and put it on the site at `path`; returns the asset and whether anything changed.

    Raises:
        ContentError: the file cannot be stored, the path is invalid, or it belongs to a file of another source.
    """
    return save(
        site, store_file(config, file, path), path, entry=entry, source=source, source_path=source_path, actor=actor
    )


def save(
    site: Site,
    stored: StoredFile,
    path: str,
    *,
    entry: Entry | int | None = None,
    source: str | None = None,
    source_path: str | None = None,
    gives_way: bool = False,
    actor: str = "",
) -> tuple[Asset, bool]:
    """Put a stored file on the site at `path`; returns the asset and whether anything changed.

    An asset of the same source path is moved to `path`. An asset that is at `path` already is replaced. A file that
    `gives_way` is not published where the theme makes something.

    Raises:
        ContentError: the path is invalid, or it belongs to a file of another source.
    """
    path = clean_path(path)
    values = {
        "path": path,
        "entry": entry.id if isinstance(entry, Entry) else entry,
        "digest": stored.digest,
        "size": stored.size,
        "media_type": stored.media_type,
        "width": stored.width,
        "height": stored.height,
        "gives_way": gives_way or None,
        "source": source,
        "source_path": source_path,
    }
    with db.write():
        asset = _find_existing(site, path, source, source_path)
        if asset is None:
            asset = Asset.create(site=site, **values)
            record(site, "asset added", "asset", asset.id, asset.entry_id, actor)
            return asset, True
        before = {**asset.__data__}
        differing = {column for column, value in values.items() if before[column] != value}
        if not differing:
            return asset, False
        for column in differing:
            setattr(asset, column, values[column])
        asset.save(only=sorted(differing))
        changed = bool(differing - {"source", "source_path"})
        if changed:
            previous = {"path": before["path"]} if "path" in differing else None
            record(site, "asset edited", "asset", asset.id, asset.entry_id, actor, previous=previous)
            if "entry" in differing and before["entry"] is not None:
                record(site, "asset left an entry", "asset", asset.id, before["entry"], actor)
    return asset, changed


def move(asset: Asset, path: str, actor: str = "", *, gives_way: bool = False) -> bool:
    """Move an asset to another address, where it `gives_way` to the theme or not; returns whether that changed.

    Raises:
        ContentError: the asset was removed, the path is invalid, or it belongs to another file.
    """
    path = clean_path(path)
    with db.write():
        row = Asset.get_or_none(Asset.id == asset.id)
        if row is None:
            raise ContentError(f"the file “{asset.path}” was removed; choose another file")
        if row.path == path:
            return False
        if Asset.select().where(Asset.site == row.site_id, Asset.path == path).exists():
            raise ContentError(f"another file has the address “{path}”; choose another, or remove that file first")
        Asset.update(path=path, gives_way=gives_way or None).where(Asset.id == row.id).execute()
        record(row.site_id, "asset moved", "asset", row.id, row.entry_id, actor, previous={"path": row.path})
    asset.path = path
    return True


def delete(asset: Asset, actor: str = "") -> None:
    """Remove an asset from its site. The stored bytes stay, since other assets may share them."""
    with db.write():
        if Asset.delete().where(Asset.id == asset.id).execute():
            record(asset.site_id, "asset removed", "asset", asset.id, asset.entry_id, actor)


def clean_path(path: str) -> str:
    """Normalize `path` to an address below the site.

    Raises:
        ContentError: it is empty, absolute or outside the site, or contains a forbidden character.
    """
    parts = PurePosixPath(path).parts
    is_bad = not parts or path.startswith("/") or ".." in parts or "\\" in path or any(ord(c) < 32 for c in path)
    if is_bad or any(len(part.encode(errors="replace")) > 255 for part in parts):
        raise ContentError(f"“{path[:120]}” cannot be the address of a file; write it like pictures/cat.jpg")
    return "/".join(parts)


def _find_existing(site: Site, path: str, source: str | None, source_path: str | None) -> Asset | None:
    at_path = Asset.get_or_none(Asset.site == site, Asset.path == path)
    if at_path is not None and at_path.source != source:
        origin = f"the source “{at_path.source}”" if at_path.source else "an upload"
        raise ContentError(f"the address “{path}” is taken by a file of {origin}; give one of them another path")
    if source_path is None:
        return at_path
    of_source = Asset.get_or_none(Asset.site == site, Asset.source == source, Asset.source_path == source_path)
    if of_source is not None and at_path is not None and of_source.id != at_path.id:
        raise ContentError(f"“{source_path}” and “{at_path.source_path}” would both be at “{path}”; rename one of them")
    return of_source or at_path


def _store_bytes(config: Config, file: Path, expected: str | None = None) -> tuple[str, int]:
    """Store the bytes of a file, unless they have another digest than `expected`; returns their digest and size."""
    folder = config.assets_folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # the folder also holds the files of drafts
    number, temporary = tempfile.mkstemp(prefix=".new-", dir=folder)
    try:
        with os.fdopen(number, "wb") as copy, file.open("rb") as stream:
            digest, size = _copy(stream, copy)
        stored = stored_path(config, digest)
        if not stored.exists() and expected in (None, digest):
            _make_folder(stored.parent)
            Path(temporary).chmod(0o640)
            Path(temporary).replace(stored)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return digest, size


def _make_folder(folder: Path) -> None:
    """Make a folder for stored files, into which the group may write if it may into the one above.

    So the admin application can store files under an account of its own.
    """
    try:
        folder.mkdir()
    except FileExistsError:
        return
    if folder.parent.stat().st_mode & stat.S_IWGRP:
        folder.chmod(0o770)


def _copy(stream: IO[bytes], copy: IO[bytes] | None) -> tuple[str, int]:
    state = hashlib.blake2b(digest_size=32)
    size = 0
    while chunk := stream.read(_CHUNK):
        state.update(chunk)
        size += len(chunk)
        if copy is not None:
            copy.write(chunk)
    return state.hexdigest(), size

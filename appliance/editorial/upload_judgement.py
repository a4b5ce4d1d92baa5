"""Judging uploads from the network: whether a file is what its name says, and whether it may be served at all.

Guarantees that web servers, which go by the name alone, never give a browser something else than the bytes are, and
that an author who may not publish HTML uploads nothing that a browser runs. Pictures are decoded for that in a process
of their own with limits (`picture_check`). Nothing is believed because the sender says so.
"""

from __future__ import annotations

import mimetypes
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Final, Literal

from appliance.content.assets import PICTURE_FORMATS
from appliance.errors import ContentError

#: `anything`: whoever has a shell may upload anything. `matching`: the content has to be what the name says.
#: `harmless`: it also has to be of a kind that no browser runs.
Accepted = Literal["anything", "matching", "harmless"]

#: Seconds that the process may take which decodes a picture.
_SECONDS: Final = 30
_HEAD: Final = 4096
_NAME_BYTES: Final = 200

#: What files begin with, by media type; a pair has an offset. Any other content is not of that type.
_SIGNATURES: Final[dict[str, tuple[tuple[int, bytes], ...]]] = {
    "application/pdf": ((0, b"%PDF-"),),
    "application/zip": ((0, b"PK\x03\x04"), (0, b"PK\x05\x06")),
    "application/epub+zip": ((0, b"PK\x03\x04"),),
    "application/vnd.oasis.opendocument.text": ((0, b"PK\x03\x04"),),
    "application/vnd.oasis.opendocument.spreadsheet": ((0, b"PK\x03\x04"),),
    "application/vnd.oasis.opendocument.presentation": ((0, b"PK\x03\x04"),),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ((0, b"PK\x03\x04"),),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ((0, b"PK\x03\x04"),),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ((0, b"PK\x03\x04"),),
    "application/gzip": ((0, b"\x1f\x8b"),),
    "audio/mpeg": ((0, b"ID3"), (0, b"\xff\xfb"), (0, b"\xff\xf3"), (0, b"\xff\xf2")),
    "audio/ogg": ((0, b"OggS"),),
    "audio/flac": ((0, b"fLaC"),),
    "audio/x-wav": ((0, b"RIFF"),),
    "audio/wav": ((0, b"RIFF"),),
    "audio/mp4": ((4, b"ftyp"),),
    "video/mp4": ((4, b"ftyp"),),
    "video/quicktime": ((4, b"ftyp"), (4, b"moov"), (4, b"mdat")),
    "video/webm": ((0, b"\x1a\x45\xdf\xa3"),),
    "video/ogg": ((0, b"OggS"),),
    "font/woff": ((0, b"wOFF"),),
    "font/woff2": ((0, b"wOF2"),),
    "font/ttf": ((0, b"\x00\x01\x00\x00"), (0, b"true")),
    "font/otf": ((0, b"OTTO"),),
}  # fmt: skip
#: Text that browsers show and never run.
_TEXTS: Final = frozenset({"text/plain", "text/csv", "text/markdown", "text/calendar", "text/vtt"})
#: Suffixes whose media type depends on the host's files, or is missing there.
_TYPES: Final = {
    ".avif": "image/avif", ".csv": "text/csv", ".epub": "application/epub+zip", ".flac": "audio/flac",
    ".gz": "application/gzip", ".ics": "text/calendar", ".m4a": "audio/mp4", ".md": "text/markdown",
    ".oga": "audio/ogg", ".ogg": "audio/ogg", ".otf": "font/otf", ".ttf": "font/ttf", ".txt": "text/plain",
    ".vtt": "text/vtt", ".webm": "video/webm", ".webp": "image/webp", ".woff": "font/woff", ".woff2": "font/woff2",
}  # fmt: skip
#: The most bytes that the beginning of such a tag takes.
_TAG_BYTES: Final = 64
_MARKUP: Final = re.compile(rb"<\s{0,32}(?:!doctype|html|head|body|script|svg|iframe|\?xml)", re.IGNORECASE)


def judge(file: Path, path: str, accepts: Accepted) -> None:
    """Judge a file that is to be at `path` below a site.

    Raises:
        ContentError: it is not accepted; says why, and what to do.
    """
    if accepts == "anything":
        return
    _check_names(path)
    name = path.rpartition("/")[2]
    media_type = _media_type(name)
    if media_type in PICTURE_FORMATS:
        _check_picture(file, name, PICTURE_FORMATS[media_type])
    elif signatures := _SIGNATURES.get(media_type):
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
        if not any(head[offset:].startswith(begins) for offset, begins in signatures):
            raise ContentError(f"“{name}” is no {media_type}, as its name says; correct the name or the file")
    elif media_type in _TEXTS:
        _check_text(file, name)
    elif accepts == "harmless":
        raise ContentError(
            f"“{name}” is of a kind ({media_type or 'unknown'}) that browsers might run; upload pictures, sound, video,"
            " documents or plain text, or ask an editor"
        )


def _media_type(name: str) -> str:
    suffix = Path(name).suffix.lower()
    return _TYPES.get(suffix) or mimetypes.guess_type(f"file{suffix}", strict=False)[0] or ""


def _check_names(path: str) -> None:
    for part in path.split("/"):
        odd = next((c for c in part if unicodedata.category(c)[0] in "CZ" and c != " "), "")
        if part.startswith(".") or part.endswith((" ", ".")) or odd or len(part.encode()) > _NAME_BYTES:
            raise ContentError(
                f"“{part[:120]}” cannot be a part of the path of an upload; use letters, digits, hyphens and periods"
            )


def _check_picture(file: Path, name: str, form: str) -> None:
    command = [sys.executable, "-m", "appliance.building.picture_check", str(file), form]
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False,
            start_new_session=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ContentError(f"“{name}” takes too long to decode; upload another picture") from None
    if ended.returncode:
        said = ended.stdout.strip() or "it cannot be decoded within the limits"
        raise ContentError(f"“{name}” is no {form} picture that can be shown: {said}; upload another one")


def _check_text(file: Path, name: str) -> None:
    end = b""
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            chunk, end = end + chunk, chunk[-_TAG_BYTES:]
            if b"\0" in chunk:
                raise ContentError(f"“{name}” is no text, as its name says; correct the name or the file")
            if _MARKUP.search(chunk):
                raise ContentError(f"“{name}” has HTML in it, which some browsers would run; upload it as a document")

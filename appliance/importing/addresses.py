"""Addresses and slugs of other systems, checked and cleaned for use on this site."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from appliance.errors import ContentError

_SEGMENT: Final = re.compile(r"[^\s/\\?#%:*\"<>|\x00-\x1f]+")
#: Bytes of a slug, in UTF-8, that leave room for an ending in the name of a file.
_LONGEST_SLUG: Final = 180


def clean_address(given: str) -> str:
    """The path below the site that an address means, without slashes around it or a trailing index.html.

    Raises:
        ContentError: it would leave the site or cannot be the path of a file.
    """
    parts = urlsplit(given.strip()) if "://" in given else None
    path = unquote(parts.path if parts else given.strip()).strip("/")
    segments = [segment for segment in path.split("/") if segment not in ("", ".")]
    if segments and segments[-1].lower() in ("index.html", "index.htm"):
        segments.pop()
    bad = any(s == ".." or s.startswith(".") or "\\" in s or any(ord(c) < 32 for c in s) for s in segments)
    if bad or any(len(segment.encode("utf-8", "replace")) > 240 for segment in segments):
        raise ContentError(f"“{given[:120]}” cannot be an address on the site; write it like 2024/05/hello")
    return "/".join(segments)


def is_slug(given: str) -> bool:
    """Whether another system's slug can be used here as it is."""
    return bool(_SEGMENT.fullmatch(given)) and not given.startswith(".") and len(given.encode()) <= _LONGEST_SLUG

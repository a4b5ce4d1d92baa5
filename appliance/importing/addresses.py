"""An entry's own address: what `path`, `permalink` or `url` of front matter make of it.

Guarantees that no address leaves the site, is the home page or a file that only another system makes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import unquote, urlsplit

from appliance import clock
from appliance.content.terms import slugify
from appliance.errors import ContentError

KEYS = ("path", "permalink", "url", "save_as")

_FILE_ENDINGS = (".xml", ".json", ".txt", ".css", ".js", ".rss", ".atom", ".webmanifest", ".ics")

_JEKYLL_NAMED = {
    "date": "/:categories/:year/:month/:day/:title.html",
    "pretty": "/:categories/:year/:month/:day/:title/",
    "ordinal": "/:categories/:year/:y_day/:title.html",
    "weekdate": "/:categories/:year/W:week/:short_day/:title.html",
    "none": "/:categories/:title.html",
}


@dataclass(frozen=True, slots=True)
class Place:
    """What a pattern may name. `moment` is in seconds since the epoch, `stem` the file name's."""

    slug: str
    stem: str
    folders: tuple[str, ...]
    categories: tuple[str, ...]
    moment: int | None
    zone: tzinfo


def own_address(meta: Mapping[str, Any], place: Place) -> str | None:
    """The address front matter gives, below the site; None when it gives none of this site.

    Raises:
        ContentError: it leaves the site, is the home page or no page's, or its pattern cannot be filled in.
    """
    for key in KEYS:
        value = meta.get(key)
        if not isinstance(value, str) or not value.strip() or is_elsewhere(value):
            continue
        value = _JEKYLL_NAMED.get(value.lower(), value)
        if re.search(r"(?:^|/|-):[a-z_]", value):
            value = _expanded(value, place)
        address = clean_address(value)
        if not address:
            raise ContentError("would be the home page, which the theme makes; give it another address")
        if address.lower().endswith(_FILE_ENDINGS):
            raise ContentError(f"makes “{address}”, which is a file of the other system and no page")
        return address
    return None


def is_elsewhere(address: str) -> bool:
    """Whether it is another site's, as in a link post, or a template of an address."""
    return "://" in address or "{" in address


def clean_address(given: str) -> str:
    """An address of front matter as kept: below the site, without slashes around it or a trailing index.html.

    Raises:
        ContentError: it would leave the site or cannot be a file's path.
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


def _expanded(pattern: str, place: Place) -> str:
    """Jekyll's and Hexo's `:year/:title` with the values of this file."""
    slug = place.slug
    values = {
        "title": slug, "slug": slug, "name": slug, "slugorfilename": slug, "basename": place.stem,
        "filename": place.stem, "output_ext": ".html", "path": "/".join([*place.folders, place.stem]),
        "categories": "/".join(place.categories), "section": "/".join(map(slugify, place.folders)),
        "collection": "posts",
    }  # fmt: skip
    if place.moment is not None:
        values |= _date_values(clock.local(place.moment, place.zone))

    def one(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise ContentError(f"permalink “{pattern}” holds :{match[1]}, which this file has no value for")
        return values[match[1]]

    return re.sub(r":([a-z_]+)", one, pattern)


def _date_values(local: datetime) -> dict[str, str]:
    return {
        "year": f"{local.year:04}", "month": f"{local.month:02}", "day": f"{local.day:02}",
        "i_month": str(local.month), "i_day": str(local.day), "short_year": f"{local.year % 100:02}",
        "hour": f"{local.hour:02}", "minute": f"{local.minute:02}", "second": f"{local.second:02}",
        "y_day": f"{local.timetuple().tm_yday:03}", "yearday": str(local.timetuple().tm_yday),
        "week": f"{local.isocalendar().week:02}", "short_day": str(local.isoweekday()),
    }  # fmt: skip

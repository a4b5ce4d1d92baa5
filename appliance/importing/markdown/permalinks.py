"""The address of an entry from `path`, `permalink` or `url` of its front matter, which may be patterns.

Guarantees that no address leaves the site, is the home page, or is a file that only another system makes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from appliance import clock
from appliance.content.terms import slugify
from appliance.errors import ContentError
from appliance.importing.addresses import clean_address

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
class PatternValues:
    """The values that a pattern may name."""

    slug: str
    #: The file name without its ending.
    stem: str
    folders: tuple[str, ...]
    categories: tuple[str, ...]
    #: Seconds since the epoch.
    published_at: int | None
    zone: tzinfo


def permalink(meta: Mapping[str, Any], values: Callable[[], PatternValues]) -> str | None:
    """The address that front matter gives an entry, below the site; None when it gives none on this site.

    `values` is called when there is a pattern to fill in.

    Raises:
        ContentError: it leaves the site, is the home page or not that of a page, or its pattern cannot be filled in.
    """
    for key in KEYS:
        value = meta.get(key)
        if not isinstance(value, str) or not value.strip() or is_external(value):
            continue
        value = _JEKYLL_NAMED.get(value.lower(), value)
        if re.search(r"(?:^|/|-):[a-z_]", value):
            value = _expand(value, values())
        address = clean_address(value)
        if not address:
            raise ContentError("would be the home page, which the theme makes; give it another address")
        if address.lower().endswith(_FILE_ENDINGS):
            raise ContentError(f"makes “{address}”, which is a file of the other system and not a page")
        return address
    return None


def is_external(address: str) -> bool:
    """Whether an address is that of another site, as in a link post, or a template of an address."""
    return "://" in address or "{" in address


def _expand(pattern: str, values: PatternValues) -> str:
    """A pattern of Jekyll or Hexo, such as `:year/:title`, with the values of a file."""
    slug = values.slug
    names = {
        "title": slug, "slug": slug, "name": slug, "slugorfilename": slug, "basename": values.stem,
        "filename": values.stem, "output_ext": ".html", "path": "/".join([*values.folders, values.stem]),
        "categories": "/".join(values.categories), "section": "/".join(map(slugify, values.folders)),
        "collection": "posts",
    }  # fmt: skip
    if values.published_at is not None:
        names |= _date_values(clock.to_datetime(values.published_at, values.zone))

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in names:
            raise ContentError(f"permalink “{pattern}” has :{match[1]} in it, for which this file has no value")
        return names[match[1]]

    return re.sub(r":([a-z_]+)", value_of, pattern)


def _date_values(local: datetime) -> dict[str, str]:
    return {
        "year": f"{local.year:04}", "month": f"{local.month:02}", "day": f"{local.day:02}",
        "i_month": str(local.month), "i_day": str(local.day), "short_year": f"{local.year % 100:02}",
        "hour": f"{local.hour:02}", "minute": f"{local.minute:02}", "second": f"{local.second:02}",
        "y_day": f"{local.timetuple().tm_yday:03}", "yearday": str(local.timetuple().tm_yday),
        "week": f"{local.isocalendar().week:02}", "short_day": str(local.isoweekday()),
    }  # fmt: skip

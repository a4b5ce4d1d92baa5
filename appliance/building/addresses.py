"""Late-bound addresses: the HTML of an entry names its link targets by id, and a build puts in their current addresses.

When an entry moves, the links of other entries follow it. A picture is shown in all the widths that the theme makes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape

from appliance import db
from appliance.building.dependency_tracking import BoundHtml, bound_html
from appliance.planning.archives import thumbnail_path, thumbnail_widths
from appliance.planning.theme import Theme

_BOUND = re.compile(r"appliance:(entry|asset|category)/(\d{1,18})")
_IMAGE = re.compile(r'<img\b[^<>]*?\bsrc="appliance:asset/(\d{1,18})"[^<>]*>')

#: The address of a target that is not published.
NOWHERE = "#"


@dataclass(frozen=True, slots=True)
class Picture:
    """A published picture: URL, size in pixels, and the width and URL of each thumbnail."""

    url: str
    width: int | None
    height: int | None
    smaller: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Addresses:
    """The URLs of everything that a batch of HTML points at."""

    urls: Mapping[tuple[str, int], str]
    pictures: Mapping[int, Picture]
    sizes: str

    def bind(self, html: str) -> str:
        """`html` with every late-bound address replaced by a URL, and with thumbnails added to pictures."""
        html = _IMAGE.sub(self._image, html)
        return _BOUND.sub(lambda m: escape(self.urls.get((m[1], int(m[2])), NOWHERE)), html)

    def markup(self, html: str) -> BoundHtml:
        """The same, as HTML that also knows its link targets, for dependency tracking."""
        targets = frozenset((match[1], int(match[2])) for match in _BOUND.finditer(html))
        return bound_html(self.bind(html), targets)

    def _image(self, match: re.Match[str]) -> str:
        picture, tag = self.pictures.get(int(match[1])), match[0]
        if picture is None or picture.width is None:
            return tag
        more = f' width="{picture.width}" height="{picture.height}"' if " width=" not in tag else ""
        if picture.smaller and " srcset=" not in tag:
            sources = [*picture.smaller, (picture.width, picture.url)]
            more += (
                ' srcset="' + ", ".join(f"{escape(url)} {width}w" for width, url in sources) + f'" sizes="{self.sizes}"'
            )
        if " loading=" not in tag:
            more += ' loading="lazy" decoding="async"'
        end = -2 if tag.endswith("/>") else -1
        return tag[:end].rstrip() + more + tag[end:]


def addresses_in(htmls: Iterable[str], theme: Theme, url: Callable[[str], str]) -> Addresses:
    """Look up everything that `htmls` point at, with one query for each kind of target.

    Args:
        htmls: HTML with late-bound addresses.
        theme: decides which thumbnails there are.
        url: makes a URL of a path below the docroot.
    """
    targets: dict[str, set[int]] = {"entry": set(), "asset": set(), "category": set()}
    for html in htmls:
        for match in _BOUND.finditer(html):
            targets[match[1]].add(int(match[2]))
    urls: dict[tuple[str, int], str] = {}
    for kind, types in (("entry", "'entry', 'page'"), ("category", "'category'"), ("asset", "'asset'")):
        ids = list(targets[kind])
        if ids:
            rows = db.execute(
                f"SELECT subject, path FROM artifact WHERE type IN ({types}) AND is_permalink AND wanted"
                f" AND subject IN ({db.placeholders(len(ids))})",
                ids,
            )
            urls |= {(kind, subject): url(path) for subject, path in rows.fetchall()}
    return Addresses(urls, _pictures(list(targets["asset"]), theme, url, urls), theme.manifest.thumbnails.sizes)


def _pictures(
    ids: list[int], theme: Theme, url: Callable[[str], str], urls: Mapping[tuple[str, int], str]
) -> dict[int, Picture]:
    if not ids:
        return {}
    rows = db.execute(
        f"""SELECT x.id, a.path, x.media_type, x.width, x.height FROM asset x
            JOIN artifact a ON a.type = 'asset' AND a.subject = x.id AND a.wanted
            WHERE x.id IN ({db.placeholders(len(ids))})""",
        ids,
    ).fetchall()
    return {
        asset: Picture(
            urls[("asset", asset)],
            width,
            height,
            tuple((w, url(thumbnail_path(path, w))) for w in thumbnail_widths(theme, media_type, width)),
        )
        for asset, path, media_type, width, height in rows
    }

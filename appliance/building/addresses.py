"""Late-bound addresses: what an entry's HTML points at is named by id and given its address when a page is built.

So an entry that moves takes the links of others with it, and a picture is shown in as many widths as the theme makes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from appliance import db
from appliance.building.reads import BoundHtml, bound_html
from appliance.planning.archives import thumbnail_path, thumbnail_widths
from appliance.planning.paths import link
from appliance.planning.theme import Theme

_BOUND = re.compile(r"appliance:(entry|asset|category)/(\d+)")
_IMAGE = re.compile(r'<img\b[^>]*?\bsrc="appliance:asset/(\d+)"[^>]*>')

#: A target that is not published.
NOWHERE = "#"


def url_of(path: str, folder: str, root: str) -> str:
    """The root-relative address of a path below the docroot, for a site in `folder` whose pages begin with `root`."""
    below = path[len(folder) + 1 :] if folder else path
    return root + quote(link(below), safe="/~!$&'()*+,;=:@")


@dataclass(frozen=True, slots=True)
class Picture:
    """A published picture: its address, its size in pixels, and the widths and addresses of its smaller copies."""

    url: str
    width: int | None
    height: int | None
    smaller: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Addresses:
    """The addresses of everything a batch of HTML points at."""

    urls: Mapping[tuple[str, int], str]
    pictures: Mapping[int, Picture]
    sizes: str

    def bind(self, html: str) -> str:
        """`html` with every late-bound address in its place, pictures with their smaller copies."""
        html = _IMAGE.sub(self._image, html)
        return _BOUND.sub(lambda m: escape(self.urls.get((m[1], int(m[2])), NOWHERE)), html)

    def markup(self, html: str) -> BoundHtml:
        """The same as HTML that knows what it points at."""
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
    """Look up everything `htmls` point at, in a query for each kind of thing.

    Args:
        htmls: HTML with late-bound addresses.
        theme: says which smaller copies of pictures there are.
        url: makes an address of a path below the docroot.
    """
    wanted: dict[str, set[int]] = {"entry": set(), "asset": set(), "category": set()}
    for html in htmls:
        for match in _BOUND.finditer(html):
            wanted[match[1]].add(int(match[2]))
    urls: dict[tuple[str, int], str] = {}
    for kind, types in (("entry", "'entry', 'page'"), ("category", "'category'"), ("asset", "'asset'")):
        ids = list(wanted[kind])
        if ids:
            rows = db.execute(
                f"SELECT subject, path FROM artifact WHERE type IN ({types}) AND is_permalink AND wanted"
                f" AND subject IN ({db.marks(len(ids))})",
                ids,
            )
            urls |= {(kind, subject): url(path) for subject, path in rows.fetchall()}
    return Addresses(urls, _pictures(list(wanted["asset"]), theme, url, urls), theme.manifest.thumbnails.sizes)


def _pictures(
    ids: list[int], theme: Theme, url: Callable[[str], str], urls: Mapping[tuple[str, int], str]
) -> dict[int, Picture]:
    if not ids:
        return {}
    rows = db.execute(
        f"""SELECT x.id, a.path, x.media_type, x.width, x.height FROM asset x
            JOIN artifact a ON a.type = 'asset' AND a.subject = x.id AND a.wanted
            WHERE x.id IN ({db.marks(len(ids))})""",
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

"""A preview: an entry as it would be published now, in a folder of its own that no reader sees.

Guarantees that nothing but that folder is touched: the entry is published, planned and rendered inside a transaction
that is undone, and only the pages that show it are made, however large the site is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin
from zoneinfo import ZoneInfo

from appliance import db, publishing
from appliance.building.artifacts import Made, find
from appliance.building.builder import Builder, Make, Product
from appliance.building.loading import Place
from appliance.config import Config
from appliance.content import editing
from appliance.content.aspects import EVERYTHING
from appliance.content.models import Entry, Site
from appliance.editorial.finding import entry_named, site_named
from appliance.editorial.preview_folder import PreviewFolder
from appliance.errors import ContentError
from appliance.planning import planner as planning
from appliance.planning.archives import split_type
from appliance.planning.pages import Asked, entries_of
from appliance.planning.plan import Wish
from appliance.planning.theme import Theme
from appliance.planning.touched import Touched

_ADDRESSES: Final = re.compile(rb"""\b(?:src|href|poster|srcset)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_FILES: Final = "type IN ('static', 'asset', 'thumbnail')"


class _Undone(Exception):  # noqa: N818 - not an error
    """Ends the transaction of a preview."""


def preview(config: Config, site: str, entry: Entry | int | str, folder: Path | None = None) -> list[str]:
    """Render an entry as if it were published now, with the listings and neighbours that would show it.

    Args:
        config: the installation, opened.
        site: the name of a site; may be empty where there is only one.
        entry: a draft or any other, by id, slug or address.
        folder: where to; `preview` beside the settings when not given. What an earlier preview left there goes.

    Returns:
        Paths below the folder, which is to be served as the root of a host: the entry's own page first.

    Raises:
        ContentError: there is no such entry, it cannot be published, or the folder is used for something else.
        ThemeError, BuildError: it cannot be rendered.
    """
    row = site_named(config, site)
    found = entry_named(row, entry)
    theme = publishing.themes(config, [row.name])[row.name]
    to = PreviewFolder.prepare(config, theme, folder)
    place, builder = Place.of(row, theme), Builder(config)
    pages: dict[str, bytes] = {}
    files: dict[str, Make] = {}
    try:
        with suppress(_Undone), db.write():
            pages = _Pages(place, builder, _as_published(config, row, theme, found)).rendered()
            files = builder.load(find(_shown_files(place, pages)).values())
            raise _Undone
        made = {path: make().content for path, make in files.items()}
    finally:
        builder.close()
    return to.write({_served_at(place, path): content for path, content in [*pages.items(), *made.items()]})


def _as_published(config: Config, site: Site, theme: Theme, entry: Entry) -> Entry:
    """The entry once it is published and planned."""
    editing.publish(entry, "preview")
    plan = planning.publish(site, theme, Wish(allow_removals=True), publishing.terms(config, site, theme))
    entry = Entry.get_by_id(entry.id)
    if not _own(entry):
        why = " ".join(plan.faults) or "its theme makes no page of it; add an archive map for it to theme.toml"
        raise ContentError(f"“{entry.title}” cannot be shown: {why}")
    return entry


def _own(entry: Entry) -> list[str]:
    """The pages of an entry, its address first."""
    rows = db.execute(
        "SELECT path FROM artifact WHERE type = ? AND subject = ? AND wanted ORDER BY is_permalink DESC, path",
        [entry.kind, entry.id],
    )
    return [path for (path,) in rows.fetchall()]


class _Pages:
    """The pages that show one entry, as the transaction has them."""

    def __init__(self, place: Place, builder: Builder, entry: Entry) -> None:
        self._place, self._builder, self._entry = place, builder, entry
        self._zone = ZoneInfo(place.site.timezone)
        self._listed: dict[Asked, tuple[int, ...]] = {}

    def rendered(self) -> dict[str, bytes]:
        """Their content by path below the docroot, the entry's own first."""
        own = _own(self._entry)
        paths = list(dict.fromkeys([*own, *self._listing_pages(), *self._neighbours(), *self._first_pages()]))
        found = find(paths)
        makes = self._builder.load(found[path] for path in paths)
        products = {path: makes[path]() for path in paths}
        return {
            path: product.content
            for path, product in products.items()
            if isinstance(product.content, bytes) and (path in own or self._shows(found[path], product))
        }

    def _shows(self, artifact: Made, product: Product) -> bool:
        """Whether a page shows the entry, by what was read for it."""
        if any(reading.kind == "e" and reading.subject == self._entry.id for reading in product.readings):
            return True
        if self._entry.kind == "page":
            return "pages" in product.recipe and not self._entry.folder
        newest = [int(key.split(":")[1]) for key in product.recipe if key.startswith("recent:")]
        if newest and artifact.type == "index":
            return self._entry.id in self._ids(Asked(self._place.site.id, "index"))[: max(newest)]
        return False

    def _ids(self, asked: Asked) -> tuple[int, ...]:
        if asked not in self._listed:
            self._listed[asked] = entries_of(asked, self._zone, 1, 0).ids
        return self._listed[asked]

    def _listing_pages(self) -> Iterator[str]:
        """Of each listing that has the entry, the page it is on."""
        site, entry = self._place.site.id, self._entry.id
        for kind, subject, period, per_page in self._listings():
            ids = self._ids(Asked(site, kind, subject, period))
            if entry in ids:
                page = ids.index(entry) // per_page + 1 if per_page else 1
                rows = db.execute(
                    """SELECT path FROM artifact WHERE site_id = ? AND type = ? AND subject IS NOT DISTINCT FROM ?
                       AND period = ? AND per_page = ? AND page = ? AND wanted ORDER BY path""",
                    [site, kind, subject, period, per_page, page],
                )
                yield from (path for (path,) in rows.fetchall())

    def _listings(self) -> Iterator[tuple[str, int | None, str, int]]:
        """The listings the entry may be in: (type, subject, period, entries a page)."""
        touched = Touched()
        touched.entries[self._entry.id] = EVERYTHING
        scope = touched.scope()
        for kind in dict.fromkeys(output.type for output in self._place.theme.outputs):
            if kind in ("entry", "page"):
                continue
            term, period = ("", "") if kind == "index" else split_type(kind)
            condition, values = "subject IS NULL", list[object]()
            if term:
                among = scope.terms.get(term, ())
                condition, values = f"subject IN ({db.marks(len(among)) or 'NULL'})", [*among]
            if period:
                periods = scope.periods(period)
                condition = f"{condition} AND period IN ({db.marks(len(periods)) or 'NULL'})"
                values += periods
            yield from db.execute(
                f"""SELECT DISTINCT type, subject, period, per_page FROM artifact
                    WHERE site_id = ? AND wanted AND type = ? AND {condition} ORDER BY 2, 3, 4""",
                [self._place.site.id, kind, *values],
            ).fetchall()

    def _neighbours(self) -> list[str]:
        """The pages of the entries published before and after it."""
        ids = self._ids(Asked(self._place.site.id, "index"))
        at = ids.index(self._entry.id) if self._entry.id in ids else None
        near = [] if at is None else [*ids[max(at - 1, 0) : at], *ids[at + 1 : at + 2]]
        rows = db.execute(
            f"""SELECT path FROM artifact WHERE type = 'entry' AND is_permalink AND wanted
                AND subject IN ({db.marks(len(near)) or "NULL"}) ORDER BY path""",
            near,
        )
        return [path for (path,) in rows.fetchall()]

    def _first_pages(self) -> list[str]:
        """What else may show it: lists of the newest entries and of pages, where they stand beside other things."""
        rows = db.execute(
            "SELECT path FROM artifact WHERE site_id = ? AND type = 'index' AND page = 1 AND wanted ORDER BY path",
            [self._place.site.id],
        )
        return [path for (path,) in rows.fetchall()]


def _shown_files(place: Place, pages: Mapping[str, bytes]) -> list[str]:
    """The files of the theme, and the uploads that pages point at."""
    rows = db.execute(
        "SELECT path FROM artifact WHERE site_id = ? AND type = 'static' AND wanted ORDER BY path", [place.site.id]
    )
    found = {path for (path,) in rows.fetchall()}
    wanted = sorted({path for page, content in pages.items() for path in _pointed_at(place, page, content)})
    for some in (wanted[start : start + 500] for start in range(0, len(wanted), 500)):
        rows = db.execute(
            f"SELECT path FROM artifact WHERE path IN ({db.marks(len(some))}) AND wanted AND {_FILES}", some
        )
        found |= {path for (path,) in rows.fetchall()}
    return sorted(found)


def _pointed_at(place: Place, page: str, content: bytes) -> Iterator[str]:
    """The paths below the docroot that a page has addresses of."""
    folder = f"{place.site.folder}/" if place.site.folder else ""
    base = place.absolute(place.url(page))
    for one, other in _ADDRESSES.findall(content):
        for address in _several(unescape((one or other).decode("utf-8", "replace"))):
            with suppress(ValueError):  # what is no address
                whole = urljoin(base, address).partition("#")[0].partition("?")[0]
                if whole.startswith(place.site.url):
                    yield folder + unquote(whole[len(place.site.url) :])


def _several(value: str) -> Iterable[str]:
    """The addresses of an attribute; those of a `srcset` each have a width behind them."""
    return [value.strip(), *(part.split()[0] for part in value.split(",") if part.split())]


def _served_at(place: Place, path: str) -> str:
    """Where a path below the docroot lies below the root of its host."""
    below = path[len(place.site.folder) + 1 :] if place.site.folder else path
    return place.root.strip("/") + "/" + below if place.root != "/" else below

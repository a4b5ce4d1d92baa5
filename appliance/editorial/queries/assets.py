"""Uploaded files as people list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance import db
from appliance.config import Config
from appliance.content.models import Asset, Entry, Site
from appliance.content.sites import find_site, find_sites
from appliance.content.versions import version_of
from appliance.db import keyset
from appliance.db.keyset import CAP, Condition, Listing, Order
from appliance.editorial.lookup import find_asset, find_entry
from appliance.paging import NONE, PAGE_SIZE, Count, Counts, Group, Page

ASSET_ORDERS: Final[Mapping[str, Order]] = {"path": Order(("path",), (str,))}


@dataclass(frozen=True, slots=True)
class AssetFilter:
    """Selects assets. All given conditions must hold."""

    #: A part of the path, in upper or lower case.
    path: str = ""
    #: The entry they belong to, by id, slug or address.
    entry: Entry | int | str | None = None
    #: The beginning of the media type: `image` or `image/png`.
    media_type: str = ""


EVERY_ASSET: Final = AssetFilter()


@dataclass(frozen=True, slots=True)
class AssetRow:
    """An uploaded file."""

    id: int
    #: Below the site.
    path: str
    #: Bytes.
    size: int
    media_type: str
    #: Pixels; None where the file is no picture.
    width: int | None
    height: int | None
    #: The id of the entry it belongs to.
    entry: int | None
    #: The source it was imported from.
    source: str | None
    #: What an edit may expect: it differs once somebody replaced or moved the file.
    version: str


def list_assets(
    config: Config,
    site: str = "",
    wanted: AssetFilter = EVERY_ASSET,
    *,
    size: int = PAGE_SIZE,
    after: str | None = None,
    with_total: bool = True,
) -> Page[AssetRow]:
    """Read a page of the uploaded files of a site, by path. Arguments and errors are those of `list_entries`."""
    row = find_site(config, site)
    return keyset.page(
        _listing(row, wanted), "path", "id", lambda keys: _rows([key for (key,) in keys]),
        size=size, after=after, with_total=with_total,
    )  # fmt: skip


def get_asset(config: Config, site: str, asset: Asset | int | str) -> AssetRow:
    """The uploaded file with this path below the site, or this id.

    Raises:
        ContentError: there is none.
    """
    with db.snapshot():
        return _rows([find_asset(find_site(config, site), asset).id])[0]


def count_assets(config: Config, sites: Sequence[str] = ()) -> Counts:
    """Count the uploaded files of these sites, or of all, by site and kind: `image`, `text` and so on."""
    counts: dict[Group, Count] = {}
    for site in find_sites(config, sites):
        rows = db.execute(
            """SELECT media_type, COUNT(*) FROM (SELECT media_type FROM asset WHERE site_id = ? ORDER BY path LIMIT ?)
               AS counted GROUP BY media_type""",
            [site.id, CAP + 1],
        ).fetchall()
        is_capped = sum(number for _, number in rows) > CAP
        for media_type, number in rows:
            group = Group(site.name, media_type.partition("/")[0], "")
            counts[group] = counts.get(group, NONE) + Count(number, is_capped)
    return Counts(counts)


def _rows(keys: Sequence[Any]) -> list[AssetRow]:
    found = {one.id: one for one in Asset.select().where(Asset.id.in_(list(keys)))}
    return [_row(found[key]) for key in keys]


def _row(one: Any) -> AssetRow:
    return AssetRow(
        id=one.id, path=one.path, size=one.size, media_type=one.media_type, width=one.width, height=one.height,
        entry=one.entry_id, source=one.source, version=version_of(one),
    )  # fmt: skip


def _listing(site: Site, wanted: AssetFilter) -> Listing:
    chosen, on_site = Condition(), Condition("site_id = ?", (site.id,))
    if wanted.path:
        sql, value = db.contains("path", wanted.path)
        chosen &= Condition(sql, (value,))
    if wanted.media_type:
        chosen &= Condition("substr(media_type, 1, ?) = ?", (len(wanted.media_type), wanted.media_type))
    if wanted.entry is not None:
        # The files of one entry are so few that they are read and sorted.
        of_entry = Condition("entry_id = ?", (find_entry(site, wanted.entry).id,))
        return Listing("asset", ASSET_ORDERS["path"], (of_entry & chosen,))
    return Listing("asset", ASSET_ORDERS["path"], (on_site,), chosen)

"""Paths that others have: what an author of one entry may not take by an address, a slug or an upload.

Whoever edits a whole site may put a page in the place of the theme's home page, or a file in the place of an entry.
Guarantees that an author, who may change only entries of their own, replaces and removes no other page that way: not by
the same path, and not by a file where a folder has to be, or the reverse, of which only one can be published. Nor do
they take what the theme or another site may use one day (`planning.reserved_paths`). Where that is known too late,
because another theme came or the site had no plan yet, and for paths that come from names, planning lets the theme go
first (`gives_way`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.content.models import Alias, Entry, Site
from appliance.errors import ContentError
from appliance.planning import reserved_paths
from appliance.planning.paths import INDEX_FILE, address_path
from appliance.planning.reserved_paths import ReservedPath

#: Files at the top of a site by which it speaks to machines as a whole.
_OF_THE_SITE: Final = frozenset({"ads.txt", "app-ads.txt", "llms.txt", "robots.txt", "security.txt"})
_PAGES: Final = (".html", ".htm")
_HIDDEN: Final = ".well-known"
#: The fields of an entry that its path may be made of, and their columns.
_NAMING: Final = {"slug": "slug", "kind": "kind", "folder": "folder", "date": "published_at"}
_PLACING: Final = {"address": "address", **_NAMING}


def gives_way(entry: Entry | None, given: Mapping[str, Any], as_written: bool) -> bool | None:
    """Return whether an entry gives way to the theme once it is saved with some columns; None if that stays.

    It does if its path is given by somebody who may not replace pages of the site, until somebody gives it another
    address, slug or folder who may.

    Args:
        entry: the entry; None for a new one.
        given: the columns that are given.
        as_written: whether whoever gives them may replace pages of the site.
    """
    if as_written:
        return False if {"address", "slug", "folder"} & set(given) else None
    moves = entry is None or any(
        column in given and given[column] != getattr(entry, column) for column in _PLACING.values()
    )
    return True if moves else None


def changed_paths(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Return the fields of an entry that decide about its paths and that an edit has changed.

    `before` and `after` are values of the entry, as the audit has them.
    """
    return {name for name in (*_PLACING, "aliases") if before.get(name) != after.get(name)}


def require_free_upload(site: Site, path: str) -> None:
    """Check that nothing else is published at the path of an upload, above it or below it.

    Raises:
        ContentError: something is.
    """
    if path.lower() in _OF_THE_SITE:
        raise ContentError(f"“{path}” speaks for the whole site; ask an editor to upload it")
    _require_unreserved(site, path, path, reserved_paths.stored(site))
    if _holders(site, [path], with_folders=True):
        raise ContentError(_taken(path))


def require_free_entry(
    site: Site, entry: Entry, given: Collection[str], *, former: Collection[str] = (), is_new: bool = False
) -> None:
    """Check that the address, the former addresses and the slug that an entry was given take no path of another.

    Args:
        site: the site.
        entry: the entry as it was saved.
        given: the fields that were given.
        former: the former addresses that it had before.
        is_new: whether the entry was just added.

    Raises:
        ContentError: one of them does.
    """
    reserved = reserved_paths.stored(site)
    addresses = [entry.address] if "address" in given and entry.address is not None else []
    if "aliases" in given:
        addresses += [a.path for a in Alias.select().where(Alias.entry == entry.id) if a.path not in former]
    for address in addresses:
        path = address_path(address)
        _require_unreserved(site, address, path, [one for one in reserved if not one.binds_uploads_only])
        if not path.lower().endswith(_PAGES) or path.startswith(f"{_HIDDEN}/"):
            raise ContentError(f"“{address}” is no address of a page; end it with .html or a slash, or ask an editor")
        if any(not _is_own(holder, entry) for holder in _holders(site, [path], with_folders=True)):
            raise ContentError(_taken(address))
    if entry.address is None and (is_new or set(_NAMING) & set(given)):
        # Entries of the same name get numbers; what the theme makes of the whole site has none.
        paths = list(_named_paths(site, entry))
        if any(kind not in ("entry", "page", "redirect") for kind, _ in _holders(site, paths)):
            raise ContentError(_taken(entry.slug))


def _require_unreserved(site: Site, given: str, path: str, reserved: list[ReservedPath]) -> None:
    """Check that neither the theme nor another site may use a path one day.

    Raises:
        ContentError: one of them may; says what for.
    """
    whole = f"{site.folder}/{path}" if site.folder else path
    for inner in Site.select().where(Site.id != site.id, Site.folder != site.folder):
        if whole.startswith(f"{inner.folder}/") and len(inner.folder) > len(site.folder):
            raise ContentError(f"“{given}” is in the folder of another site; choose another address, or ask an editor")
    found = reserved_paths.find_reserved(reserved, path)
    if found is None and path in _category_paths(site):
        found = ReservedPath("a category archive", path)
    if found is not None:
        raise ContentError(f"“{given}” is kept for {found.what}; choose another address, or ask an editor")


def _category_paths(site: Site) -> set[str]:
    """The paths of categories that have an address of their own, also of those without a page yet."""
    rows = db.execute("SELECT address FROM category WHERE site_id = ? AND address IS NOT NULL", [site.id]).fetchall()
    return {address_path(address) for (address,) in rows}


def _taken(what: str) -> str:
    return f"Something else is published at “{what}”; choose another address, or ask an editor"


def _named_paths(site: Site, entry: Entry) -> Iterator[str]:
    """The paths that themes usually make of the name of an entry."""
    day = clock.to_datetime(entry.published_at, ZoneInfo(site.timezone))
    for folder in {"", entry.folder, f"{day:%Y}", f"{day:%Y/%m}", f"{day:%Y/%m/%d}"}:
        prefix = f"{folder}/" if folder else ""
        yield f"{prefix}{entry.slug}/{INDEX_FILE}"
        yield f"{prefix}{entry.slug}.html"


def _holders(site: Site, paths: Sequence[str], *, with_folders: bool = False) -> list[tuple[str, int | None]]:
    """The types and subjects of what is published at paths below the site, and of what is in their way."""
    prefix = f"{site.folder}/" if site.folder else ""
    whole = [prefix + path for path in paths]
    if with_folders:
        whole += [str(each) for path in whole for each in PurePosixPath(path).parents if str(each) != "."]
    found = db.execute(
        f"SELECT type, subject FROM artifact WHERE wanted AND path IN ({db.placeholders(len(whole))})", whole
    ).fetchall()
    for path in paths if with_folders else ():  # what lies below sorts between “path/” and “path0”
        found += db.execute(
            "SELECT type, subject FROM artifact WHERE wanted AND path > ? AND path < ? LIMIT 1",
            [f"{prefix}{path}/", f"{prefix}{path}0"],
        ).fetchall()
    return [(kind, subject) for kind, subject in found]


def _is_own(holder: tuple[str, int | None], entry: Entry) -> bool:
    kind, subject = holder
    if kind == "redirect":
        return Alias.get_or_none(Alias.id == subject, Alias.entry == entry.id) is not None
    return kind in ("entry", "page") and subject == entry.id

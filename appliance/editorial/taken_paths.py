"""Paths that others have: what an author of one entry may not take by an address, a slug or an upload.

Whoever edits a whole site may put a page in the place of the theme's home page, or a file in the place of an entry.
Guarantees that an author, who may change only entries of their own, replaces and removes no other page that way: not by
the same path, and not by a file where a folder has to be, or the reverse, of which only one can be published.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.content.models import Alias, Entry, Site
from appliance.errors import ContentError
from appliance.planning.paths import INDEX_FILE, address_path

#: Files at the top of a site by which it speaks to machines as a whole.
_OF_THE_SITE: Final = frozenset({"ads.txt", "app-ads.txt", "llms.txt", "robots.txt", "security.txt"})
_PAGES: Final = (".html", ".htm")
_HIDDEN: Final = ".well-known"
#: The fields of an entry that its path may be made of.
_NAMING: Final = frozenset({"slug", "kind", "folder", "date"})


def require_free_upload(site: Site, path: str) -> None:
    """Check that nothing else is published at the path of an upload, above it or below it.

    Raises:
        ContentError: something is.
    """
    if path.lower() in _OF_THE_SITE:
        raise ContentError(f"“{path}” speaks for the whole site; ask an editor to upload it")
    if _holders(site, [path], with_folders=True):
        raise ContentError(_taken(path))


def require_free_entry(site: Site, entry: Entry, given: Collection[str], *, is_new: bool = False) -> None:
    """Check that the address, the former addresses and the slug that an entry was given take no path of another.

    Args:
        site: the site.
        entry: the entry as it was saved.
        given: the fields that were given.
        is_new: whether the entry was just added.

    Raises:
        ContentError: one of them does.
    """
    addresses = [entry.address] if "address" in given and entry.address is not None else []
    if "aliases" in given:
        addresses += [alias.path for alias in Alias.select().where(Alias.entry == entry.id)]
    for address in addresses:
        path = address_path(address)
        if not path.lower().endswith(_PAGES) or path.startswith(f"{_HIDDEN}/"):
            raise ContentError(f"“{address}” is no address of a page; end it with .html or a slash, or ask an editor")
        if any(not _is_own(holder, entry) for holder in _holders(site, [path], with_folders=True)):
            raise ContentError(_taken(address))
    if entry.address is None and (is_new or _NAMING & set(given)):
        # Entries of the same name get numbers; what the theme makes of the whole site has none.
        paths = list(_named_paths(site, entry))
        if any(kind not in ("entry", "page", "redirect") for kind, _ in _holders(site, paths)):
            raise ContentError(_taken(entry.slug))


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

"""Where each thing of a site is in an export: paths that follow from what is exported and from nothing else.

Guarantees that two exports of the same content have the same paths, whatever the ids, and that no two things share one
even where letters' case or spelling is not told apart.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Any

from appliance.content.models import Alias, Asset, Category, Entry, Site
from appliance.content.terms import slugify
from appliance.importing.layout import ASSETS, CATEGORIES, ENTRIES, PAGES, Layout
from appliance.importing.references import Index

_UNSAFE = frozenset('\\/:*?"<>|#%')
#: Bytes a slug may have as part of a file name.
_LONGEST = 180


@dataclass(slots=True)
class Files:
    """The paths of an export, by id."""

    entries: dict[int, str] = field(default_factory=dict)
    categories: dict[int, str] = field(default_factory=dict)
    assets: dict[int, str] = field(default_factory=dict)
    index: Index = field(default_factory=lambda: Index(Layout("appliance", "", (ASSETS,))))

    @classmethod
    def of(cls, site: Site) -> Files:
        """The paths of everything on a site, and what an import of them will find."""
        files = cls()
        files._name_entries(site)
        for key, path in _tuples(Category.select(Category.id, Category.path).where(Category.site == site)):
            files.categories[key] = f"{CATEGORIES}/{path}/_index.html"
            files.index.sections[files.categories[key]] = key
        for key, path in _tuples(Asset.select(Asset.id, Asset.path).where(Asset.site == site)):
            files.assets[key] = f"{ASSETS}/{path}"
            files.index.assets[files.assets[key]] = key
            files.index.addresses.setdefault(path, f"appliance:asset/{key}")
        return files

    def targets(self) -> dict[tuple[str, int], str]:
        """All paths by kind and id."""
        return {
            **{("entry", key): path for key, path in self.entries.items()},
            **{("category", key): path for key, path in self.categories.items()},
            **{("asset", key): path for key, path in self.assets.items()},
        }

    def _name_entries(self, site: Site) -> None:
        columns = (Entry.id, Entry.kind, Entry.day, Entry.folder, Entry.slug, Entry.address)
        rows = _tuples(Entry.select(*columns).where(Entry.site == site))
        taken: set[str] = set()
        addresses: dict[str, tuple[int, str | None]] = {}
        for key, kind, day, folder, slug, address in sorted(rows, key=_order):
            stem = _page_stem(folder, slug) if kind == "page" else f"{ENTRIES}/{day[:4]}/{day}-{_name(slug)}"
            path = _free(stem, taken) + ".md"
            self.entries[key] = path
            addresses[path] = key, address
        aliases: dict[int, tuple[str, ...]] = {}
        for alias, key in _tuples(Alias.select(Alias.path, Alias.entry).where(Alias.site == site)):
            aliases[key] = (*aliases.get(key, ()), alias)
        for path, (key, address) in sorted(addresses.items()):
            self.index.add_entry(path, key, address, aliases.get(key, ()))


def _order(row: tuple[Any, ...]) -> tuple[str, ...]:
    _, kind, day, folder, slug, address = row
    return kind, day if kind == "entry" else "", folder, slug, address or ""


def _page_stem(folder: str, slug: str) -> str:
    folders = [PAGES, *(_name(part) for part in folder.split("/") if part)]
    return "/".join([*folders, f"page-{slug}" if slug.lower() in ("index", "_index") else _name(slug)])


def _name(slug: str) -> str:
    is_safe = not slug.startswith((".", " ")) and slug.isprintable() and not _UNSAFE & set(slug)
    return slug if slug and is_safe and len(slug.encode()) <= _LONGEST else slugify(slug)


def _free(stem: str, taken: set[str]) -> str:
    number, tried = 1, stem
    while (key := unicodedata.normalize("NFC", tried).casefold()) in taken:
        number += 1
        tried = f"{stem}-{number}"
    taken.add(key)
    return tried


def _tuples(query: Any) -> list[tuple[Any, ...]]:
    return list(query.tuples())

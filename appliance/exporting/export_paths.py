"""The paths of entries, categories and assets in a Markdown export.

Paths depend only on the content: two exports of the same content have the same paths, whatever the ids. No two paths
are equal on a file system that ignores case or normalizes Unicode.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Any

from appliance.content.models import Alias, Asset, Category, Entry, Site
from appliance.content.terms import slugify
from appliance.importing.markdown.layout import ASSETS, CATEGORIES, ENTRIES, PAGES, Layout
from appliance.importing.markdown.references import ReferenceIndex

_UNSAFE = frozenset('\\/:*?"<>|#%')
#: Maximum bytes of a slug in a file name.
_MAX_NAME_BYTES = 180


@dataclass(slots=True)
class ExportPaths:
    """The paths of an export by id, and the index with which an import of the export resolves references."""

    entries: dict[int, str] = field(default_factory=dict)
    categories: dict[int, str] = field(default_factory=dict)
    assets: dict[int, str] = field(default_factory=dict)
    index: ReferenceIndex = field(default_factory=lambda: ReferenceIndex(Layout("appliance", "", (ASSETS,))))

    @classmethod
    def of(cls, site: Site) -> ExportPaths:
        """Assign a path to everything on a site."""
        paths = cls()
        paths._assign_entries(site)
        for key, path in tuples(Category.select(Category.id, Category.path).where(Category.site == site)):
            paths.categories[key] = f"{CATEGORIES}/{path}/_index.html"
            paths.index.sections[paths.categories[key]] = key
        for key, path in tuples(Asset.select(Asset.id, Asset.path).where(Asset.site == site)):
            paths.assets[key] = f"{ASSETS}/{path}"
            paths.index.assets[paths.assets[key]] = key
            paths.index.addresses.setdefault(path, f"appliance:asset/{key}")
        return paths

    def targets(self) -> dict[tuple[str, int], str]:
        """All paths, by kind and id."""
        return {
            **{("entry", key): path for key, path in self.entries.items()},
            **{("category", key): path for key, path in self.categories.items()},
            **{("asset", key): path for key, path in self.assets.items()},
        }

    def _assign_entries(self, site: Site) -> None:
        columns = (Entry.id, Entry.kind, Entry.day, Entry.folder, Entry.slug, Entry.address)
        rows = tuples(Entry.select(*columns).where(Entry.site == site))
        taken: set[str] = set()
        addresses: dict[str, tuple[int, str | None]] = {}
        for key, kind, day, folder, slug, address in sorted(rows, key=_sort_key):
            stem = _page_stem(folder, slug) if kind == "page" else f"{ENTRIES}/{day[:4]}/{day}-{_file_name(slug)}"
            path = _free_stem(stem, taken) + ".md"
            self.entries[key] = path
            addresses[path] = key, address
        aliases: dict[int, tuple[str, ...]] = {}
        for alias, key in tuples(Alias.select(Alias.path, Alias.entry).where(Alias.site == site)):
            aliases[key] = (*aliases.get(key, ()), alias)
        for path, (key, address) in sorted(addresses.items()):
            self.index.add_entry(path, key, address, aliases.get(key, ()))


def tuples(query: Any) -> list[tuple[Any, ...]]:
    """The rows of a query as tuples."""
    return list(query.tuples())


def _sort_key(row: tuple[Any, ...]) -> tuple[str, ...]:
    _, kind, day, folder, slug, address = row
    return kind, day if kind == "entry" else "", folder, slug, address or ""


def _page_stem(folder: str, slug: str) -> str:
    folders = [PAGES, *(_file_name(part) for part in folder.split("/") if part)]
    return "/".join([*folders, f"page-{slug}" if slug.lower() in ("index", "_index") else _file_name(slug)])


def _file_name(slug: str) -> str:
    is_safe = not slug.startswith((".", " ")) and slug.isprintable() and not _UNSAFE & set(slug)
    return slug if slug and is_safe and len(slug.encode()) <= _MAX_NAME_BYTES else slugify(slug)


def _free_stem(stem: str, taken: set[str]) -> str:
    number, candidate = 1, stem
    while (key := unicodedata.normalize("NFC", candidate).casefold()) in taken:
        number += 1
        candidate = f"{stem}-{number}"
    taken.add(key)
    return candidate

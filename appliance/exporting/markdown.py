"""Exporting a site to a folder of Markdown files that an import reads back without loss.

    appliance-export.yaml                           marks the folder; authors, tags, and the entry of each asset
    entries/2024/2024-05-01-hello.md                an entry: front matter and text
    entries/2024/2024-05-01-hello.comments.yaml     the comments and pings of the entry
    pages/about/team.md                             a page in its folder
    categories/news/local/_index.html               a category: title and description
    assets/pictures/cat.jpg                         an asset at its address

The same content gives the same bytes, so an export that was imported elsewhere and exported again is identical. A
folder that is not empty is never written to. Texts stay as their authors wrote them, except for links that would not
resolve in this layout (see `exporting.link_rewriting`).
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.config import Config
from appliance.content import assets, sites
from appliance.content.models import (
    Alias,
    Asset,
    Author,
    Category,
    Comment,
    Entry,
    EntryAuthor,
    EntryCategory,
    EntryTag,
    Ping,
    Site,
    Tag,
)
from appliance.content.terms import slugify
from appliance.errors import ContentError
from appliance.exporting.export_paths import ExportPaths, tuples
from appliance.exporting.frontmatter import dump_yaml, local_datetime, render_document
from appliance.exporting.link_rewriting import ExportedText, LinkRewriter
from appliance.importing.markdown.layout import MANIFEST, comments_path
from appliance.importing.markdown.layout_manifest import DETAILS

#: Entries read at once.
_BATCH = 200
_HEADER = "# Written by the appliance: `appliance content.import` reads this folder back, whole.\n"


def export(config: Config, site_name: str, folder: Path | str) -> Counter[str]:
    """Write a site to a folder and count what was written.

    The counts are 'entries', 'pages', 'categories', 'assets', 'comments', 'pings', and 'as html': the number of texts
    that were written as HTML because their links could not be replaced.

    Raises:
        ContentError: the folder is not empty or cannot be written, or the bytes of an asset are missing.
        ConfigError: there is no such site.
    """
    site = sites.sync_site(config, site_name)
    root = Path(folder)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ContentError(f"{root}: is not empty; choose an empty folder or a new one")
    with db.snapshot():
        run = _MarkdownExport(config, site, root)
        run.check_assets()
        try:
            return run.write()
        except OSError as error:
            file = error.filename or root
            raise ContentError(f"{file}: cannot be written: {error.strerror}; fix that and export again") from error


class _MarkdownExport:
    def __init__(self, config: Config, site: Site, root: Path) -> None:
        self.config = config
        self.site = site
        self.root = root
        self.zone = ZoneInfo(site.timezone)
        self.now = int(clock.now())
        self.paths = ExportPaths.of(site)
        self.links = LinkRewriter(self.paths.index, self.paths.targets())
        self.counts: Counter[str] = Counter()

    def check_assets(self) -> None:
        """Check that the bytes of all assets are on this host."""
        for path, digest in tuples(Asset.select(Asset.path, Asset.digest).where(Asset.site == self.site)):
            if not assets.stored_path(self.config, digest).exists():
                hint = "export on the publishing host that has them, or " if self.config.publishing_hosts else ""
                raise ContentError(
                    f"the bytes of “{path}” are not in the assets folder; {hint}import or delete that file"
                )

    def write(self) -> Counter[str]:
        """Write everything. The manifest comes last, so that an incomplete export is not taken for a complete one."""
        owners = self._write_assets()
        for category in Category.select().where(Category.site == self.site).order_by(Category.path):
            self._write_file(self.paths.categories[category.id], render_document(*_category(category)))
            self.counts["categories"] += 1
        ids = sorted(self.paths.entries, key=lambda key: self.paths.entries[key])
        for start in range(0, len(ids), _BATCH):
            self._write_entries(ids[start : start + _BATCH])
        manifest = {"layout": 1, "owners": owners, "authors": _authors(self.site), "tags": _tags(self.site)}
        self._write_file(MANIFEST, _HEADER + dump_yaml({key: value for key, value in manifest.items() if value}))
        return self.counts

    def _write_assets(self) -> dict[str, str]:
        """Copy all assets; returns the path of the entry of each asset, by address."""
        owners = {}
        columns = (Asset.id, Asset.path, Asset.digest, Asset.entry)
        for key, path, digest, entry in tuples(Asset.select(*columns).where(Asset.site == self.site)):
            target = self.root / self.paths.assets[key]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(assets.stored_path(self.config, digest), target)
            self.counts["assets"] += 1
            if entry in self.paths.entries:
                owners[path] = self.paths.entries[entry]
        return dict(sorted(owners.items()))

    def _write_entries(self, ids: list[int]) -> None:
        terms = _EntryTerms(ids)
        discussions = _discussions(ids, self.zone)
        for entry in Entry.select().where(Entry.id.in_(ids)):
            path = self.paths.entries[entry.id]
            exported = self.links.rewrite(entry, path)
            self._write_file(path, render_document(self._meta(entry, exported, terms), exported.text))
            self.counts["pages" if entry.kind == "page" else "entries"] += 1
            if exported.format != entry.format:
                self.counts["as html"] += 1
            if entry.id in discussions:
                self._write_file(comments_path(path), dump_yaml(discussions[entry.id]))
                self.counts.update({kind: len(items) for kind, items in discussions[entry.id].items()})

    def _write_file(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")

    def _meta(self, entry: Entry, exported: ExportedText, terms: _EntryTerms) -> dict[str, Any]:
        meta: dict[str, Any] = {
            "title": entry.title,
            "date": local_datetime(entry.published_at, self.zone),
            "lastmod": local_datetime(entry.modified_at, self.zone),
            "expiryDate": None if entry.unpublish_at is None else local_datetime(entry.unpublish_at, self.zone),
            **self._status(entry),
            "slug": entry.slug,
            "address": entry.address,
            "folder": entry.folder,
            "authors": terms.authors.get(entry.id),
            "categories": terms.categories.get(entry.id),
            "tags": terms.tags.get(entry.id),
            "aliases": terms.aliases.get(entry.id),
            "description": exported.summary,
            "excerpt": exported.excerpt,
            "format": exported.format if exported.format != "markdown" else None,
            "extra": json.loads(entry.extra),
        }
        meta = {key: value for key, value in meta.items() if value not in (None, "", [], {}) or key == "title"}
        return meta if entry.allow_comments else {**meta, "allow_comments": False}

    def _status(self, entry: Entry) -> dict[str, Any]:
        """The keys for the status. An import derives it from the date unless the entry is a draft or says `status`."""
        is_expired = entry.unpublish_at is not None and entry.unpublish_at <= self.now
        if entry.status == "draft" or is_expired:
            return {"draft": True}
        return {"status": "published"} if entry.status == "published" and entry.published_at > self.now else {}


class _EntryTerms:
    """The terms and aliases of a batch of entries, by id of the entry."""

    def __init__(self, ids: list[int]) -> None:
        authors = EntryAuthor.select(EntryAuthor.entry, Author.name).join(Author).where(EntryAuthor.entry.in_(ids))
        tags = EntryTag.select(EntryTag.entry, Tag.name).join(Tag).where(EntryTag.entry.in_(ids))
        categories = EntryCategory.select(EntryCategory.entry, EntryCategory.is_primary, Category.path).join(Category)
        aliases = Alias.select(Alias.entry, Alias.path).where(Alias.entry.in_(ids))
        self.authors = _group_values(authors.order_by(EntryAuthor.position))
        self.tags = _group_values(tags.order_by(EntryTag.position))
        # Sorted here, because each database orders text by its own collation.
        rows = sorted(tuples(categories.where(EntryCategory.entry.in_(ids))), key=lambda row: (not row[1], row[2]))
        self.categories: dict[int, list[str]] = {}
        for entry, _, path in rows:
            self.categories.setdefault(entry, []).append(path)
        self.aliases = {key: sorted(paths) for key, paths in _group_values(aliases).items()}


def _group_values(query: Any) -> dict[int, list[str]]:
    values: dict[int, list[str]] = {}
    for key, value in tuples(query):
        values.setdefault(key, []).append(value)
    return values


def _authors(site: Site) -> list[dict[str, str]]:
    """The authors with details that the front matter of their entries does not contain."""
    rows: Any = sorted(Author.select().where(Author.site == site), key=lambda row: str(row.slug))
    authors = [{key: getattr(row, key) for key in ("slug", "name", *DETAILS) if getattr(row, key)} for row in rows]
    return [author for author in authors if len(author) > 2 or author["slug"] != slugify(author["name"])]


def _tags(site: Site) -> list[dict[str, str]]:
    """The tags with a slug that does not follow from the name."""
    rows: Any = sorted(Tag.select().where(Tag.site == site), key=lambda row: str(row.slug))
    return [{"slug": row.slug, "name": row.name} for row in rows if row.slug != slugify(row.name)]


def _category(category: Category) -> tuple[dict[str, Any], str]:
    meta: dict[str, Any] = {"title": category.name}
    if category.address is not None:
        meta["address"] = category.address
    return ({**meta, "always": bool(category.always)}, category.description)


def _discussions(ids: list[int], zone: ZoneInfo) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """The comments and pings of entries, by id of the entry. Comments are numbered by date within an entry."""
    discussions: dict[int, dict[str, list[dict[str, Any]]]] = {}
    numbers: dict[int, int] = {}
    rows = list(Comment.select().where(Comment.entry.in_(ids)).order_by(Comment.created_at, Comment.id))
    for row in rows:
        comments = discussions.setdefault(row.entry_id, {}).setdefault("comments", [])
        numbers[row.id] = len(comments) + 1
        comments.append({"id": numbers[row.id]})
    for row in rows:
        discussions[row.entry_id]["comments"][numbers[row.id] - 1] |= _comment(row, numbers, zone)
    pings: Any = Ping.select().where(Ping.entry.in_(ids)).order_by(Ping.at, Ping.id)
    for ping in pings:
        values = {name: getattr(ping, name) for name in ("title", "url", "blog_name", "ip", "text")}
        discussions.setdefault(ping.entry_id, {}).setdefault("pings", []).append(
            {"at": local_datetime(ping.at, zone), **{name: value for name, value in values.items() if value}}
        )
    return discussions


def _comment(row: Comment, numbers: dict[int, int], zone: ZoneInfo) -> dict[str, Any]:
    values = {
        "answers": numbers.get(row.parent_id) if row.parent_id is not None else None,
        "status": row.status,
        "name": row.author_name,
        "email": row.author_email,
        "url": row.author_url,
        "at": local_datetime(row.created_at, zone),
        "text": row.text,
    }
    return {key: value for key, value in values.items() if value not in (None, "")}

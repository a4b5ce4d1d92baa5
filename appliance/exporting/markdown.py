"""Export of a site to a folder of Markdown that `importing.folder` reads back with nothing lost.

    appliance-export.yaml                           marks the folder; authors, which text each asset belongs to
    entries/2024/2024-05-01-hello.md                an entry: front matter and its text
    entries/2024/2024-05-01-hello.comments.yaml     what readers said of it
    pages/about/team.md                             a page, in its folder
    categories/news/local/_index.html               a category: what it is called, its description
    assets/pictures/cat.jpg                         every other file, at its address

Guarantees that the same content is the same bytes, so that export, import elsewhere and export again are identical;
and that a folder which holds anything is not touched. Texts are as their authors wrote them, but for links that another
layout than this would not find (see `exporting.linking`).
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
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
from appliance.exporting.files import Files
from appliance.exporting.frontmatter import document, dumped, moment
from appliance.exporting.linking import Body, Linker
from appliance.importing.discussions import file_of
from appliance.importing.layout import MARKER
from appliance.importing.noted import DETAILS

#: Entries read at once.
_BATCH = 200
_NOTE = "# Written by the appliance: `appliance content.import` reads this folder back, whole.\n"


def export(config: Config, site_name: str, folder: Path | str) -> Counter[str]:
    """Write a site to a folder; returns how many of what were written.

    The counts are 'entries', 'pages', 'categories', 'assets', 'comments', 'pings', and 'as html': texts that had to be
    written as the HTML readers see, since their links could not be replaced.

    Raises:
        ContentError: the folder is not empty or cannot be written, or the bytes of an asset are not kept any more.
        ConfigError: there is no such site.
    """
    site = sites.sync(config)[config.site(site_name).name]
    root = Path(folder)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ContentError(f"{root}: is not empty; name a folder that is, or a new one")
    with db.snapshot():
        run = _Export(config, site, root)
        run.check()
        try:
            return run.run()
        except OSError as error:
            where = error.filename or root
            raise ContentError(f"{where}: cannot be written: {error.strerror}; mend that and export again") from error


class _Export:
    def __init__(self, config: Config, site: Site, root: Path) -> None:
        self.config = config
        self.site = site
        self.root = root
        self.zone = ZoneInfo(site.timezone)
        self.now = int(clock.now())
        self.files = Files.of(site)
        self.linker = Linker(self.files.index, self.files.targets())
        self.counts: Counter[str] = Counter()

    def check(self) -> None:
        """Refuse what cannot be exported whole."""
        for path, digest in _tuples(Asset.select(Asset.path, Asset.digest).where(Asset.site == self.site)):
            if not assets.kept_file(self.config, digest).exists():
                where = "export on the publishing host that took it, or " if self.config.publishing_hosts else ""
                raise ContentError(
                    f"the bytes of “{path}” are not in the assets folder; {where}import or delete that file"
                )

    def run(self) -> Counter[str]:
        """Write everything; the marker comes last, so that half an export is not taken for a whole one."""
        owners = self._write_assets()
        for category in Category.select().where(Category.site == self.site).order_by(Category.path):
            self._write(self.files.categories[category.id], document(*_category(category)))
            self.counts["categories"] += 1
        ids = sorted(self.files.entries, key=lambda key: self.files.entries[key])
        for start in range(0, len(ids), _BATCH):
            self._write_batch(ids[start : start + _BATCH])
        noted = {"layout": 1, "owners": owners, "authors": _authors(self.site), "tags": _tags(self.site)}
        self._write(MARKER, _NOTE + dumped({key: value for key, value in noted.items() if value}))
        return self.counts

    def _write_assets(self) -> dict[str, str]:
        """Copy all assets; returns the texts that they belong to, by address."""
        owners = {}
        columns = (Asset.id, Asset.path, Asset.digest, Asset.entry)
        for key, path, digest, entry in _tuples(Asset.select(*columns).where(Asset.site == self.site)):
            target = self.root / self.files.assets[key]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(assets.kept_file(self.config, digest), target)
            self.counts["assets"] += 1
            if entry in self.files.entries:
                owners[path] = self._path(entry)
        return dict(sorted(owners.items()))

    def _write_batch(self, ids: list[int]) -> None:
        terms = _Terms(ids)
        talk = _discussions(ids, self.zone)
        for entry in Entry.select().where(Entry.id.in_(ids)):
            body = self._body(entry)
            path = self._path(entry.id)
            self._write(path, document(self._meta(entry, body, terms), body.text))
            self.counts["pages" if entry.kind == "page" else "entries"] += 1
            if entry.id in talk:
                self._write(file_of(path), dumped(talk[entry.id]))
                self.counts.update({what: len(said) for what, said in talk[entry.id].items()})

    def _body(self, entry: Entry) -> Body:
        body = self.linker.body(entry, self.files.entries[entry.id])
        if body.format != entry.format:
            self.counts["as html"] += 1
        return body

    def _path(self, entry: int) -> str:
        return self.files.entries[entry]

    def _write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="")

    def _meta(self, entry: Entry, body: Body, terms: _Terms) -> dict[str, Any]:
        said: dict[str, Any] = {
            "title": entry.title,
            "date": moment(entry.published_at, self.zone),
            "lastmod": moment(entry.modified_at, self.zone),
            "expiryDate": None if entry.unpublish_at is None else moment(entry.unpublish_at, self.zone),
            **self._status(entry),
            "slug": entry.slug,
            "address": entry.address,
            "folder": entry.folder,
            "authors": terms.authors.get(entry.id),
            "categories": terms.categories.get(entry.id),
            "tags": terms.tags.get(entry.id),
            "aliases": terms.aliases.get(entry.id),
            "description": body.summary,
            "excerpt": body.excerpt,
            "format": body.format if body.format != "markdown" else None,
            "extra": json.loads(entry.extra),
        }
        kept = {key: value for key, value in said.items() if value not in (None, "", [], {}) or key == "title"}
        return kept if entry.allow_comments else {**kept, "allow_comments": False}

    def _status(self, entry: Entry) -> dict[str, Any]:
        """A draft says so; whether another is scheduled follows from its date, unless it says that it is published."""
        is_over = entry.unpublish_at is not None and entry.unpublish_at <= self.now
        if entry.status == "draft" or is_over:
            return {"draft": True}
        return {"status": "published"} if entry.status == "published" and entry.published_at > self.now else {}


class _Terms:
    """What a batch of entries is joined to, by entry."""

    def __init__(self, ids: list[int]) -> None:
        named = EntryAuthor.select(EntryAuthor.entry, Author.name).join(Author).where(EntryAuthor.entry.in_(ids))
        tagged = EntryTag.select(EntryTag.entry, Tag.name).join(Tag).where(EntryTag.entry.in_(ids))
        filed = EntryCategory.select(EntryCategory.entry, EntryCategory.is_primary, Category.path).join(Category)
        aliases = Alias.select(Alias.entry, Alias.path).where(Alias.entry.in_(ids))
        self.authors = _gathered(named.order_by(EntryAuthor.position))
        self.tags = _gathered(tagged.order_by(EntryTag.position))
        # Sorted here, since each database has its own idea of the order of texts.
        rows = sorted(_tuples(filed.where(EntryCategory.entry.in_(ids))), key=lambda row: (not row[1], row[2]))
        self.categories: dict[int, list[str]] = {}
        for entry, _, path in rows:
            self.categories.setdefault(entry, []).append(path)
        self.aliases = {key: sorted(paths) for key, paths in _gathered(aliases).items()}


def _gathered(query: Any) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for key, value in _tuples(query):
        found.setdefault(key, []).append(value)
    return found


def _authors(site: Site) -> list[dict[str, str]]:
    """The authors of whom more is known than the name that texts give."""
    rows: Any = sorted(Author.select().where(Author.site == site), key=lambda row: str(row.slug))
    noted = [{key: getattr(row, key) for key in ("slug", "name", *DETAILS) if getattr(row, key)} for row in rows]
    return [one for one in noted if len(one) > 2 or one["slug"] != slugify(one["name"])]


def _tags(site: Site) -> list[dict[str, str]]:
    rows: Any = sorted(Tag.select().where(Tag.site == site), key=lambda row: str(row.slug))
    return [{"slug": row.slug, "name": row.name} for row in rows if row.slug != slugify(row.name)]


def _category(category: Category) -> tuple[dict[str, Any], str]:
    meta: dict[str, Any] = {"title": category.name}
    if category.address is not None:
        meta["address"] = category.address
    return ({**meta, "always": bool(category.always)}, category.description)


def _discussions(ids: list[int], zone: ZoneInfo) -> dict[int, dict[str, list[dict[str, Any]]]]:
    """Comments and pings by entry; comments are numbered as they were said."""
    found: dict[int, dict[str, list[dict[str, Any]]]] = {}
    numbers: dict[int, int] = {}
    rows = list(Comment.select().where(Comment.entry.in_(ids)).order_by(Comment.created_at, Comment.id))
    for row in rows:
        said = found.setdefault(row.entry_id, {}).setdefault("comments", [])
        numbers[row.id] = len(said) + 1
        said.append({"id": numbers[row.id]})
    for row in rows:
        said = found[row.entry_id]["comments"]
        said[numbers[row.id] - 1] |= _comment(row, numbers, zone)
    for ping in _pings(ids):
        values = {name: getattr(ping, name) for name in ("title", "url", "blog_name", "ip", "text")}
        said = found.setdefault(ping.entry_id, {}).setdefault("pings", [])
        said.append({"at": moment(ping.at, zone), **{name: value for name, value in values.items() if value}})
    return found


def _pings(ids: list[int]) -> Iterator[Ping]:
    yield from Ping.select().where(Ping.entry.in_(ids)).order_by(Ping.at, Ping.id)


def _comment(row: Comment, numbers: dict[int, int], zone: ZoneInfo) -> dict[str, Any]:
    said = {
        "answers": numbers.get(row.parent_id) if row.parent_id is not None else None,
        "status": row.status,
        "name": row.author_name,
        "email": row.author_email,
        "url": row.author_url,
        "at": moment(row.created_at, zone),
        "text": row.text,
    }
    return {key: value for key, value in said.items() if value not in (None, "")}


def _tuples(query: Any) -> list[tuple[Any, ...]]:
    return list(query.tuples())

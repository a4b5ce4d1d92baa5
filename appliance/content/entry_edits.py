"""Adding and editing entries by naming only the fields that change.

A field that is not named keeps its value, whatever importer set it: the terms, the former addresses, the author's own
excerpt, and the targets of the references in the text. A slug that the caller gives is refused if it is taken. A slug
derived from the title gets a number instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypedDict, Unpack, cast, get_args

from appliance import clock, db
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.entry_relations import EntryRelations
from appliance.content.markup import RenderedEntry
from appliance.content.models import ENTRY_STATUSES, Author, Category, Entry, EntryKind, EntryStatus, Site, Tag
from appliance.content.resolved_references import ResolvedReferences
from appliance.content.terms import SLUG_BYTES, slugify
from appliance.errors import ContentError

#: Bytes reserved for a number after a slug.
_NUMBER_BYTES = 8
_FORMATS = ("markdown", "html")


class EntryFields(TypedDict, total=False):
    """The fields of `EntryData`, except the title and the text."""

    slug: str
    published_at: int
    kind: EntryKind
    status: EntryStatus
    format: str
    modified_at: int | None
    unpublish_at: int | None
    address: str | None
    folder: str
    excerpt: str
    excerpt_format: str
    summary: str
    allow_comments: bool
    authors: Sequence[str]
    categories: Sequence[Sequence[str]]
    tags: Sequence[str]
    aliases: Sequence[str]
    extra: Mapping[str, Any]
    sanitised: bool | None
    gives_way: bool | None


class EntryEdits(EntryFields, total=False):
    """The fields that an edit may change."""

    title: str
    text: str


def add(site: Site, title: str, text: str = "", *, actor: str = "", **values: Unpack[EntryFields]) -> Entry:
    """Add an entry or page. By default it is a draft with the current date and a free slug derived from the title.

    Raises:
        ContentError: the title is missing, a value is invalid, or the slug or address belongs to another entry.
    """
    if values.get("folder"):
        values.setdefault("kind", "page")
    with db.write():
        if "slug" not in values:
            db.acquire_lock("the slug of a new entry")
            values["slug"] = free_slug(site, title, values.get("kind", "entry"), values.get("folder", ""))
        defaults = EntryData(title=title, slug="", published_at=int(clock.now()), text=text, status="draft")
        return entries.save(site, _validated(replace(defaults, **values), set(values)), actor=actor)[0]


def edit(entry: Entry, *, actor: str = "", **values: Unpack[EntryEdits]) -> tuple[Entry, bool]:
    """Change the named fields of an entry; returns the entry and whether readers could see a difference.

    An edit that sets the status to published publishes the entry now: a date in the future becomes the current time,
    and an end that has passed is cleared.

    Raises:
        ContentError: the entry was removed, a value is invalid, or the slug or address belongs to another entry.
    """
    with db.write():
        row = Entry.get_or_none(Entry.id == entry.id)
        if row is None:
            raise ContentError(f"the entry “{entry.title}” was removed; choose another entry")
        if values.get("status") == "published" and row.status != "published":
            values = cast(EntryEdits, {**_dates_to_publish_now(row), **values})
        before = entry_data(row)
        data = _validated(replace(before, **values), set(values))
        rendered, resolver = None, None
        if {"excerpt", "summary"} & set(values) or _source(data) != _source(before):
            resolver = ResolvedReferences(row.text, row.format, row.html)
            data = _with_own_excerpt(row, data, set(values), resolver)
        else:
            rendered = RenderedEntry(row.html, row.excerpt, row.summary, row.late_bound)
        return entries.save(row.site, data, entry=row, rendered=rendered, resolver=resolver, actor=actor)


def publish(entry: Entry, actor: str = "") -> bool:
    """Publish an entry now; returns whether anything changed."""
    return edit(entry, actor=actor, status="published")[1]


def unpublish(entry: Entry, actor: str = "") -> bool:
    """Turn an entry back into a draft; returns whether anything changed."""
    return edit(entry, actor=actor, status="draft")[1]


def schedule(entry: Entry, at: int, actor: str = "") -> bool:
    """Schedule an entry for publication at a time in seconds since the epoch; returns whether anything changed.

    Raises:
        ContentError: the time has passed, or as `edit`.
    """
    if at <= clock.now():
        raise ContentError(f"“{entry.title}” cannot be scheduled for a time that has passed; publish it instead")
    return edit(entry, actor=actor, status="scheduled", published_at=at)[1]


def entry_data(entry: Entry) -> EntryData:
    """The stored state of an entry as `entries.save` takes it, without the excerpt and the summary.

    Authors, categories and tags are given by their slugs, which are unique.
    """
    relations = EntryRelations.stored(entry)
    columns = {f.name: getattr(entry, f.name) for f in fields(EntryData) if f.name in Entry._meta.fields}
    others = {"modified_at": None, "excerpt": "", "summary": "", "extra": json.loads(entry.extra)}
    authors, tags = _values_by_id(Author.slug, relations.authors), _values_by_id(Tag.slug, relations.tags)
    paths = _values_by_id(Category.path, relations.categories)
    return EntryData(
        **{**columns, **others},
        authors=[authors[key] for key in relations.authors],
        categories=[paths[key].split("/") for key in relations.categories],
        tags=[tags[key] for key in relations.tags],
        aliases=sorted(relations.aliases),
    )


def free_slug(site: Site, title: str, kind: EntryKind = "entry", folder: str = "") -> str:
    """A slug derived from a title that no entry of this kind and folder has, with a number appended if necessary."""
    base = slugify(title)
    stem = base.encode()[: SLUG_BYTES - _NUMBER_BYTES].decode(errors="ignore").rstrip("-")
    siblings = Entry.select(Entry.slug).where(Entry.site == site, Entry.kind == kind, Entry.folder == folder)
    number, slug = 1, base
    while siblings.where(Entry.slug == slug).exists():
        number += 1
        slug = f"{stem}-{number}"
    return slug


def _source(data: EntryData) -> tuple[str, str, bool]:
    """What the HTML of an entry is made from."""
    return data.text, data.format, bool(data.sanitised)


def _dates_to_publish_now(row: Entry) -> EntryEdits:
    """The dates that have to change when an entry is published now."""
    now, dates = int(clock.now()), EntryEdits()
    if row.published_at > now:
        dates["published_at"] = now
    if row.unpublish_at is not None and row.unpublish_at <= now:
        dates["unpublish_at"] = None
    return dates


def _with_own_excerpt(row: Entry, data: EntryData, edited: set[str], resolver: ResolvedReferences) -> EntryData:
    """`data` with the excerpt and summary that the author wrote, unless the edit replaces them.

    The row does not say whether they were written or derived: a derived one is equal to what rendering gives.
    """
    derived = entry_data(row)
    if row.excerpt != entries.render(derived, resolver).excerpt:
        derived = replace(derived, excerpt=row.excerpt, excerpt_format="html")
        if "excerpt" not in edited:
            data = replace(data, excerpt=derived.excerpt, excerpt_format=derived.excerpt_format)
    if "summary" not in edited and row.summary != entries.render(derived, resolver).summary:
        data = replace(data, summary=row.summary)
    return data


def _validated(data: EntryData, edited: set[str]) -> EntryData:
    """`data` with clean white space, once its values are valid.

    Only edited slugs, addresses and aliases are checked: an import may have set others.
    """
    data = replace(data, title=" ".join(data.title.split()), folder=data.folder.strip("/"))
    if not data.title:
        raise ContentError("an entry needs a title; give one")
    for name, allowed in (("status", ENTRY_STATUSES), ("kind", get_args(EntryKind)), ("format", _FORMATS)):
        if getattr(data, name) not in allowed:
            raise ContentError(f"“{getattr(data, name)}” is no {name} of an entry; use one of {', '.join(allowed)}")
    for part in (*((data.slug,) if "slug" in edited else ()), *filter(None, data.folder.split("/"))):
        if slugify(part) != part:
            raise ContentError(f"“{part}” cannot be part of an address; write it like {slugify(part)}")
    if data.folder and data.kind != "page":
        raise ContentError(f"“{data.title}” is an entry, and only pages are in folders; leave the folder out")
    if "address" in edited and data.address is not None:
        _check_address(data.address)
    for alias in data.aliases if "aliases" in edited else ():
        _check_address(alias)
    end = data.unpublish_at
    if end is not None and end <= data.published_at and {"unpublish_at", "published_at"} & edited:
        raise ContentError(f"“{data.title}” would be withdrawn before it is published; choose a later end")
    for kind, names in {"authors": data.authors, "tags": data.tags}.items():
        if not all(name.strip() for name in names):
            raise ContentError(f"one of the {kind} of “{data.title}” has no name; give it one or leave it out")
    if not all(names and all(name.strip() for name in names) for names in data.categories):
        raise ContentError(f"a category of “{data.title}” has no name; write it like News or News/Local")
    return data


def _check_address(path: str) -> None:
    parts = path.rstrip("/").split("/")
    if {"", ".", ".."} & set(parts) or any(ord(character) < 32 or character in "\\?#" for character in path):
        raise ContentError(
            f"“{path[:120]}” cannot be an address below the site; write it like about/team or old/page.html"
        )


def _values_by_id(column: Any, keys: Sequence[int]) -> dict[int, str]:
    model = column.model
    return dict(model.select(model.id, column).where(model.id.in_(list(keys))).tuples())

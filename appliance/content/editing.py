"""Entries edited by naming only what changes.

Guarantees that what is not named stays as it is, whatever its importer made of it: its terms, former addresses, its own
excerpt and the meanings of its references. A slug that is given is refused when it is taken; only one made of a
title, because none was given, may get a number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypedDict, Unpack, cast, get_args

from appliance import clock, db
from appliance.content import entries
from appliance.content.entries import EntryData
from appliance.content.links import Links
from appliance.content.markup import Rendered
from appliance.content.models import ENTRY_STATUSES, Author, Category, Entry, EntryKind, EntryStatus, Site, Tag
from appliance.content.remembered import Remembered
from appliance.content.terms import SLUG_BYTES, slugify
from appliance.errors import ContentError

#: Bytes that a number after a slug may take.
_NUMBER = 8
_FORMATS = ("markdown", "html")


class Fields(TypedDict, total=False):
    """What may be named of an entry besides its title and text; the meanings are those of `EntryData`."""

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


class Edits(Fields, total=False):
    """What an edit may name."""

    title: str
    text: str


def add(site: Site, title: str, text: str = "", *, actor: str = "", **named: Unpack[Fields]) -> Entry:
    """Add an entry or page: a draft of this moment, with a free slug made of its title, unless named otherwise.

    Raises:
        ContentError: it has no title, something named makes no sense, or its name is another entry's.
    """
    if named.get("folder"):
        named.setdefault("kind", "page")
    with db.write():
        if "slug" not in named:
            db.in_turn("the slug of a new entry")
            named["slug"] = free_slug(site, title, named.get("kind", "entry"), named.get("folder", ""))
        start = EntryData(title=title, slug="", published_at=int(clock.now()), text=text, status="draft")
        return entries.save(site, _sound(replace(start, **named), set(named)), actor=actor)[0]


def edit(entry: Entry, *, actor: str = "", **named: Unpack[Edits]) -> tuple[Entry, bool]:
    """Change what is named of an entry; returns it and whether a reader could see a difference.

    One that is published by naming its status is published now, though its date lay ahead or its end behind.

    Raises:
        ContentError: it is gone, something named makes no sense, or its new name is another entry's.
    """
    with db.write():
        row = Entry.get_or_none(Entry.id == entry.id)
        if row is None:
            raise ContentError(f"“{entry.title}” is gone; name another entry")
        if named.get("status") == "published" and row.status != "published":
            named = cast(Edits, {**_now(row), **named})
        before = data_of(row)
        data = _sound(replace(before, **named), set(named))
        rendered, resolver = None, None
        if {"excerpt", "summary"} & set(named) or (data.text, data.format) != (before.text, before.format):
            resolver = Remembered(row.text, row.format, row.html)
            data = _own_beginning(row, data, set(named), resolver)
        else:
            rendered = Rendered(row.html, row.excerpt, row.summary, row.late_bound)
        return entries.save(row.site, data, entry=row, rendered=rendered, resolver=resolver, actor=actor)


def publish(entry: Entry, actor: str = "") -> bool:
    """Publish an entry now; returns whether it was not published before."""
    return edit(entry, actor=actor, status="published")[1]


def unpublish(entry: Entry, actor: str = "") -> bool:
    """Make an entry a draft again; returns whether it was none."""
    return edit(entry, actor=actor, status="draft")[1]


def schedule(entry: Entry, at: int, actor: str = "") -> bool:
    """Have an entry published at a moment to come, seconds since the epoch; returns whether that is new.

    Raises:
        ContentError: the moment is past.
    """
    if at <= clock.now():
        raise ContentError(f"“{entry.title}” cannot be scheduled for a moment that is past; publish it instead")
    return edit(entry, actor=actor, status="scheduled", published_at=at)[1]


def data_of(entry: Entry) -> EntryData:
    """An entry as `entries.save` would take it; its excerpt and summary are left to be taken from the text.

    Authors, categories and tags are named by their slugs, which mean these and no others.
    """
    links = Links.of(entry)
    plain = {f.name: getattr(entry, f.name) for f in fields(EntryData) if f.name in Entry._meta.fields}
    made = {"modified_at": None, "excerpt": "", "summary": "", "extra": json.loads(entry.extra)}
    authors, tags = _column(Author.slug, links.authors), _column(Tag.slug, links.tags)
    paths = _column(Category.path, links.categories)
    return EntryData(
        **{**plain, **made},
        authors=[authors[key] for key in links.authors],
        categories=[paths[key].split("/") for key in links.categories],
        tags=[tags[key] for key in links.tags],
        aliases=sorted(links.aliases),
    )


def free_slug(site: Site, title: str, kind: EntryKind = "entry", folder: str = "") -> str:
    """A slug made of a title that no entry of the site has, nor page in the folder: with a number if need be."""
    base = slugify(title)
    beginning = base.encode()[: SLUG_BYTES - _NUMBER].decode(errors="ignore").rstrip("-")
    beside = Entry.select(Entry.slug).where(Entry.site == site, Entry.kind == kind, Entry.folder == folder)
    number, slug = 1, base
    while beside.where(Entry.slug == slug).exists():
        number += 1
        slug = f"{beginning}-{number}"
    return slug


def _now(row: Entry) -> Edits:
    """What must change besides for an entry to be published at this moment."""
    now, named = int(clock.now()), Edits()
    if row.published_at > now:
        named["published_at"] = now
    if row.unpublish_at is not None and row.unpublish_at <= now:
        named["unpublish_at"] = None
    return named


def _own_beginning(row: Entry, data: EntryData, named: set[str], resolver: Remembered) -> EntryData:
    """`data` with the excerpt and the summary that the author gave, where they are not named anew."""
    plain = data_of(row)
    if row.excerpt != entries.render(plain, resolver).excerpt:
        plain = replace(plain, excerpt=row.excerpt, excerpt_format="html")
        if "excerpt" not in named:
            data = replace(data, excerpt=plain.excerpt, excerpt_format=plain.excerpt_format)
    if "summary" not in named and row.summary != entries.render(plain, resolver).summary:
        data = replace(data, summary=row.summary)
    return data


def _sound(data: EntryData, named: set[str]) -> EntryData:
    """`data`, cleaned.

    Raises:
        ContentError: something in it makes no sense.
    """
    data = replace(data, title=" ".join(data.title.split()), folder=data.folder.strip("/"))
    if not data.title:
        raise ContentError("an entry needs a title; give one")
    for name, allowed in (("status", ENTRY_STATUSES), ("kind", get_args(EntryKind)), ("format", _FORMATS)):
        if getattr(data, name) not in allowed:
            raise ContentError(f"“{getattr(data, name)}” is no {name} of an entry; use one of {', '.join(allowed)}")
    for part in (*((data.slug,) if "slug" in named else ()), *filter(None, data.folder.split("/"))):
        if slugify(part) != part:
            raise ContentError(f"“{part}” cannot be part of an address; write it like {slugify(part)}")
    if data.folder and data.kind != "page":
        raise ContentError(f"“{data.title}” is an entry, and only pages are in folders; leave the folder out")
    if "address" in named and data.address is not None:
        _refuse_path(data.address)
    for alias in data.aliases if "aliases" in named else ():
        _refuse_path(alias)
    ends = data.unpublish_at
    if ends is not None and ends <= data.published_at and {"unpublish_at", "published_at"} & named:
        raise ContentError(f"“{data.title}” would be withdrawn before it is published; choose a later moment for that")
    for what, words in {"authors": data.authors, "tags": data.tags}.items():
        if not all(word.strip() for word in words):
            raise ContentError(f"one of the {what} of “{data.title}” has no name; give it one or leave it out")
    if not all(words and all(word.strip() for word in words) for words in data.categories):
        raise ContentError(f"a category of “{data.title}” has no name; write it like News or News/Local")
    return data


def _refuse_path(path: str) -> None:
    parts = path.rstrip("/").split("/")
    if {"", ".", ".."} & set(parts) or any(ord(character) < 32 or character in "\\?#" for character in path):
        raise ContentError(
            f"“{path[:120]}” cannot be an address below the site; write it like about/team or old/page.html"
        )


def _column(column: Any, keys: Sequence[int]) -> dict[int, str]:
    model = column.model
    return dict(model.select(model.id, column).where(model.id.in_(list(keys))).tuples())

"""What a template reads, noted while it is rendered, without the theme's author doing anything.

Templates get values whose attributes note that they are read: of an entry which aspects, of the site which settings
and lists. What is noted goes to the artifact being rendered, one at a time in a process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Final, NamedTuple

from markupsafe import Markup

from appliance.building.views import Listing, Post
from appliance.content.aspects import Aspect

#: The aspect that each attribute of a post belongs to; its number alone says nothing of it.
ASPECT_OF: Final[Mapping[str, Aspect]] = {
    "title": Aspect.TITLE,
    "slug": Aspect.ADDRESS, "url": Aspect.ADDRESS, "absolute_url": Aspect.ADDRESS,
    "published": Aspect.DATE,
    "modified": Aspect.MODIFIED,
    "authors": Aspect.TERMS, "category": Aspect.TERMS, "categories": Aspect.TERMS, "tags": Aspect.TERMS,
    "html": Aspect.TEXT,
    "excerpt": Aspect.EXCERPT,
    "summary": Aspect.SUMMARY,
    "comment_count": Aspect.COUNT,
    "comments": Aspect.COMMENTS,
    "previous": Aspect.NEIGHBOURS, "next": Aspect.NEIGHBOURS,
    "kind": Aspect.OTHER, "allow_comments": Aspect.OTHER, "extra": Aspect.OTHER,
}  # fmt: skip


class Reading(NamedTuple):
    """One thing read for itself: kind 'e' an entry's aspects, 'f' a file's address, 'c' a category's address."""

    kind: str
    subject: int
    aspects: int


@dataclass
class Reads:
    """All that one artifact read."""

    #: Aspects by entry.
    entries: dict[int, int] = field(default_factory=dict)
    #: Aspects by list of entries any page may show, such as `recent:5`.
    lists: dict[str, int] = field(default_factory=dict)
    #: Templates, settings and other lists, as `planning.answers` names them.
    keys: set[str] = field(default_factory=set)
    #: What texts point at: ('f' or 'c', id).
    links: set[tuple[str, int]] = field(default_factory=set)
    #: Whether the page of a listing was read: which entries it shows, or how many there are.
    listing: bool = False

    def recipe(self) -> tuple[str, ...]:
        """The keys it shares with others, in order."""
        return tuple(sorted(self.keys | {f"{name}:{aspects}" for name, aspects in self.lists.items()}))

    def readings(self, own: int | None) -> list[Reading]:
        """What it read for itself, but `own`, the entry whose page it is."""
        entries = [Reading("e", key, aspects) for key, aspects in self.entries.items() if key != own]
        return sorted(entries + [Reading(kind, key, 0) for kind, key in self.links])

    def digest(self, own: int | None, shown: str | None) -> str:
        """Changes when what it read does; `shown` is the digest of the page of its listing."""
        whole = json.dumps([self.recipe(), self.readings(own), shown])
        return hashlib.blake2b(whole.encode(), digest_size=16).hexdigest()

    def add(self, other: Reads) -> None:
        """Count what `other` read as read here."""
        for name, aspects in other.lists.items():
            self.lists[name] = self.lists.get(name, 0) | aspects
        for key, aspects in other.entries.items():
            self.entries[key] = self.entries.get(key, 0) | aspects
        self.keys |= other.keys
        self.links |= other.links


class _Current:
    """Where what is read now is noted; what is read outside of any rendering is forgotten."""

    reads = Reads()


@contextmanager
def noting(reads: Reads) -> Iterator[Reads]:
    """Note what is read inside in `reads`."""
    before, _Current.reads = _Current.reads, reads
    try:
        yield reads
    finally:
        _Current.reads = before


def note(key: str) -> None:
    """A template, a setting, or a list any page may show is read."""
    _Current.reads.keys.add(key)


def note_all(reads: Reads) -> None:
    """All of this is read."""
    _Current.reads.add(reads)


def note_list(name: str, aspects: int = 0) -> None:
    """These aspects of the entries of a list any page may show are read."""
    lists = _Current.reads.lists
    lists[name] = lists.get(name, 0) | aspects


def note_entry(entry: int, aspects: int) -> None:
    """These aspects of an entry are read."""
    entries = _Current.reads.entries
    entries[entry] = entries.get(entry, 0) | aspects


class BoundHtml(Markup):
    """HTML whose addresses were put in; knows what they are of: ('entry', 'asset' or 'category', id)."""

    targets: frozenset[tuple[str, int]] = frozenset()


def bound_html(html: str, targets: frozenset[tuple[str, int]]) -> BoundHtml:
    """`html` as one that points at `targets`."""
    made = BoundHtml(html)
    made.targets = targets
    return made


def _note_targets(html: BoundHtml) -> None:
    for kind, key in html.targets:
        if kind == "entry":
            note_entry(key, Aspect.ADDRESS)
            continue
        _Current.reads.links.add(("f" if kind == "asset" else "c", key))
        if kind == "asset":
            note("thumbnails")  # a picture is shown in as many widths as the theme makes


def _read_of_entry(post: Post, aspect: int) -> None:
    note_entry(post.id, aspect)


@cache
def noted_post(listed_as: str = "") -> type[Post]:
    """A post whose attributes note that they are read: of itself, or of the list named that it was loaded for."""

    def read_of_list(_post: Post, aspect: int) -> None:
        note_list(listed_as, aspect)

    read = read_of_list if listed_as else _read_of_entry
    members = {name: _noted(name, aspect, read) for name, aspect in ASPECT_OF.items()}
    return type("Post", (Post,), {"__slots__": (), "__doc__": Post.__doc__, **members})


def _noted(name: str, aspect: Aspect, read: Callable[[Post, int], None]) -> property:
    slot, number = Post.__dict__[name], int(aspect)

    def get(post: Post) -> Any:
        read(post, number)
        value = slot.__get__(post)
        if type(value) is BoundHtml and read is _read_of_entry:
            _note_targets(value)
        elif number == Aspect.NEIGHBOURS and value is not None:
            note_entry(value.id, Aspect.TITLE | Aspect.ADDRESS)
        return value

    return property(get, slot.__set__)


class NotedListing(Listing):
    """A listing that notes that its entries, or how many there are, are read."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name in _OF_LISTING:
            _Current.reads.listing = True
        return super().__getattribute__(name)


_OF_LISTING = frozenset({"entries", "total", "pages", "previous_url", "next_url", "period"})


class Noted(dict[str, Any]):
    """A table whose keys note that they are read, as `setting:KEY`, and the whole as `setting`."""

    def __init__(self, values: Mapping[str, Any], what: str) -> None:
        super().__init__(values)
        self._what = what

    def __getitem__(self, key: str) -> Any:
        note(f"{self._what}:{key}")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As of any dictionary."""
        note(f"{self._what}:{key}")
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        note(f"{self._what}:{key}")
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        note(self._what)
        return super().__iter__()

    def __len__(self) -> int:
        note(self._what)
        return super().__len__()

    def items(self) -> Any:
        """As of any dictionary."""
        note(self._what)
        return super().items()

    def values(self) -> Any:
        """As of any dictionary."""
        note(self._what)
        return super().values()


assert {f.name for f in fields(Post)} == {"id", *ASPECT_OF}, "every attribute of a post belongs to an aspect"  # noqa: S101

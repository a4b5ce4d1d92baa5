"""Tracks what a template reads while it is rendered, without any help from the author of the theme.

Templates get values that track each read of an attribute: the aspect of an entry, or the setting or list of a site.
Reads are tracked for the artifact that is being rendered; a process renders one at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from functools import cache, partial
from typing import Any, Final, NamedTuple

from markupsafe import Markup

from appliance.building.views import Listing, Period, Post
from appliance.content.aspects import Aspect

#: The aspect that each attribute of a post belongs to. The id alone reveals nothing of an entry, so it has none.
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


class EntityRead(NamedTuple):
    """One thing that an artifact read from the content for itself.

    The kind is 'e' for aspects of an entry, 'f' for the address of a file, 'c' for the address of a category.
    """

    kind: str
    subject: int
    aspects: int


def digest_reads(
    keys: str, dependencies: Sequence[EntityRead], listing_digest: str | None, counted: str | None = None
) -> str:
    """A digest of all reads of an artifact.

    `keys` is `keys_text` of its keys; `listing_digest` that of its listing page, `counted` the numbers it was told.
    """
    whole = f"[{keys}, {json.dumps(dependencies)}, {json.dumps([listing_digest, counted])}]"
    return hashlib.blake2b(whole.encode(), digest_size=16).hexdigest()


def keys_text(keys: Sequence[str]) -> str:
    """Dependency keys as a text for `digest_reads`."""
    return json.dumps(keys)


@dataclass
class TrackedReads:
    """Everything that one artifact read."""

    #: Aspects by entry id.
    entries: dict[int, int] = field(default_factory=dict)
    #: Aspects by site-wide list of entries, such as `recent:5`.
    lists: dict[str, int] = field(default_factory=dict)
    #: Dependency keys of templates, settings and other lists; see `planning.dependency_keys`.
    keys: set[str] = field(default_factory=set)
    #: Link targets of texts: ('f' or 'c', id).
    links: set[tuple[str, int]] = field(default_factory=set)
    #: Whether the artifact read which entries its listing page shows, and how many the whole listing has.
    listing: bool = False
    counted: bool = False

    def shared_keys(self) -> tuple[str, ...]:
        """The dependency keys, which other artifacts may share, in order."""
        return tuple(sorted(self.keys | {f"{name}:{aspects}" for name, aspects in self.lists.items()}))

    def dependencies(self, own_entry: int | None) -> list[EntityRead]:
        """What the artifact read for itself, except from `own_entry`, the entry of its page."""
        entries = [EntityRead("e", key, aspects) for key, aspects in self.entries.items() if key != own_entry]
        return sorted(entries + [EntityRead(kind, key, 0) for kind, key in self.links])

    def merge(self, other: TrackedReads) -> None:
        """Add the reads of `other`."""
        self.listing |= other.listing
        self.counted |= other.counted
        for name, aspects in other.lists.items():
            self.lists[name] = self.lists.get(name, 0) | aspects
        for key, aspects in other.entries.items():
            self.entries[key] = self.entries.get(key, 0) | aspects
        self.keys |= other.keys
        self.links |= other.links


class _Current:
    """Where reads are tracked at present. Reads outside of any rendering end up in a default that nobody looks at."""

    reads = TrackedReads()


@contextmanager
def tracking(reads: TrackedReads) -> Iterator[TrackedReads]:
    """Track what is read inside the block in `reads`."""
    before, _Current.reads = _Current.reads, reads
    try:
        yield reads
    finally:
        _Current.reads = before


def track(key: str) -> None:
    """Track a read of a dependency key: a template, a setting or a site-wide list."""
    _Current.reads.keys.add(key)


def track_all(reads: TrackedReads) -> None:
    """Track all of these reads."""
    _Current.reads.merge(reads)


def track_list(name: str, aspects: int = 0) -> None:
    """Track a read of these aspects of the entries of a site-wide list."""
    lists = _Current.reads.lists
    lists[name] = lists.get(name, 0) | aspects


def track_entry(entry: int, aspects: int) -> None:
    """Track a read of these aspects of an entry."""
    entries = _Current.reads.entries
    entries[entry] = entries.get(entry, 0) | aspects


class BoundHtml(Markup):
    """HTML with addresses put in that knows its link targets: ('entry', 'asset' or 'category', id)."""

    targets: frozenset[tuple[str, int]] = frozenset()


def bound_html(html: str, targets: frozenset[tuple[str, int]]) -> BoundHtml:
    """`html` as BoundHtml that points at `targets`."""
    bound = BoundHtml(html)
    bound.targets = targets
    return bound


def _track_targets(html: BoundHtml) -> None:
    for kind, key in html.targets:
        if kind == "entry":
            track_entry(key, int(Aspect.ADDRESS))
            continue
        _Current.reads.links.add(("f" if kind == "asset" else "c", key))
        if kind == "asset":
            track("thumbnails")  # the theme decides in which widths a picture is shown


@cache
def tracked_post(listed_as: str = "") -> type[Post]:
    """A subclass of Post that tracks reads of its attributes: for the entry, or for the list it was loaded for.

    Posts that are kept have one more attribute, `fragments`; see `building.fragments`.
    """
    tracked = partial(_listed_property, listed_as) if listed_as else _entry_property
    members = {name: tracked(name, int(aspect)) for name, aspect in ASPECT_OF.items()}
    return type("Post", (Post,), {"__slots__": ("fragments",), "__doc__": Post.__doc__, **members})


#: What a link to another entry shows of it.
_LINK: Final = int(Aspect.TITLE | Aspect.ADDRESS)

# A listing reads hundreds of attributes, so each property does its work in one call.


def _listed_property(listed_as: str, name: str, number: int) -> property:
    slot = Post.__dict__[name]
    value_of = slot.__get__

    def get(post: Post) -> Any:
        lists = _Current.reads.lists
        lists[listed_as] = lists.get(listed_as, 0) | number
        return value_of(post)

    return property(_neighbour_getter(get) if number == Aspect.NEIGHBOURS else get, slot.__set__)


def _neighbour_getter(get: Callable[[Post], Any]) -> Callable[[Post], Any]:
    """Track what a link to the neighbour shows of it, besides what `get` tracks."""

    def get_neighbour(post: Post) -> Any:
        value = get(post)
        if value is not None:
            track_entry(value.id, _LINK)
        return value

    return get_neighbour


def _entry_property(name: str, number: int) -> property:
    slot = Post.__dict__[name]
    value_of = slot.__get__

    def get(post: Post) -> Any:
        entries, key = _Current.reads.entries, post.id
        entries[key] = entries.get(key, 0) | number
        return value_of(post)

    def get_html(post: Post) -> Any:
        value = get(post)
        if type(value) is BoundHtml:
            _track_targets(value)
        return value

    special = {Aspect.NEIGHBOURS: _neighbour_getter(get), Aspect.TEXT: get_html, Aspect.EXCERPT: get_html}
    return property(special.get(Aspect(number), get), slot.__set__)


class TrackedListing(Listing):
    """A listing that tracks reads of its entries and neighbours, and of how many entries and pages it has."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name in _TRACKED_LISTING_ATTRIBUTES:
            _Current.reads.listing = True
        elif name in ("total", "pages"):
            _Current.reads.counted = True
        return super().__getattribute__(name)


_TRACKED_LISTING_ATTRIBUTES = frozenset({"entries", "previous_url", "next_url"})


class TrackedPeriod(Period):
    """The period of a listing, which tracks reads of its number of entries."""

    __slots__ = ()

    def __getattribute__(self, name: str) -> Any:
        if name == "count":
            _Current.reads.counted = True
        return super().__getattribute__(name)


class TrackedMapping(dict[str, Any]):
    """A dictionary that tracks reads: of a key as `PREFIX:KEY`, of the whole as `PREFIX`."""

    def __init__(self, values: Mapping[str, Any], prefix: str) -> None:
        super().__init__(values)
        self._prefix = prefix

    def __getitem__(self, key: str) -> Any:
        track(f"{self._prefix}:{key}")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Like `dict.get`, tracked."""
        track(f"{self._prefix}:{key}")
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        track(f"{self._prefix}:{key}")
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        track(self._prefix)
        return super().__iter__()

    def __len__(self) -> int:
        track(self._prefix)
        return super().__len__()

    def items(self) -> Any:
        """Like `dict.items`, tracked."""
        track(self._prefix)
        return super().items()

    def values(self) -> Any:
        """Like `dict.values`, tracked."""
        track(self._prefix)
        return super().values()


assert {f.name for f in fields(Post)} == {"id", *ASPECT_OF}, "every attribute of a post belongs to an aspect"  # noqa: S101

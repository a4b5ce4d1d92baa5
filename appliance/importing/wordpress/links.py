"""What addresses of the old site mean: entries, categories and assets by id, so that they outlive any new address."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

_NUMBERED = ("p", "page_id", "attachment_id")
#: What WordPress puts after the address of a text for parts of it.
_PART = re.compile(r"/(?:comment-page-\d+|\d+|amp|feed|trackback|embed)$")
_DATED = re.compile(r"(?:/\d{4}(?:/\d{2}(?:/\d{2})?)?)?/([^/]+)")
_CATEGORY = re.compile(r"/category/(?:.*/)?([^/]+)$")
#: Hosts that serve smaller copies of other hosts' pictures: the other host is the first part of the path.
_COPIES = re.compile(r"i[0-3]\.wp\.com$")
_ADDRESS = re.compile(
    r"(?:href|src|poster)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+))|(https?://[^\s<>\"']+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Place:
    """An address, as far as it matters where it leads: `path` begins with a slash and does not end with one."""

    host: str
    path: str
    query: str = ""
    fragment: str = ""

    @property
    def key(self) -> str:
        """The same for all ways to write one address."""
        return self.host + self.path


def place_of(address: str, base: str = "") -> Place | None:
    """Where an absolute address, or one from the root of `base`, leads; None for anything else."""
    try:
        if not re.match(r"(?:https?:)?//", address, re.IGNORECASE):
            if not base or not address.startswith(("/", "?")):
                return None
            address = urljoin(base + "/", address)
        parts = urlsplit(address)
    except ValueError:
        return None
    host, path = parts.netloc.lower().rpartition("@")[2].removeprefix("www."), re.sub("//+", "/", unquote(parts.path))
    if _COPIES.fullmatch(host):
        host, _, path = path.lstrip("/").partition("/")
        host, path = host.lower().removeprefix("www."), f"/{path}"
    return Place(host, path.rstrip("/"), parts.query, parts.fragment)


def addresses_in(text: str) -> list[str]:
    """Every address that a text links to, shows or names."""
    return [match[1] or match[2] or match[3] or match[4] or "" for match in _ADDRESS.finditer(text)]


@dataclass(slots=True)
class Index:
    """Where everything went. Values are references such as `appliance:entry/7`."""

    #: The old site's address without a slash at its end, and its hosts.
    base: str = ""
    hosts: frozenset[str] = frozenset()
    #: By `Place.key`.
    by_address: dict[str, str] = field(default_factory=dict)
    #: By number, posts and attachments alike.
    by_number: dict[int, str] = field(default_factory=dict)
    #: By slug; empty where several have it.
    by_slug: dict[str, str] = field(default_factory=dict)
    #: By nicename.
    categories: dict[str, str] = field(default_factory=dict)
    #: By number of the term.
    category_numbers: dict[int, str] = field(default_factory=dict)
    home: str = "/"

    @property
    def root(self) -> str:
        """The path of the old site's home page, without a slash at its end."""
        return unquote(urlsplit(self.base).path).rstrip("/")

    def is_own(self, place: Place) -> bool:
        """Whether an address is of the old site."""
        return place.host in self.hosts and (place.path == self.root or place.path.startswith(self.root + "/"))

    def at(self, place: Place) -> str | None:
        """The reference for an address."""
        if self.is_own(place) and place.query:
            asked = parse_qs(place.query)
            for name in _NUMBERED:
                if (number := asked.get(name, [""])[0]).isdecimal():
                    return self.by_number.get(int(number))
            if (number := asked.get("cat", [""])[0]).isdecimal():
                return self.category_numbers.get(int(number))
        found = self.by_address.get(place.key)
        if found is None and self.is_own(place):
            found = self.by_address.get(_PART.sub("", place.key)) or self._category(place)
            if found is None and place.path == self.root and not place.query:
                found = self.home
            found = found or self._guess(place)
        return found

    def _guess(self, place: Place) -> str | None:
        """What an address with another date, or none, meant: WordPress guesses likewise."""
        match = _DATED.fullmatch(place.path[len(self.root) :])
        return (self.by_slug.get(match[1]) or None) if match else None

    def _category(self, place: Place) -> str | None:
        match = _CATEGORY.search(place.path)
        return self.categories.get(match[1]) if match else None


@dataclass(slots=True)
class Links:
    """The links of one text, for rendering it. `unresolved` gathers addresses of the old site that lead nowhere."""

    index: Index
    unresolved: Counter[str] = field(default_factory=Counter)

    def address(self, reference: str) -> str | None:
        """What a `href` or `src` leads to; None when it is another site's or nothing of the old one."""
        place = place_of(reference.strip(), self.index.base)
        if place is None:
            return None
        found = self.index.at(place)
        if found is None:
            if self.index.is_own(place):
                self.unresolved[reference] += 1
            return None
        return f"{found}#{place.fragment}" if place.fragment else found

    def tag(self, text: str) -> str | None:  # noqa: ARG002 - WordPress has no such tags
        """Nothing: what looks like another system's template tag is text here."""
        return None

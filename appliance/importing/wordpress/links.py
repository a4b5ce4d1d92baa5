"""Links of the old site as references to entries, categories and assets by id, which survive a change of address."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

_NUMBERED = ("p", "page_id", "attachment_id")
#: What WordPress appends to the address of a text for its parts and feeds.
_PART = re.compile(r"/(?:comment-page-\d+|\d+|amp|feed|trackback|embed)$")
_DATED = re.compile(r"(?:/\d{4}(?:/\d{2}(?:/\d{2})?)?)?/([^/]+)")
_CATEGORY = "/category/"
#: Hosts that serve resized copies of other hosts' pictures. The path begins with the other host.
_COPIES = re.compile(r"i[0-3]\.wp\.com$")
_ADDRESS = re.compile(
    r"(?:href|src|poster)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+))|(https?://[^\s<>\"']+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class OldAddress:
    """An address of the old site, taken apart. `path` begins with a slash and does not end with one."""

    host: str
    path: str
    query: str = ""
    fragment: str = ""

    @property
    def key(self) -> str:
        """Equal for all ways to write one address."""
        return self.host + self.path


def parse_address(address: str, base: str = "") -> OldAddress | None:
    """Parse an absolute address, or one from the root of `base`; None for anything else."""
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
    return OldAddress(host, path.rstrip("/"), parts.query, parts.fragment)


def addresses_in(text: str) -> list[str]:
    """Every address in a text: of links, pictures and media, and in plain words."""
    return [match[1] or match[2] or match[3] or match[4] or "" for match in _ADDRESS.finditer(text)]


@dataclass(slots=True)
class AddressIndex:
    """References such as `appliance:entry/7` by everything that links of the old site may name."""

    #: The old site's address without a slash at its end, and its hosts.
    base: str = ""
    hosts: frozenset[str] = frozenset()
    #: By `OldAddress.key`.
    by_address: dict[str, str] = field(default_factory=dict)
    #: By number, of posts, pages and attachments.
    by_number: dict[int, str] = field(default_factory=dict)
    #: By slug; empty where several texts have it.
    by_slug: dict[str, str] = field(default_factory=dict)
    #: Categories by nicename.
    categories: dict[str, str] = field(default_factory=dict)
    #: Categories by the number of their term.
    category_numbers: dict[int, str] = field(default_factory=dict)
    #: The address of this site's home page.
    home: str = "/"

    @property
    def root(self) -> str:
        """The path of the old site's home page, without a slash at its end."""
        return unquote(urlsplit(self.base).path).rstrip("/")

    def is_own(self, address: OldAddress) -> bool:
        """Whether an address belongs to the old site."""
        return address.host in self.hosts and (address.path == self.root or address.path.startswith(self.root + "/"))

    def at(self, address: OldAddress) -> str | None:
        """The reference for an address; None when it leads to nothing that was imported."""
        if self.is_own(address) and address.query:
            query = parse_qs(address.query)
            for name in _NUMBERED:
                if (number := query.get(name, [""])[0]).isdecimal():
                    return self.by_number.get(int(number))
            if (number := query.get("cat", [""])[0]).isdecimal():
                return self.category_numbers.get(int(number))
        found = self.by_address.get(address.key)
        if found is None and self.is_own(address):
            found = self.by_address.get(_PART.sub("", address.key)) or self._category(address)
            if found is None and address.path == self.root and not address.query:
                found = self.home
            found = found or self._by_slug(address)
        return found

    def _by_slug(self, address: OldAddress) -> str | None:
        """The text that an address with another date, or without one, means: WordPress redirects these too."""
        match = _DATED.fullmatch(address.path[len(self.root) :])
        return (self.by_slug.get(match[1]) or None) if match else None

    def _category(self, address: OldAddress) -> str | None:
        return self.categories.get(address.path.rsplit("/", 1)[-1]) if _CATEGORY in address.path else None


@dataclass(slots=True)
class LinkResolver:
    """Resolves the links of one text while it is rendered."""

    index: AddressIndex
    #: Addresses of the old site that lead to nothing that was imported.
    unresolved: Counter[str] = field(default_factory=Counter)

    def address(self, reference: str) -> str | None:
        """The reference for a `href` or `src`; None when it leads to another site, or to nothing that was imported."""
        address = parse_address(reference.strip(), self.index.base)
        if address is None:
            return None
        found = self.index.at(address)
        if found is None:
            if self.index.is_own(address):
                self.unresolved[reference] += 1
            return None
        return f"{found}#{address.fragment}" if address.fragment else found

    def tag(self, text: str) -> str | None:  # noqa: ARG002 - WordPress has no such tags
        """None: WordPress has no template tags in texts."""
        return None

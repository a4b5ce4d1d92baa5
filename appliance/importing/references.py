"""What links and template tags of a text mean: other files of the folder, by id, so they outlive a rename.

A resolved reference becomes `appliance:entry/ID`, `appliance:category/ID` or `appliance:asset/ID`; building
puts the address of the day in its place.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote

from appliance.importing.layout import TEXTS, Layout

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//|#|\?|$")
_PELICAN = re.compile(r"[{|](filename|static|attach|category|tag|author|index)[}|](.*)", re.DOTALL)
_HUGO_REF = re.compile(r"\{\{[<%]\s*(?:rel)?ref\s+(?:path=)?[\"'`]?([^\"'`\s>%]+)")
_FIGURE = re.compile(r"\{\{[<%]\s*(?:figure|image|img)\s+(.*?)/?\s*[>%]\}\}", re.DOTALL)
_ATTRIBUTE = re.compile(r"([a-zA-Z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|`([^`]*)`|([^\s\"'`]+))")
_POST_URL = re.compile(r"\{%-?\s*(post_url|link|post_link|post_path)\s+(\S+)")
_BASE = re.compile(r"\{\{-?\s*(?:site\.(?:baseurl|base_url|url)|config\.root|\.Site\.BaseURL)\s*(?:\|[^}]*)?-?\}\}")
_FILTERED = re.compile(r"\{\{-?\s*[\"']([^\"']+)[\"']\s*\|\s*(?:relative_url|absolute_url|url|relURL|absURL)\s*-?\}\}")
_HEXO_PICTURE = re.compile(r"\{%\s*asset_img\s+(?:[\w-]+\s+)*?(\S+\.\w+)\s*(.*?)\s*%\}")
_NAME = re.compile(r"\{[{%][<%-]?\s*/?\s*([\w.-]+)")


def _no_category(name: str) -> int | None:  # noqa: ARG001 - until the scan says which there are
    return None


@dataclass(slots=True)
class Index:
    """Where everything of a folder went; `entries`, `sections` and `assets` are by path in the folder."""

    layout: Layout
    entries: dict[str, int] = field(default_factory=dict)
    sections: dict[str, int] = field(default_factory=dict)
    assets: dict[str, int] = field(default_factory=dict)
    #: By address below the site: `appliance:` references.
    addresses: dict[str, str] = field(default_factory=dict)
    #: Paths in the folder by file name without extension (a bundle's by its folder).
    names: dict[str, list[str]] = field(default_factory=dict)
    category: Callable[[str], int | None] = _no_category

    def add_entry(self, path: str, key: int, address: str | None, aliases: tuple[str, ...] = ()) -> None:
        """Let references find the entry of a file."""
        self.entries[path] = key
        self.names.setdefault(name_of(path), []).append(path)
        for one in (*aliases, *((address,) if address else ())):
            self.addresses[one] = f"appliance:entry/{key}"

    def at(self, path: str) -> str | None:
        """The reference for a path in the folder, written with or without its extension or index file."""
        for place, what in ((self.entries, "entry"), (self.assets, "asset"), (self.sections, "category")):
            if path in place:
                return f"appliance:{what}/{place[path]}"
        stem = re.sub(r"\.html?$", "", path).rstrip("/")
        for ending in TEXTS:
            for one in (stem + ending, f"{stem}/index{ending}"):
                if one in self.entries:
                    return f"appliance:entry/{self.entries[one]}"
            if f"{stem}/_index{ending}" in self.sections:
                return f"appliance:category/{self.sections[f'{stem}/_index{ending}']}"
        return None

    def named(self, name: str) -> str | None:
        """The reference for a file by its name alone, when only one has it."""
        found = self.names.get(name_of(name) if PurePosixPath(name).suffix in TEXTS else name, [])
        return f"appliance:entry/{self.entries[found[0]]}" if len(found) == 1 else None


@dataclass(slots=True)
class References:
    """The references of one text. `unresolved` and `tags` gather what found no meaning, for the report."""

    index: Index
    path: str
    address_of_text: str | None
    unresolved: list[str] = field(default_factory=list)
    tags: Counter[str] = field(default_factory=Counter)

    def address(self, reference: str) -> str | None:
        """What a `href` or `src` leads to; None when it is another site's or nothing in the folder."""
        pelican = _PELICAN.fullmatch(reference)
        if pelican is None and _SCHEME.match(reference):
            return None
        path, suffix = _parted(pelican[2] if pelican else reference)
        if pelican is not None:
            found = self._pelican(pelican[1], path)
        elif path.startswith("@/"):
            found = self.index.at(posixpath.join(self.index.layout.content, path[2:]))
        elif path.startswith("/"):
            found = self._absolute(path)
        else:
            found = self._relative(path)
        if found is None:
            if pelican or path.startswith("@/") or PurePosixPath(path).suffix.lower() in TEXTS:
                self.unresolved.append(reference)
            return None
        return found + (suffix if found.startswith("appliance:") else "")

    def tag(self, text: str) -> str | None:
        """What a template tag stands for: an address, HTML, or None when nobody here knows it."""
        if match := _HUGO_REF.match(text):
            return self._ref(match[1])
        if match := _FIGURE.fullmatch(text):
            return self._figure(match[1])
        if match := _POST_URL.match(text):
            return self._post_url(match[1], match[2].strip("\"'"))
        if _BASE.fullmatch(text):
            return ""
        if match := _FILTERED.fullmatch(text):
            return "/" + match[1].lstrip("/")
        if match := _HEXO_PICTURE.fullmatch(text):
            alt = match[2].strip("\"'")
            return f'<img src="{_escaped(self._picture(match[1]))}" alt="{_escaped(alt)}" />'
        name = _NAME.match(text)
        self.tags[name[1] if name else text[:20]] += 1
        return None

    def _relative(self, path: str) -> str | None:
        folder = posixpath.dirname(self.path)
        found = self.index.at(_joined(folder, path))
        if found is None and PurePosixPath(self.path).stem != "index":  # Hexo's folder of a post's files
            found = self.index.at(_joined(str(PurePosixPath(self.path).with_suffix("")), path))
        if found is None and self.address_of_text:
            base = self.address_of_text
            base = posixpath.dirname(base) if base.endswith((".html", ".htm")) else base
            found = self._absolute("/" + _joined(base, path))
        return found

    def _absolute(self, path: str) -> str | None:
        address = re.sub(r"(?:^|/)index\.html?$", "", path.strip("/"))
        if not address:
            return None
        found = self.index.addresses.get(address)
        for folder in (self.index.layout.content, *self.index.layout.static):
            found = found or self.index.at(posixpath.join(folder, address))
        return found or self.index.at(address)

    def _pelican(self, kind: str, path: str) -> str | None:
        if kind == "index":
            return "/"
        if kind == "category":
            key = self.index.category(path)
            return None if key is None else f"appliance:category/{key}"
        if kind in ("tag", "author"):
            return None
        if path.startswith("/"):
            return self.index.at(posixpath.join(self.index.layout.content, path.lstrip("/")))
        return self.index.at(_joined(posixpath.dirname(self.path), path))

    def _ref(self, target: str) -> str | None:
        path, suffix = _parted(target)
        if not path:
            return suffix
        found = self._relative(path) if not path.startswith("/") else None
        found = found or self.index.at(posixpath.join(self.index.layout.content, path.lstrip("/")))
        found = found or self.index.named(path)
        if found is None:
            self.unresolved.append(target)
            return None
        return found + suffix

    def _post_url(self, kind: str, target: str) -> str | None:
        path, suffix = _parted(target)
        found = self.index.at(path.lstrip("/")) if kind == "link" else None
        found = found or self.index.named(path.rsplit("/", 1)[-1])
        if found is None:
            self.unresolved.append(target)
            return None
        if kind == "post_link":
            return f'<a href="{found}">{_escaped(path)}</a>'
        return found + suffix

    def _picture(self, given: str) -> str:
        return self.address(given) or given

    def _figure(self, given: str) -> str | None:
        values = {m[1].lower(): m[2] or m[3] or m[4] or m[5] or "" for m in _ATTRIBUTE.finditer(given)}
        if not values.get("src"):
            return None
        caption = " ".join(part for part in (values.get("title"), values.get("caption")) if part)
        size = "".join(f' {n}="{values[n]}"' for n in ("width", "height") if values.get(n, "").isdigit())
        alt = _escaped(values.get("alt") or caption)
        inner = f'<img src="{_escaped(self._picture(values["src"]))}" alt="{alt}"{size} />'
        if values.get("link"):
            inner = f'<a href="{_escaped(self._picture(values["link"]))}">{inner}</a>'
        told = f"<figcaption>{_escaped(caption)}</figcaption>" if caption else ""
        return f"<figure>{inner}{told}</figure>"


def name_of(path: str) -> str:
    """What a file is called by those who refer to it: without extension, a bundle by its folder."""
    pure = PurePosixPath(path)
    return pure.parent.name if pure.stem.lower() in ("index", "_index") else pure.stem


def _parted(reference: str) -> tuple[str, str]:
    """The path and, if there is one, the `#fragment`; a query is dropped, as files have none."""
    path, mark, fragment = reference.partition("#")
    return unquote(path.partition("?")[0]), mark + fragment


def _joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def _escaped(text: str) -> str:
    return html.escape(text)

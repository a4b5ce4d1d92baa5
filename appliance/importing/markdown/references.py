"""Resolves the links and template tags of a text to other files of the folder, by id, so that they survive a rename.

A resolved reference becomes `appliance:entry/ID`, `appliance:category/ID` or `appliance:asset/ID`. Building a page puts
the current address in its place.
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

from appliance.importing.markdown.layout import TEXT_ENDINGS, Layout

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//|#|\?|$")
_PELICAN = re.compile(r"[{|](filename|static|attach|category|tag|author|index)[}|](.*)", re.DOTALL)
_HUGO_REF = re.compile(r"\{\{[<%]\s*(?:rel)?ref\s+(?:path=)?[\"'`]?([^\"'`\s>%]+)")
_FIGURE = re.compile(r"\{\{[<%]\s*(?:figure|image|img)\s")
_ATTRIBUTE = re.compile(r"(?<![a-zA-Z-])([a-zA-Z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|`([^`]*)`|([^\s\"'`]+))")
_POST_URL = re.compile(r"\{%-?\s*(post_url|link|post_link|post_path)\s+(\S+)")
_BASE = re.compile(r"\{\{-?\s*(?:site\.(?:baseurl|base_url|url)|config\.root|\.Site\.BaseURL)\s*(?:\|[^}]*)?-?\}\}")
_FILTERED = re.compile(r"\{\{-?\s*[\"']([^\"']+)[\"']\s*\|\s*(?:relative_url|absolute_url|url|relURL|absURL)\s*-?\}\}")
_HEXO_PICTURE = re.compile(r"\{%\s*asset_img\s")
_WORD = re.compile(r"\S+")
_FILE = re.compile(r"(\S+\.\w+)(.*)", re.DOTALL)
_NAME = re.compile(r"\{[{%][<%-]?\s*(?:/\s*)?([\w.-]+)")


def _no_category(name: str) -> int | None:  # noqa: ARG001 - where there are no categories
    return None


@dataclass(slots=True)
class ReferenceIndex:
    """Ids of everything that came from a folder; `entries`, `sections` and `assets` are by path in it."""

    layout: Layout
    entries: dict[str, int] = field(default_factory=dict)
    sections: dict[str, int] = field(default_factory=dict)
    assets: dict[str, int] = field(default_factory=dict)
    #: `appliance:` references by address below the site.
    addresses: dict[str, str] = field(default_factory=dict)
    #: Paths in the folder by `reference_name`.
    names: dict[str, list[str]] = field(default_factory=dict)
    #: The id of a category by its name.
    find_category: Callable[[str], int | None] = _no_category

    def add_entry(self, path: str, key: int, address: str | None, aliases: tuple[str, ...] = ()) -> None:
        """Let references find the entry of a file."""
        self.entries[path] = key
        self.names.setdefault(reference_name(path), []).append(path)
        for one in (*aliases, *((address,) if address else ())):
            self.addresses[one] = f"appliance:entry/{key}"

    def by_path(self, path: str) -> str | None:
        """The reference for a path in the folder, written with or without its extension or index file."""
        for ids, kind in ((self.entries, "entry"), (self.assets, "asset"), (self.sections, "category")):
            if path in ids:
                return f"appliance:{kind}/{ids[path]}"
        stem = re.sub(r"\.html?$", "", path).rstrip("/")
        for ending in TEXT_ENDINGS:
            for one in (stem + ending, f"{stem}/index{ending}"):
                if one in self.entries:
                    return f"appliance:entry/{self.entries[one]}"
            if f"{stem}/_index{ending}" in self.sections:
                return f"appliance:category/{self.sections[f'{stem}/_index{ending}']}"
        return None

    def by_name(self, name: str) -> str | None:
        """The reference for a file by its name alone, when only one file has it."""
        found = self.names.get(reference_name(name) if PurePosixPath(name).suffix in TEXT_ENDINGS else name, [])
        return f"appliance:entry/{self.entries[found[0]]}" if len(found) == 1 else None


@dataclass(slots=True)
class ReferenceResolver:
    """Resolves the links and template tags of one text while it is rendered."""

    index: ReferenceIndex
    path: str
    address_of_text: str | None
    #: Links to files of the folder that are not there.
    unresolved: list[str] = field(default_factory=list)
    #: Template tags that stay as text, by name.
    unknown_tags: Counter[str] = field(default_factory=Counter)

    def address(self, reference: str) -> str | None:
        """The reference for a `href` or `src`; None when it leads to another site, or to nothing in the folder."""
        pelican = _PELICAN.fullmatch(reference)
        if pelican is None and _SCHEME.match(reference):
            return None
        path, suffix = _parted(pelican[2] if pelican else reference)
        if pelican is not None:
            found = self._pelican(pelican[1], path)
        elif path.startswith("@/"):
            found = self.index.by_path(posixpath.join(self.index.layout.content, path[2:]))
        elif path.startswith("/"):
            found = self._absolute(path)
        else:
            found = self._relative(path)
        if found is None:
            if pelican or path.startswith("@/") or PurePosixPath(path).suffix.lower() in TEXT_ENDINGS:
                self.unresolved.append(reference)
            return None
        return found + (suffix if found.startswith("appliance:") else "")

    def tag(self, text: str) -> str | None:
        """The address or HTML that a template tag stands for; None when the tag is unknown."""
        if match := _HUGO_REF.match(text):
            return self._ref(match[1])
        if (match := _FIGURE.match(text)) and text.endswith((">}}", "%}}")):
            return self._figure(text[match.end() : -3].rstrip().removesuffix("/"))
        if match := _POST_URL.match(text):
            return self._post_url(match[1], match[2].strip("\"'"))
        if _BASE.fullmatch(text):
            return ""
        if match := _FILTERED.fullmatch(text):
            return "/" + match[1].lstrip("/")
        if (match := _HEXO_PICTURE.match(text)) and (picture := _hexo_picture(text[match.end() :].removesuffix("%}"))):
            alt = picture[1].strip("\"'")
            return f'<img src="{_escaped(self._picture(picture[0]))}" alt="{_escaped(alt)}" />'
        name = _NAME.match(text)
        self.unknown_tags[name[1] if name else text[:20]] += 1
        return None

    def _relative(self, path: str) -> str | None:
        folder = posixpath.dirname(self.path)
        found = self.index.by_path(_joined(folder, path))
        if found is None and PurePosixPath(self.path).stem != "index":  # the folder of a post's files, in Hexo
            found = self.index.by_path(_joined(str(PurePosixPath(self.path).with_suffix("")), path))
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
            found = found or self.index.by_path(posixpath.join(folder, address))
        return found or self.index.by_path(address)

    def _pelican(self, kind: str, path: str) -> str | None:
        if kind == "index":
            return "/"
        if kind == "category":
            key = self.index.find_category(path)
            return None if key is None else f"appliance:category/{key}"
        if kind in ("tag", "author"):
            return None
        if path.startswith("/"):
            return self.index.by_path(posixpath.join(self.index.layout.content, path.lstrip("/")))
        return self.index.by_path(_joined(posixpath.dirname(self.path), path))

    def _ref(self, target: str) -> str | None:
        path, suffix = _parted(target)
        if not path:
            return suffix
        found = self._relative(path) if not path.startswith("/") else None
        found = found or self.index.by_path(posixpath.join(self.index.layout.content, path.lstrip("/")))
        found = found or self.index.by_name(path)
        if found is None:
            self.unresolved.append(target)
            return None
        return found + suffix

    def _post_url(self, kind: str, target: str) -> str | None:
        path, suffix = _parted(target)
        found = self.index.by_path(path.lstrip("/")) if kind == "link" else None
        found = found or self.index.by_name(path.rsplit("/", 1)[-1])
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
        figcaption = f"<figcaption>{_escaped(caption)}</figcaption>" if caption else ""
        return f"<figure>{inner}{figcaption}</figure>"


def reference_name(path: str) -> str:
    """The name by which texts refer to a file: without its ending, or that of the folder of a bundle."""
    pure = PurePosixPath(path)
    return pure.parent.name if pure.stem.lower() in ("index", "_index") else pure.stem


def _parted(reference: str) -> tuple[str, str]:
    """The path, and the `#fragment` if there is one. A query is dropped, as files have none."""
    path, mark, fragment = reference.partition("#")
    return unquote(path.partition("?")[0]), mark + fragment


def _joined(folder: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(folder, path))


def _hexo_picture(given: str) -> tuple[str, str] | None:
    """The file and the words of a picture, which may come after names of classes."""
    for word in _WORD.finditer(given):
        if found := _FILE.fullmatch(word[0]):
            return found[1], f"{found[2]} {given[word.end() :].strip()}".strip()
        if not word[0].replace("-", "").replace("_", "").isalnum():
            break
    return None


def _escaped(text: str) -> str:
    return html.escape(text)

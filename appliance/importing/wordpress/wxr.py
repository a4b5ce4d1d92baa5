"""Parser of WXR, WordPress's export format: a stream of elements, so that memory does not grow with the file.

Guarantees that no entity is expanded and nothing outside the file is read; that an item with a text that is too long
is marked as such and its text dropped; and that a file which is not a well-formed export is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from appliance.errors import ContentError
from appliance.importing.markdown.frontmatter import SIZE_LIMIT

#: Characters one text of an item may have.
TEXT_LIMIT = SIZE_LIMIT
#: Bytes of the file that one item may take with its comments; more is not read into memory.
ITEM_LIMIT = 8 * SIZE_LIMIT
#: Elements that one item may have, and how deep they may be nested.
ELEMENT_LIMIT = 500_000
DEPTH_LIMIT = 12

_BEGINNING = 65_536
#: The only key of `<wp:postmeta>` that an item has several times and all values of which count.
_REPEATED_KEY = "_wp_old_slug"
_EXPORT = re.compile(rb"https?://wordpress\.org/export/1\.\d/")
_NAMESPACES = (
    (re.compile(r"https?://wordpress\.org/export/1\.\d/excerpt/"), "excerpt:"),
    (re.compile(r"https?://wordpress\.org/export/1\.\d/"), "wp:"),
    (re.compile(r"http://purl\.org/rss/1\.0/modules/content/"), "content:"),
    (re.compile(r"http://purl\.org/dc/elements/1\.1/"), "dc:"),
)


@dataclass(slots=True)
class WxrElement:
    """An element of the channel: an item, an author, a category, or a value such as the title of the blog."""

    #: Its tag with the usual prefix: `item`, `wp:author`.
    name: str
    #: Its own text.
    value: str = ""
    #: The texts of its children by name (`wp:post_id`, `title`). All but `…:encoded` are stripped.
    values: dict[str, str] = field(default_factory=dict)
    #: Of an item: (domain, nicename, name) of its terms.
    terms: list[tuple[str, str, str]] = field(default_factory=list)
    #: Of an item: its `<wp:postmeta>` by key.
    meta: dict[str, str] = field(default_factory=dict)
    #: Of an item: the values of each `<wp:comment>`.
    comments: list[dict[str, str]] = field(default_factory=list)
    #: Why a text of it was dropped; empty when none was.
    fault: str = ""

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def number(self, name: str) -> int:
        """A value as a whole number; 0 when it is not one."""
        value = self[name]
        return int(value) if value.isascii() and value.isdigit() and len(value) < 18 else 0


def is_export(file: Path) -> bool:
    """Whether a file begins as exports of WordPress do."""
    try:
        with file.open("rb") as stream:
            beginning = stream.read(_BEGINNING)
    except OSError:
        return False
    return b"<rss" in beginning and _EXPORT.search(beginning) is not None


def read_elements(file: Path, progress: Callable[[int], None] | None = None) -> Iterator[WxrElement]:
    """Each element of the channel in the file's order; `progress` is called with the bytes read so far.

    Raises:
        ContentError: the file cannot be read, is not well-formed XML, has entities, or an item exceeds the limits.
    """
    try:
        with file.open("rb") as stream:
            gauge = _LimitedStream(stream, file)
            for element in _elements(gauge, file):
                if progress is not None:
                    progress(gauge.read_so_far)
                yield element
    except OSError as error:
        raise ContentError(f"{file}: cannot be read: {error.strerror}; mend that and import again") from error
    except ParseError as error:
        line, column = error.position
        raise ContentError(
            f"{file}: is not well-formed XML at line {line}, column {column}; export it again or mend that place"
        ) from error
    except DefusedXmlException as error:
        raise ContentError(
            f"{file}: declares an entity or names a file outside of it, which no export of WordPress does; "
            "it is not read"
        ) from error
    except (ValueError, LookupError) as error:  # an unknown encoding
        raise ContentError(f"{file}: is not XML that can be read: {error}; export it again as UTF-8") from error


class _LimitedStream:
    """The file, with limits on what may be read and parsed between two elements of the channel."""

    def __init__(self, stream: IO[bytes], file: Path) -> None:
        self.stream = stream
        self.file = file
        self.read_so_far = 0
        self.since = 0
        self.elements = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self.stream.read(size)
        self.read_so_far += len(chunk)
        self.since += len(chunk)
        if self.since > ITEM_LIMIT:
            raise ContentError(
                f"{self.file}: an item takes more than {ITEM_LIMIT:,} bytes, near byte {self.read_so_far:,}; "
                "take it out and import again"
            )
        return chunk

    def count(self, depth: int) -> None:
        self.elements += 1
        if depth > DEPTH_LIMIT or self.elements > ELEMENT_LIMIT:
            raise ContentError(
                f"{self.file}: elements are nested or strewn as in no export of WordPress, "
                f"near byte {self.read_so_far:,}; take them out and import again"
            )

    def reset(self) -> None:
        self.since = self.elements = 0


def _elements(gauge: _LimitedStream, file: Path) -> Iterator[WxrElement]:
    open_elements: list[Any] = []
    for event, element in iterparse(gauge, events=("start", "end")):
        if event == "start":
            open_elements.append(element)
            gauge.count(len(open_elements))
            if len(open_elements) == 1 and element.tag != "rss":
                raise ContentError(
                    f"{file}: begins with <{_name(element.tag)[:60]}>, which no export of WordPress does"
                )
            continue
        open_elements.pop()
        if len(open_elements) == 2:
            yield _parsed(element)
            del open_elements[-1][:]
            gauge.reset()


def _parsed(element: Element) -> WxrElement:
    parsed = WxrElement(_name(element.tag), value=(element.text or "").strip())
    for child in element:
        name, value = _name(child.tag), child.text or ""
        if len(value) > TEXT_LIMIT:
            parsed.fault = f"has a text of {len(value):,} characters; a text may have {TEXT_LIMIT:,}; split it"
            continue
        if name == "category":
            parsed.terms.append((child.get("domain", ""), child.get("nicename", ""), value.strip()))
        elif name == "wp:postmeta":
            inner = _values(child, parsed)
            key, value = inner.get("wp:meta_key", ""), inner.get("wp:meta_value", "")
            parsed.meta[key] = f"{parsed.meta[key]} {value}" if key == _REPEATED_KEY and key in parsed.meta else value
        elif name == "wp:comment":
            parsed.comments.append(_values(child, parsed))
        else:
            parsed.values[name] = value if name.endswith(":encoded") else value.strip()
    return parsed


def _values(element: Element, parsed: WxrElement) -> dict[str, str]:
    values = {}
    for child in element:
        value = child.text or ""
        if len(value) > TEXT_LIMIT:
            parsed.fault = f"has a text of {len(value):,} characters; a text may have {TEXT_LIMIT:,}; split it"
        else:
            values[_name(child.tag)] = value.strip()
    return values


def _name(tag: str) -> str:
    """`{http://wordpress.org/export/1.2/}post_id` as `wp:post_id`, for every version and scheme of the namespace."""
    space, closed, local = tag.lstrip("{").rpartition("}")
    if not closed:
        return tag
    return next((prefix + local for known, prefix in _NAMESPACES if known.fullmatch(space)), f"{space}:{local}")


def address_of(file: Path) -> str:
    """The address of the blog, as the export gives it before the first item; empty when it does not.

    Raises:
        ContentError: as `read_elements`.
    """
    found = {}
    for element in read_elements(file):
        if element.name == "item":
            break
        found[element.name] = element.value
    return (found.get("wp:base_blog_url") or found.get("link") or "").rstrip("/")

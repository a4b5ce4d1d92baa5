"""The file: read as a stream, an item at a time, so that memory does not grow with it.

Guarantees that no entity is expanded and nothing outside the file is read; that an item whose text is too long is
named rather than kept; and that whatever is no well-formed export is refused before anything was written.
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
from appliance.importing.frontmatter import SIZE_LIMIT

#: Characters one text of an item may have.
TEXT_LIMIT = SIZE_LIMIT
#: Bytes of the file one item may take, with its comments and all; more than that is not read into memory.
ITEM_LIMIT = 8 * SIZE_LIMIT
#: Elements one item may have, and how deep they may be.
ELEMENT_LIMIT = 500_000
DEPTH_LIMIT = 12

_BEGINNING = 65_536
#: What an item may say of itself several times.
_MANY = "_wp_old_slug"
_EXPORT = re.compile(rb"https?://wordpress\.org/export/1\.\d/")
_NAMESPACES = (
    (re.compile(r"https?://wordpress\.org/export/1\.\d/excerpt/"), "excerpt:"),
    (re.compile(r"https?://wordpress\.org/export/1\.\d/"), "wp:"),
    (re.compile(r"http://purl\.org/rss/1\.0/modules/content/"), "content:"),
    (re.compile(r"http://purl\.org/dc/elements/1\.1/"), "dc:"),
)


@dataclass(slots=True)
class Part:
    """An element of the channel: its values by name (`wp:post_id`, `title`), stripped but for texts."""

    name: str
    #: Its own text, of a channel's title and the like.
    value: str = ""
    values: dict[str, str] = field(default_factory=dict)
    #: Of an item: (domain, nicename, name) of its terms.
    terms: list[tuple[str, str, str]] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)
    comments: list[dict[str, str]] = field(default_factory=list)
    #: Why its text is not there.
    fault: str = ""

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def number(self, name: str) -> int:
        """A value that is a whole number; 0 when it is none."""
        value = self[name]
        return int(value) if value.isascii() and value.isdigit() and len(value) < 18 else 0


def looks_right(file: Path) -> bool:
    """Whether a file begins as WordPress's exports do."""
    try:
        with file.open("rb") as stream:
            beginning = stream.read(_BEGINNING)
    except OSError:
        return False
    return b"<rss" in beginning and _EXPORT.search(beginning) is not None


def parts(file: Path, progress: Callable[[int], None] | None = None) -> Iterator[Part]:
    """Each element of the channel in the file's order; `progress` is told the bytes read so far.

    Raises:
        ContentError: the file cannot be read, is no well-formed XML, holds entities, or an item is beyond all measure.
    """
    try:
        with file.open("rb") as stream:
            gauge = _Gauge(stream, file)
            for part in _parts(gauge, file):
                if progress is not None:
                    progress(gauge.read_so_far)
                yield part
    except OSError as error:
        raise ContentError(f"{file}: cannot be read: {error.strerror}; mend that and import again") from error
    except ParseError as error:
        line, column = error.position
        raise ContentError(
            f"{file}: is no well-formed XML at line {line}, column {column}; export it again or mend that place"
        ) from error
    except DefusedXmlException as error:
        raise ContentError(
            f"{file}: declares an entity or names a file outside of it, which no export of WordPress does; "
            "it is not read"
        ) from error
    except (ValueError, LookupError) as error:  # an encoding nobody knows
        raise ContentError(f"{file}: is no XML that can be read: {error}; export it again as UTF-8") from error


class _Gauge:
    """The file with a measure on it: how much was read since an element of the channel ended."""

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


def _parts(gauge: _Gauge, file: Path) -> Iterator[Part]:
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
            yield _part(element)
            del open_elements[-1][:]
            gauge.reset()


def _part(element: Element) -> Part:
    part = Part(_name(element.tag), value=(element.text or "").strip())
    for child in element:
        name, value = _name(child.tag), child.text or ""
        if len(value) > TEXT_LIMIT:
            part.fault = f"has a text of {len(value):,} characters; a text may have {TEXT_LIMIT:,}; split it"
            continue
        if name == "category":
            part.terms.append((child.get("domain", ""), child.get("nicename", ""), value.strip()))
        elif name == "wp:postmeta":
            inner = _values(child, part)
            key, said = inner.get("wp:meta_key", ""), inner.get("wp:meta_value", "")
            part.meta[key] = f"{part.meta[key]} {said}" if key == _MANY and key in part.meta else said
        elif name == "wp:comment":
            part.comments.append(_values(child, part))
        else:
            part.values[name] = value if name.endswith(":encoded") else value.strip()
    return part


def _values(element: Element, part: Part) -> dict[str, str]:
    values = {}
    for child in element:
        value = child.text or ""
        if len(value) > TEXT_LIMIT:
            part.fault = f"has a text of {len(value):,} characters; a text may have {TEXT_LIMIT:,}; split it"
        else:
            values[_name(child.tag)] = value.strip()
    return values


def _name(tag: str) -> str:
    """`{http://wordpress.org/export/1.2/}post_id` as `wp:post_id`, whichever version and address it has."""
    space, closed, local = tag.lstrip("{").rpartition("}")
    if not closed:
        return tag
    return next((prefix + local for known, prefix in _NAMESPACES if known.fullmatch(space)), f"{space}:{local}")


def address_of(file: Path) -> str:
    """The address of the blog that an export is of, as it says before its first item; empty when it does not.

    Raises:
        ContentError: as `parts`.
    """
    found = {}
    for part in parts(file):
        if part.name == "item":
            break
        found[part.name] = part.value
    return (found.get("wp:base_blog_url") or found.get("link") or "").rstrip("/")

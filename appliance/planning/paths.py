"""Path patterns: where an artifact lies below the folder of its site, computed from what the artifact is about.

A pattern has one of two spellings: the readable `{year}/{month}/{slug}/index.html`, or Movable Type's specifiers, such
as `%y/%m/%-f`, with the meaning that Movable Type documents for archive file paths. Guarantees that no path leaves the
docroot, whatever pattern, slug or category name it is made from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from appliance.errors import ThemeError

INDEX_FILE: Final = "index.html"

_DATES = frozenset({"year", "month", "day"})
_MOMENTS = frozenset({"hour", "minute", "second"})
_SUBJECTS = frozenset({"slug", "id", "category", "author", "folder"})
_BY_PERIOD: Final[Mapping[str, frozenset[str]]] = {
    "daily": _DATES,
    "weekly": _DATES,
    "monthly": _DATES - {"day"},
    "yearly": frozenset({"year"}),
}
#: The fields that a pattern may use, by archive type. Patterns of further pages may also use `page`.
FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "entry": _DATES | _MOMENTS | _SUBJECTS,
    "page": _DATES | _MOMENTS | _SUBJECTS,
    "index": frozenset(),
    "category": frozenset({"category", "id"}),
    "author": frozenset({"author", "id"}),
    "tag": frozenset({"tag", "id"}),
    **_BY_PERIOD,
    **{f"category-{period}": fields | {"category"} for period, fields in _BY_PERIOD.items()},
    **{f"author-{period}": fields | {"author"} for period, fields in _BY_PERIOD.items()},
}

#: The field that each letter of Movable Type's specifiers stands for.
_LETTERS: Final[Mapping[str, str]] = {
    "a": "author", "b": "slug", "c": "category", "d": "day", "D": "weekday", "e": "id6", "E": "id", "f": "file",
    "F": "file_stem", "h": "hour", "H": "hour_short", "i": "index", "I": "index_stem", "j": "day_of_year",
    "m": "month", "M": "month_name", "n": "minute", "s": "second", "x": "extension", "y": "year", "Y": "year_short",
}  # fmt: skip
#: The field that a derived field is made from.
_NEEDS: Final[Mapping[str, str]] = {
    "weekday": "day", "id6": "id", "hour_short": "hour", "day_of_year": "day", "month_name": "month",
    "year_short": "year",
}  # fmt: skip
_ALWAYS: Final = frozenset({"file", "file_stem", "index", "index_stem", "extension"})

_TOKEN = re.compile(r"\{(?P<name>[a-z_0-9]+)\}|%(?P<separator>[-_]?)(?P<letter>[A-Za-z])|(?P<stray>[{}%])")
_SLASHES = re.compile(r"/{2,}")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
#: Longest path in characters. With the docroot before it and encoded as bytes, every system still accepts it.
_LONGEST: Final = 900
#: Endings that make an address the name of a file rather than of a folder.
_FILE = re.compile(r"\.(?:x?html?|xml|txt|json|php|aspx?|pdf)$", re.IGNORECASE)
_SPELLINGS = {"-": str.maketrans("_", "-"), "_": str.maketrans("-", "_"), "": {}}
_MONTHS = ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Subject:
    """The values that a pattern may use. Those that a pattern does not name may be left out.

    `moment` is in the time zone of the site. `named` is false for listings, since their file is the index file.
    """

    moment: datetime | date | None = None
    id: int = 0
    slug: str = ""
    category: str = ""
    author: str = ""
    tag: str = ""
    folder: str = ""
    page: int = 1
    named: bool = False


def _file_stem(subject: Subject) -> str:
    return subject.slug if subject.named else "index"


_VALUES: Final[Mapping[str, Callable[[Subject], str]]] = {
    "year": lambda s: f"{s.moment.year:04}" if s.moment else "",  # %Y has no leading zeros everywhere
    "year_short": lambda s: f"{s.moment:%y}",
    "month": lambda s: f"{s.moment:%m}",
    "month_name": lambda s: _MONTHS[s.moment.month] if s.moment else "",
    "day": lambda s: f"{s.moment:%d}",
    "day_of_year": lambda s: f"{s.moment:%j}",
    "weekday": lambda s: _DAYS[s.moment.weekday()] if s.moment else "",
    "hour": lambda s: f"{s.moment:%H}",
    "hour_short": lambda s: f"{s.moment:%H}".lstrip("0") or "0",
    "minute": lambda s: f"{s.moment:%M}",
    "second": lambda s: f"{s.moment:%S}",
    "slug": lambda s: s.slug,
    "id": lambda s: str(s.id),
    "id6": lambda s: f"{s.id:06d}",
    "category": lambda s: s.category,
    "author": lambda s: s.author,
    "tag": lambda s: s.tag,
    "folder": lambda s: s.folder,
    "page": lambda s: str(s.page),
    "file": lambda s: _file_stem(s) + ".html",
    "file_stem": _file_stem,
    "index": lambda _: INDEX_FILE,
    "index_stem": lambda _: "index",
    "extension": lambda _: ".html",
}


_NAME: Final = "[^/]+"
_NAMES: Final = f"{_NAME}(?:/{_NAME})*"
#: Fields whose values may hold slashes.
_MANY: Final = frozenset({"category", "folder"})
#: What the value of each field looks like, as a regular expression.
_FORMS: Final[Mapping[str, str]] = {
    "year": r"\d{4,}", "year_short": r"\d\d", "month": r"(?:0[1-9]|1[0-2])",
    "month_name": f"(?:{'|'.join(_MONTHS[1:])})",
    "day": r"(?:0[1-9]|[12]\d|3[01])", "day_of_year": r"\d{3}", "weekday": f"(?:{'|'.join(_DAYS)})", "hour": r"\d\d",
    "hour_short": r"\d{1,2}", "minute": r"\d\d", "second": r"\d\d", "id": r"\d+", "id6": r"\d{6,}", "page": r"\d+",
    "slug": _NAME, "author": _NAME, "tag": _NAME, "category": _NAMES, "folder": _NAMES, "file": r"index\.html",
    "file_stem": "index", "index": r"index\.html", "index_stem": "index", "extension": r"\.html",
}  # fmt: skip


class Pattern:
    """A compiled path pattern for one archive type."""

    def __init__(self, text: str, archive: str, where: str, *, pages: bool = False) -> None:
        """Compile `text`.

        Args:
            text: the pattern.
            archive: an archive type, or 'index'.
            where: what to call the pattern in an error: file and key.
            pages: whether it names further pages of a listing and so must hold `{page}`.

        Raises:
            ThemeError: it is empty, leaves the docroot, or names what the archive does not have.
        """
        self.text = text
        self._where = where
        #: Movable Type's documentation of pages uses the letter of categories for their folder.
        self._letters = {**_LETTERS, "c": "folder"} if archive == "page" else _LETTERS
        allowed = FIELDS[archive] | ({"page"} if pages else set())
        if not text or not text.strip("/"):
            raise ThemeError(f"{where}: the path pattern is empty; write one, such as {{slug}}/index.html")
        if text.startswith("/"):
            raise ThemeError(
                f"{where}: the path pattern “{text}” is absolute; write it below the site, without the first /"
            )
        if any(segment in {".", ".."} for segment in text.split("/")):
            raise ThemeError(f"{where}: the path pattern “{text}” would leave the docroot; remove the . and .. in it")
        self._parts = self._compile(text + (INDEX_FILE if text.endswith("/") else ""), allowed)
        if pages and "page" not in self.fields:
            raise ThemeError(
                f"{where}: the path pattern “{text}” lacks {{page}}, so all pages would be one file; add it"
            )

    def _compile(self, text: str, allowed: set[str] | frozenset[str]) -> list[str | tuple[str, str]]:
        parts: list[str | tuple[str, str]] = []
        end = 0
        for token in _TOKEN.finditer(text):
            parts.append(text[end : token.start()])
            name = token["name"] or self._letters.get(token["letter"] or "", "")
            if not name or (token["name"] and name not in allowed) or _NEEDS.get(name, name) not in allowed | _ALWAYS:
                raise ThemeError(
                    f"{self._where}: the path pattern “{self.text}” names “{token[0]}”, which is not known here;"
                    f" use {', '.join('{' + field + '}' for field in sorted(allowed)) or 'no fields'}"
                )
            parts.append((name, token["separator"] or ""))
            end = token.end()
        parts.append(text[end:])
        return [part for part in parts if part]

    @property
    def fields(self) -> set[str]:
        """Names of the fields that the pattern uses."""
        return {part[0] for part in self._parts if not isinstance(part, str)}

    @property
    def expression(self) -> str:
        """A regular expression that every path of a listing matches, whatever it lists."""
        return _expression(self._parts)

    @property
    def folder_expression(self) -> str:
        """A regular expression that the folder of every path of a listing matches, with a slash at its end if any."""
        slashed = [at for at, part in enumerate(self._parts) if isinstance(part, str) and "/" in part]
        after = self._parts[slashed[-1] + 1 :] if slashed else self._parts
        if any(part[0] in _MANY for part in after):
            return "(?:.*/)?"
        if not slashed:
            return ""
        last = str(self._parts[slashed[-1]])
        return _expression([*self._parts[: slashed[-1]], last[: last.rfind("/") + 1]])

    def path(self, subject: Subject) -> str:
        """The path of `subject` below the folder of the site. It may still be unsafe; see `path_fault`.

        An empty folder or category leaves no empty segment behind.
        """
        made = "".join(
            part if isinstance(part, str) else _VALUES[part[0]](subject).translate(_SPELLINGS[part[1]])
            for part in self._parts
        )
        return _SLASHES.sub("/", made).lstrip("/")


def _expression(parts: Sequence[str | tuple[str, str]]) -> str:
    made = "".join(re.escape(part) if isinstance(part, str) else _FORMS[part[0]] for part in parts)
    return _SLASHES.sub("/", made).lstrip("/")


def address_path(address: str) -> str:
    """The path of an explicit address: the address itself if it names a file, else its index file."""
    trimmed = address.strip("/")
    if _FILE.search(trimmed):
        return trimmed
    return f"{trimmed}/{INDEX_FILE}" if trimmed else INDEX_FILE


def sibling_path(path: str, suffix: str) -> str:
    """The path of a further page: `suffix`, in the folder of the first page."""
    folder = path.rpartition("/")[0]
    return f"{folder}/{suffix}" if folder else suffix


def url_path(path: str) -> str:
    """The path of a file as it appears in its URL: an index file goes by the name of its folder."""
    if path == INDEX_FILE:
        return ""
    return path[: -len(INDEX_FILE)] if path.endswith("/" + INDEX_FILE) else path


def path_fault(path: str) -> str | None:
    """Why a path below the docroot cannot be published, or None if it can."""
    if _FORBIDDEN.search(path):
        return "it contains a control character or a backslash"
    if len(path) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    segments = path.split("/")
    if "" in segments:
        return "a part of it is empty"
    if any(segment in {".", ".."} for segment in segments):
        return "it would leave the docroot"
    if any(segment.startswith(".") and segment != ".well-known" for segment in segments):
        return "a part of it begins with a dot, which web servers hide"
    try:
        if any(len(segment.encode()) > 255 for segment in segments):
            return "a part of it is longer than 255 bytes"
    except UnicodeEncodeError:
        return "it is not text"
    return None

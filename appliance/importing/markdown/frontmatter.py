"""Front matter, the block of keys at the top of a content file, in every format of the supported systems.

    ---            YAML       Hugo, Jekyll, Eleventy, Hexo, Pelican     closed by --- or ...
    +++            TOML       Hugo, Zola                                closed by +++
    {              JSON       Hugo                                      closed by its own }
    ;;;            JSON       Hexo                                      closed by ;;;
    ---json        JSON       Eleventy (also ---toml, ---yaml)          closed by ---
    Title: x       headers    Pelican                                   closed by an empty line

Guarantees that any bytes give a value or a ContentError, and that the value has no cycle, at most `NODE_LIMIT` values
however many aliases repeat them, and only strings that can be stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any, Final

import yaml

from appliance.config import toml
from appliance.errors import ContentError
from appliance.importing.markdown.bounded_yaml import load_yaml

#: Bytes that a content file may have, and values that its front matter may have.
SIZE_LIMIT = 10_000_000
NODE_LIMIT = 20_000
#: Bits of a whole number.
_BITS = 1024

#: What may come before front matter, as in Hugo and Zola.
_BLANK = re.compile(r"[\ufeff\u200b\s]*")
#: Hexo's fences may be longer.
_FENCE = re.compile(r"(?<![-;])(-{3,}|\+\+\+|;{3,})(?:[ \t]*([A-Za-z]+))?[ \t]*(?:\n|$)")
_HEADER = re.compile(r"(?<![A-Za-z0-9_-])([A-Za-z][A-Za-z0-9_-]*):(?:[ \t]+(.*))?$")
#: A file without a fence has headers only if the first is one of these, since prose may begin with `Note: …` too.
_FIRST_HEADERS = frozenset({"title", "date", "author", "authors", "category", "tags", "slug", "summary", "status"})

#: Headers that make a block of several front matter, whichever comes first.
_DECISIVE = frozenset({"title", "date", "draft", "published", "status", "slug", "layout", "permalink"})
_NIKOLA = re.compile(r"(?:<!--[ \t]*\n)?(?:\.\. [\w-]+:[^\n]*(?:\n|$))+(?:[ \t]*-->[ \t]*(?:\n|$))?")
_NIKOLA_LINE = re.compile(r"^\.\. ([\w-]+):([^\n]*)", re.MULTILINE)
_END = re.compile(r"(?<!-)-{3,}[ \t]*$")


@dataclass(frozen=True, slots=True)
class Document:
    """A content file in two parts. `format` is 'yaml', 'toml', 'json' or 'headers', and '' without front matter."""

    meta: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    format: str = ""


def split(raw: bytes) -> Document:
    """Split a content file into front matter and text.

    Raises:
        ContentError: it is too large, not UTF-8, or its front matter cannot be read; names the line.
    """
    source = _decoded(raw)
    blank = _BLANK.match(source)
    start = blank.end() if blank else 0
    if fence := _FENCE.match(source, start):
        document = _fenced(source, fence)
    elif source.startswith("{", start):
        document = _braced(source, start)
    else:
        document = _headed(source, start)
    if not document.format:
        _refuse_unread(source, start)
    return Document(_plain_table(document.meta), document.text, document.format)


def _decoded(raw: bytes) -> str:
    if len(raw) > SIZE_LIMIT:
        raise ContentError(f"is {len(raw):,} bytes long; a text may have {SIZE_LIMIT:,}; split it")
    try:
        source = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ContentError(f"line {line}: is not UTF-8; save the file in that encoding") from error
    if "\0" in source:
        line = source[: source.index("\0")].count("\n") + 1
        raise ContentError(f"line {line}: has a NUL character, so it is not a text; remove it")
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _fenced(source: str, fence: re.Match[str]) -> Document:
    mark, language = fence[1], (fence[2] or "").lower()
    first = source.count("\n", 0, fence.start()) + 1
    closing = "---|\\.\\.\\." if mark == "---" else re.escape(mark)
    end = re.compile(rf"^(?:{closing})[ \t]*$", re.MULTILINE).search(source, fence.end())
    if end is None:
        if mark[0] == "-" and not re.match(r"[\w-]+[ \t]*:", source[fence.end() :]):
            return Document({}, source)  # a rule across the page
        raise ContentError(f"line {first}: front matter begins with {mark} and never ends; close it with {mark}")
    format = language or {"-": "yaml", "+": "toml", ";": "json"}[mark[0]]
    parsers = {"yaml": _yaml, "yml": _yaml, "toml": _toml, "json": _json}
    if format not in parsers:
        raise ContentError(f"line {first}: front matter in {format} is a program, not data; write it as YAML")
    block = source[fence.end() : end.start()]
    meta = parsers[format](block, "front matter", first + 1)
    text = source[end.end() :].removeprefix("\n")
    if not isinstance(meta, dict):
        if mark[0] == "-" and not language:
            return Document({}, source)  # prose between two rules
        raise ContentError(f"line {first}: front matter has no keys; write them as key and value")
    return Document(meta, text, "yaml" if format == "yml" else format)


#: Keys by which a block that cannot be read is taken for front matter.
_KEY = re.compile(
    r"[ \t\"'#.*+-]{0,9}"
    r"(?:title|date|draft|published|status|slug|layout|permalink|categories|tags|private)[\"']?[ \t]{0,9}[:=]",
    re.IGNORECASE,
)
_UNREAD: Final = re.compile(r"(?:[-\u2010-\u2015\u2212+;=~*_`#.%<!]{2,}|\.\. |#\+)")
#: Lines at the beginning of a text that are searched for front matter that cannot be read.
_SEARCHED_LINES: Final = 40


def _refuse_unread(source: str, start: int) -> None:
    """Refuse a text that begins with something like front matter, since it might say that the text is a draft.

    Raises:
        ContentError: it does.
    """
    if not _UNREAD.match(source, start):
        return
    lines = source[start : start + 8000].split("\n")[1:_SEARCHED_LINES]
    for line in lines:
        if not line.strip():
            return
        if _KEY.match(line):
            number = source.count("\n", 0, start) + 1
            raise ContentError(
                f"line {number}: looks like front matter and cannot be read; put it between two lines of ---"
            )


def lower_keys(values: Mapping[Any, Any]) -> dict[str, Any]:
    """A table with its keys as strings in lower case."""
    return {str(key).lower(): value for key, value in values.items()}


def begins_with(beginning: bytes, *, braces: bool) -> bool:
    """Whether a file that is not a text begins with front matter; with `braces`, a JSON object counts too."""
    text = beginning.decode("utf-8", "replace")
    blank = _BLANK.match(text)
    start = blank.end() if blank else 0
    return bool(_FENCE.match(text, start)) or (braces and re.match(r"\{\s{0,99}\"", text[start:]) is not None)


def read_yaml(raw: bytes) -> Any:
    """The value of a YAML file.

    Raises:
        ContentError: it is too large, not UTF-8 or not YAML.
    """
    return _plain(_yaml(_decoded(raw), "the file", 1), [max(NODE_LIMIT, len(raw))], 0)


def _yaml(block: str, what: str = "front matter", first: int = 2) -> Any:
    try:
        value = load_yaml(block)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + first}: " if error.problem_mark else ""
        raise ContentError(f"{line}{what} is not YAML: {error.problem or error.context}; mend it") from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError, AttributeError) as error:
        raise ContentError(f"{what} is not YAML: {_first_line(error)}; mend it") from error
    return {} if value is None else value


def _toml(block: str, what: str, first: int) -> Any:
    try:
        return toml.loads(block)
    except toml.TOMLDecodeError as error:
        reason = re.sub(r" \(at line (\d+), column \d+\)$", "", _first_line(error))
        found = re.search(r"at line (\d+)", str(error))
        line = f"line {int(found[1]) + first - 1}: " if found else ""
        raise ContentError(f"{line}{what} is not TOML: {reason}; mend it") from error


def _json(block: str, what: str, first: int) -> Any:
    wrapped = block if block.lstrip().startswith("{") else "{" + block + "}"  # Hexo leaves the braces out
    try:
        return json.loads(wrapped)
    except json.JSONDecodeError as error:
        line = error.lineno + first - 1
        raise ContentError(f"line {line}: {what} is not JSON: {error.msg}; mend it") from error
    except (ValueError, RecursionError) as error:
        raise ContentError(f"{what} is not JSON: {_first_line(error)}; mend it") from error


def _braced(source: str, start: int) -> Document:
    if not re.compile(r"\{\s*[\"}]").match(source, start):
        return Document({}, source)
    try:
        meta, end = json.JSONDecoder().raw_decode(source, start)
    except json.JSONDecodeError as error:
        raise ContentError(f"line {error.lineno}: front matter is not JSON: {error.msg}; mend it") from error
    except (ValueError, RecursionError) as error:
        raise ContentError(f"front matter is not JSON: {_first_line(error)}; mend it") from error
    return Document(meta, source[end:].lstrip("\n"), "json")


def _headed(source: str, start: int) -> Document:
    """Headers as Pelican and Nikola write them, and Hexo where the first fence is left out."""
    if nikola := _NIKOLA.match(source, start):
        meta = {key.lower(): value.strip() for key, value in _NIKOLA_LINE.findall(nikola[0])}
        return Document(meta, source[nikola.end() :].removeprefix("\n"), "headers")
    lines = source[start:].split("\n")
    meta, key, number = dict[str, Any](), "", 0
    more: dict[str, list[str]] = {}
    for number, line in enumerate([*lines, ""]):  # noqa: B007 - where the headers end
        header = _HEADER.match(line)
        if header is not None:
            key = header[1].lower()
            meta[key] = (header[2] or "").strip()
            more.pop(key, None)
        elif key and line[:1] in (" ", "\t") and line.strip():
            more.setdefault(key, []).append(line.strip())
        else:
            break
    meta |= {key: "\n".join([meta[key], *lines]).strip() for key, lines in more.items()}
    first = next(iter(meta), "")
    if first not in _FIRST_HEADERS and not (len(meta) > 1 and _DECISIVE & set(meta)):
        return Document({}, source)
    if number < len(lines) and (fence := _END.match(lines[number])):
        block = _yaml("\n".join(lines[:number]), first=source.count("\n", 0, start) + 1)
        if isinstance(block, dict) and fence[0][0] == "-":
            return Document(block, "\n".join(lines[number + 1 :]), "yaml")
    return Document(meta, "\n".join(lines[number:]).removeprefix("\n"), "headers")


def _plain_table(meta: dict[str, Any]) -> dict[str, Any]:
    room = [NODE_LIMIT]
    plain: dict[str, Any] = _plain(meta, room, 0)
    return plain


def _plain(value: Any, room: list[int], depth: int) -> Any:
    room[0] -= 1
    if room[0] < 0 or depth > 50:
        raise ContentError(f"front matter has more than {NODE_LIMIT:,} values or is nested too deeply; shorten it")
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise ContentError("front matter has a number that is too large; write it in quotes")
    if isinstance(value, dict):
        return {str(_plain(k, room, depth + 1)): _plain(v, room, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple, set)):
        items = sorted(value, key=str) if isinstance(value, set) else value
        return [_plain(item, room, depth + 1) for item in items]
    if isinstance(value, (bytes, str)):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        return text.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, (bool, int, float, datetime, date, time)) or value is None:
        return value
    return str(value)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).split("\n")[0]

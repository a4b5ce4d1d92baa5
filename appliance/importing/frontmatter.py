"""Front matter: the block of settings at the top of a content file, in every form people write it.

    ---            YAML       Hugo, Jekyll, Eleventy, Hexo, Pelican     closed by --- or ...
    +++            TOML       Hugo, Zola                                closed by +++
    {              JSON       Hugo                                      closed by its own }
    ;;;            JSON       Hexo                                      closed by ;;;
    ---json        JSON       Eleventy (also ---toml, ---yaml)          closed by ---
    Title: x       headers    Pelican                                   closed by an empty line

Guarantees that arbitrary bytes end in a value or a ContentError, and that the value is plain: no cycle, no
more than `NODE_LIMIT` values however many aliases repeat them, strings that can be stored.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import yaml

from appliance.errors import ContentError

#: Bytes a content file may have, and values its front matter may hold.
SIZE_LIMIT = 10_000_000
NODE_LIMIT = 20_000

_FENCE = re.compile(r"(---|\+\+\+|;;;)[ \t]*([A-Za-z]*)[ \t]*(?:\n|$)")
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9_-]*):(?:[ \t]+(.*))?$")
#: A file without a fence has headers only if it names one of these first: prose may begin with `Note: …` too.
_FIRST_HEADERS = frozenset({"title", "date", "author", "authors", "category", "tags", "slug", "summary", "status"})

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """A content file in two parts. `form` is 'yaml', 'toml', 'json', 'headers' or, with none, ''."""

    meta: dict[str, Any] = field(default_factory=dict)
    text: str = ""
    form: str = ""


def split(raw: bytes) -> Document:
    """Take a content file apart.

    Raises:
        ContentError: it is too large, not UTF-8, or its front matter cannot be read; with the line.
    """
    source = _decoded(raw)
    if fence := _FENCE.match(source):
        document = _fenced(source, fence)
    elif source.startswith("{"):
        document = _braced(source)
    else:
        document = _headed(source)
    return Document(_plain_object(document.meta), document.text, document.form)


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
        raise ContentError(f"line {line}: holds a NUL character, so it is no text; remove it")
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _fenced(source: str, fence: re.Match[str]) -> Document:
    mark, language = fence[1], fence[2].lower()
    closing = "---|\\.\\.\\." if mark == "---" else re.escape(mark)
    end = re.compile(rf"^(?:{closing})[ \t]*$", re.MULTILINE).search(source, fence.end())
    if end is None:
        if mark == "---" and not re.match(r"[\w-]+[ \t]*:", source[fence.end() :]):
            return Document({}, source)  # a rule across the page
        raise ContentError(f"line 1: front matter begins with {mark} and never ends; close it with {mark}")
    form = language or {"---": "yaml", "+++": "toml", ";;;": "json"}[mark]
    parsers = {"yaml": _yaml, "yml": _yaml, "toml": _toml, "json": _json}
    if form not in parsers:
        raise ContentError(f"line 1: front matter in {form} is a program, not data; write it as YAML")
    block = source[fence.end() : end.start()]
    meta = parsers[form](block)
    text = source[end.end() :].removeprefix("\n")
    if not isinstance(meta, dict):
        if mark == "---" and not language:
            return Document({}, source)  # prose between two rules
        raise ContentError("line 1: front matter holds no keys; write them as key and value")
    return Document(meta, text, "yaml" if form == "yml" else form)


def read_yaml(raw: bytes) -> Any:
    """The value of a file of YAML.

    Raises:
        ContentError: it is too large, not UTF-8 or not YAML.
    """
    return _yaml(_decoded(raw), "the file", 1)


def _yaml(block: str, what: str = "front matter", first: int = 2) -> Any:
    try:
        value = yaml.load(block, Loader=_Loader)  # noqa: S506 - a safe loader, the one written in C
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + first}: " if error.problem_mark else ""
        raise ContentError(f"{line}{what} is not YAML: {error.problem or error.context}; mend it") from error
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError, AttributeError) as error:
        raise ContentError(f"{what} is not YAML: {_first_line(error)}; mend it") from error
    return {} if value is None else value


def _toml(block: str) -> Any:
    try:
        return tomllib.loads(block)
    except (tomllib.TOMLDecodeError, ValueError, RecursionError) as error:
        reason = re.sub(r" \(at line (\d+), column \d+\)$", "", _first_line(error))
        found = re.search(r"at line (\d+)", str(error))
        line = f"line {int(found[1]) + 1}: " if found else ""
        raise ContentError(f"{line}front matter is not TOML: {reason}; mend it") from error


def _json(block: str) -> Any:
    wrapped = block if block.lstrip().startswith("{") else "{" + block + "}"  # Hexo leaves the braces out
    try:
        return json.loads(wrapped)
    except json.JSONDecodeError as error:
        raise ContentError(f"line {error.lineno + 1}: front matter is not JSON: {error.msg}; mend it") from error
    except (ValueError, RecursionError) as error:
        raise ContentError(f"front matter is not JSON: {_first_line(error)}; mend it") from error


def _braced(source: str) -> Document:
    if not re.match(r"\{\s*[\"}]", source):
        return Document({}, source)
    try:
        meta, end = json.JSONDecoder().raw_decode(source)
    except json.JSONDecodeError as error:
        raise ContentError(f"line {error.lineno}: front matter is not JSON: {error.msg}; mend it") from error
    except (ValueError, RecursionError) as error:
        raise ContentError(f"front matter is not JSON: {_first_line(error)}; mend it") from error
    return Document(meta, source[end:].lstrip("\n"), "json")


def _headed(source: str) -> Document:
    lines = source.split("\n")
    first = _HEADER.match(lines[0])
    if first is None or first[1].lower() not in _FIRST_HEADERS:
        return Document({}, source)
    meta: dict[str, Any] = {}
    key = ""
    for number, line in enumerate(lines):
        header = _HEADER.match(line)
        if header is not None:
            key = header[1].lower()
            meta[key] = (header[2] or "").strip()
        elif key and line[:1] in (" ", "\t") and line.strip():
            meta[key] = f"{meta[key]}\n{line.strip()}".strip()
        else:
            return Document(meta, "\n".join(lines[number:]).removeprefix("\n"), "headers")
    return Document(meta, "", "headers")


def _plain_object(meta: dict[str, Any]) -> dict[str, Any]:
    room = [NODE_LIMIT]
    plain: dict[str, Any] = _plain(meta, room, 0)
    return plain


def _plain(value: Any, room: list[int], depth: int) -> Any:
    room[0] -= 1
    if room[0] < 0 or depth > 50:
        raise ContentError(f"front matter holds more than {NODE_LIMIT:,} values or nests too deep; shorten it")
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

"""Parser of Movable Type's format: one block for each entry, read as a stream.

Guarantees that only one block is held in memory; that a block which is too long or cannot be read is marked as such,
and the blocks around it are read; and that a line of dashes within a text, which exporters do not escape, stays part
of the text. The appliance's own export is read back to the letter: it writes a space after such lines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from appliance.importing.movabletype.encodings import END, KEY_LINE, PART

#: Characters a block may have.
SIZE_LIMIT = 10_000_000

#: The parts of Movable Type itself. Plugins add keys with an underscore, such as `CF50_SUBTITLE`.
PARTS = frozenset({"BODY", "EXTENDED BODY", "EXCERPT", "KEYWORDS", "COMMENT", "PING"})

_PART_LINE = re.compile(r"\s*([A-Z][A-Z0-9 ]*(?:_[A-Za-z0-9_-]+)?):\s*$")
_ESCAPED_DASHES = re.compile(r"^((?:-{3})?-{5} *) $", re.MULTILINE)


@dataclass(slots=True)
class Block:
    """One entry as the file has it."""

    #: The number of its first line.
    line: int
    #: (key, value) of the lines above its text; a key may come several times.
    meta: list[tuple[str, str]] = field(default_factory=list)
    #: (key, text) of the parts below them; a key may come several times.
    parts: list[tuple[str, str]] = field(default_factory=list)
    #: BLAKE2b-256 of all its lines, hexadecimal.
    digest: str = ""
    #: Its length in characters.
    size: int = 0
    #: Why it cannot be read; empty when it can.
    fault: str = ""
    #: Whether its end mark was found.
    is_ended: bool = True

    def first(self, key: str) -> str:
        """The first value of a key that is not empty; empty when there is none."""
        return next((value for one, value in self.meta if one == key and value), "")

    def has(self, key: str) -> bool:
        """Whether a key is given, even without a value."""
        return any(one == key for one, _ in self.meta)

    def part(self, key: str) -> str:
        """The text of a part; that of several parts of one key is joined by blank lines."""
        return "\n\n".join(text for one, text in self.parts if one == key)


@dataclass(slots=True)
class _Raw:
    """The lines of a block that is being read."""

    line: int
    lines: list[str] = field(default_factory=list)
    size: int = 0
    #: The last line that is not blank.
    last: str = ""
    has_parts: bool = False

    def add(self, line: str) -> None:
        self.size += len(line) + 1
        if self.size <= SIZE_LIMIT:
            self.lines.append(line)
        else:
            self.lines.clear()
        self.last = line if line.strip() else self.last
        self.has_parts = self.has_parts or line == PART

    @property
    def is_closed(self) -> bool:
        """Whether an end mark certainly is one, since it cannot be a line of an open text."""
        return self.last == PART or not self.has_parts


def read(lines: Iterable[str]) -> Iterator[Block]:
    """The blocks of a file's lines; empty blocks are passed over."""
    for raw, ended in _raw(lines):
        if raw.last:
            yield _block(raw, ended)


def batches(stream: Iterable[Block], most: int) -> Iterator[list[Block]]:
    """Group blocks in lists of at most `most`, and of little more than half the characters that one block may have."""
    batch: list[Block] = []
    size = 0
    for block in stream:
        batch.append(block)
        size += block.size
        if len(batch) == most or size > SIZE_LIMIT // 2:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _raw(lines: Iterable[str]) -> Iterator[tuple[_Raw, bool]]:
    raw = _Raw(1)
    open_end: list[str] | None = None  # an end mark and the blank lines after it, which may still be text
    for number, given in enumerate(lines, 1):
        line = given.rstrip("\n").removesuffix("\r").replace("\0", "")
        if open_end is not None:
            if not line.strip():
                open_end.append(line)
                continue
            if line == END or KEY_LINE.match(line):
                yield raw, True
                raw = _Raw(number)
            else:
                for one in open_end:
                    raw.add(one)
            open_end = None
        if line != END:
            if not raw.last and line.strip():
                raw.line = number
            raw.add(line)
        elif raw.is_closed:
            yield raw, True
            raw = _Raw(number + 1)
        else:
            open_end = [line]
    yield raw, open_end is not None


def _block(raw: _Raw, ended: bool) -> Block:
    if raw.size > SIZE_LIMIT:
        return Block(raw.line, fault=f"is more than {SIZE_LIMIT:,} characters long; mend its end mark or split it")
    block = Block(raw.line, digest=_digest(raw.lines), size=raw.size, is_ended=ended)
    pieces = _pieces(raw.lines)
    _read_meta(block, pieces[0])
    parts = list(_parts(block, pieces[1:]))
    block.parts = [(key, _ESCAPED_DASHES.sub(r"\1", "\n".join(lines))) for key, lines in parts]
    if not block.meta:
        block.fault = "does not begin with a line such as “TITLE: …”; write its keys above its text"
    return block


def _pieces(lines: list[str]) -> list[list[str]]:
    pieces: list[list[str]] = [[]]
    for line in lines:
        if line == PART:
            pieces.append([])
        else:
            pieces[-1].append(line)
    return pieces


def _read_meta(block: Block, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        match = KEY_LINE.match(line)
        if match is None:
            continue
        if match[1] == "START BODY":  # the oldest exports have the text among the keys
            block.parts.append(("BODY", "\n".join(line for line in lines[number + 1 :] if line != "END BODY:")))
            return
        block.meta.append((match[1], (match[2] or "").strip()))


def _parts(block: Block, pieces: list[list[str]]) -> Iterator[tuple[str, list[str]]]:
    """The key and lines of each part. A piece that does not begin with a key belongs to the part before it."""
    key, text = "", list[str]()
    if block.parts:
        key, text = block.parts[-1][0], [block.parts.pop()[1]]
    for lines in pieces:
        begin = next((number for number, line in enumerate(lines) if line.strip()), None)
        if begin is None:
            continue
        match = _PART_LINE.match(lines[begin])
        if match is not None and (match[1] in PARTS or "_" in match[1]):
            if key:
                yield key, text
            key, text = match[1], lines[begin + 1 :]
        elif key:
            text += [PART, *lines]
    if key:
        yield key, text


def _digest(lines: list[str]) -> str:
    digest = hashlib.blake2b(digest_size=32)
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()

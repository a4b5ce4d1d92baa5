"""The blocks of a file: one an entry, read as a stream.

Guarantees that no more than one block is held, that a block which is too long or makes no sense is said to be so
while the ones around it are read, and that text with a line of dashes of its own, as exporters let through, stays
with what it belongs to. What our export writes is read back to the letter: there, such lines carry a space more.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from appliance.importing.movabletype.encodings import END, KEY_LINE, PART

#: Characters a block may have.
SIZE_LIMIT = 10_000_000

#: Parts Movable Type knows; plugins add keys with an underscore, such as `CF50_SUBTITLE`.
PARTS = frozenset({"BODY", "EXTENDED BODY", "EXCERPT", "KEYWORDS", "COMMENT", "PING"})

_PART_LINE = re.compile(r"\s*([A-Z][A-Z0-9 ]*(?:_[A-Za-z0-9_-]+)?):\s*$")
_OWN_DASHES = re.compile(r"^((?:-{3})?-{5} *) $", re.MULTILINE)


@dataclass(slots=True)
class Block:
    """One entry as it is written. `line` is where it begins, `fault` says why it cannot be taken."""

    line: int
    #: (key, value), as often as a key is given.
    meta: list[tuple[str, str]] = field(default_factory=list)
    #: (key, text), as often as a key is given.
    parts: list[tuple[str, str]] = field(default_factory=list)
    #: Of all its lines.
    digest: str = ""
    #: Characters.
    size: int = 0
    fault: str = ""
    #: Whether its end mark is there.
    is_ended: bool = True

    def first(self, key: str) -> str:
        """The first value of a key that says something, else nothing."""
        return next((value for one, value in self.meta if one == key and value), "")

    def has(self, key: str) -> bool:
        """Whether a key is given, whatever its value."""
        return any(one == key for one, _ in self.meta)

    def part(self, key: str) -> str:
        """The text of a part; of several, one after the other."""
        return "\n\n".join(text for one, text in self.parts if one == key)


@dataclass(slots=True)
class _Raw:
    """Lines of a block while it is being read."""

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
        """Whether an end mark must be one: no text is open in which it could be a line of its own."""
        return self.last == PART or not self.has_parts


def read(lines: Iterable[str]) -> Iterator[Block]:
    """The blocks of a file's lines; blank ones are left out."""
    for raw, ended in _raw(lines):
        if raw.last:
            yield _block(raw, ended)


def batches(stream: Iterable[Block], most: int) -> Iterator[list[Block]]:
    """Blocks in lists of at most `most`, and of not much more than half the characters one block may have."""
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
    open_end: list[str] | None = None  # an end mark, and blank lines after it, that may be text
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
    for piece in pieces[1:]:
        _read_part(block, piece)
    if not block.meta:
        block.fault = "does not begin with a line such as “TITLE: …”; write its keys above its text"
    block.parts = [(key, _OWN_DASHES.sub(r"\1", text)) for key, text in block.parts]
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


def _read_part(block: Block, lines: list[str]) -> None:
    begin = next((number for number, line in enumerate(lines) if line.strip()), None)
    if begin is None:
        return
    match = _PART_LINE.match(lines[begin])
    if match is not None and (match[1] in PARTS or "_" in match[1]):
        block.parts.append((match[1], "\n".join(lines[begin + 1 :])))
    elif block.parts:
        key, text = block.parts[-1]
        block.parts[-1] = key, "\n".join([text, PART, *lines])


def _digest(lines: list[str]) -> str:
    digest = hashlib.blake2b(digest_size=32)
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()

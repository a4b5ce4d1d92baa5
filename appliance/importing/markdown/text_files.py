"""A text of a folder as the scan finds it, and the bytes of files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import ContentError
from appliance.importing.existing_entries import AddressKey
from appliance.importing.markdown import frontmatter
from appliance.importing.report import Outcome


@dataclass(slots=True)
class TextFile:
    """A Markdown file that is an entry or a page."""

    path: str
    #: As `TextReader.digest`.
    digest: str
    #: The id of its entry; None until it has one.
    id: int | None = None
    #: Where the scan keeps its entry; None when it did not change and was not read.
    position: int | None = None
    #: What no other text may share; None as above.
    claim: AddressKey | None = None
    address: str | None = None
    aliases: tuple[str, ...] = ()
    is_new: bool = True
    is_renamed: bool = False

    def outcome(self, *, changed: bool) -> Outcome:
        """The outcome that the report counts; `changed` says whether saving its entry changed anything."""
        if self.is_renamed:
            return "renamed"
        return "added" if self.is_new else "changed" if changed else "unchanged"


def key_of(text: TextFile) -> int:
    """The id of the entry of a text that has one by now."""
    assert text.id is not None  # noqa: S101 - reserved before anything is saved
    return text.id


def read_bytes(file: Path) -> bytes:
    """The bytes of a content file.

    Raises:
        ContentError: it cannot be read or is too large.
    """
    try:
        size = file.stat().st_size
        if size > frontmatter.SIZE_LIMIT:
            raise ContentError(f"is {size:,} bytes long; a text may have {frontmatter.SIZE_LIMIT:,}; split it")
        return file.read_bytes()
    except OSError as error:
        raise ContentError(f"cannot be read: {error.strerror}; mend that and import again") from error


def digest(raw: bytes) -> str:
    """BLAKE2b-256 of a file's bytes, hexadecimal."""
    return hashlib.blake2b(raw, digest_size=32).hexdigest()

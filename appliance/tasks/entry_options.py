"""The options of `content.add` and `content.edit` that set fields of an entry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from appliance.content.models import ENTRY_STATUSES
from appliance.errors import ContentError
from appliance.tasks import entry_file
from appliance.tasks.option_group import option_group

T = TypeVar("T")

#: The forms in which a date is written.
DATE_FORMS: Final = "now, 2026-11-22, 2026-11-22 08:30 or tomorrow 08:30, in the site's time zone"

#: Help texts of the options, by name.
HELP: Final[Mapping[str, str]] = {
    "text": "The text.",
    "file": "A file with the text and optional front matter; - reads standard input.",
    "author": "An author; may be repeated.",
    "category": "A category, such as News or News/Local; may be repeated, the primary one first.",
    "tag": "A tag; may be repeated.",
    "date": f"The publication date: {DATE_FORMS}.",
    "status": f"One of {', '.join(ENTRY_STATUSES)}.",
    "slug": "The last part of its address.",
    "kind": "entry or page.",
    "folder": "For pages: the folder, such as about/team.",
    "address": "An address below the site that replaces the one the theme gives it.",
    "excerpt": "The text shown in listings, in Markdown; when empty, the beginning of the text.",
    "format": "The format of the text: markdown or html.",
    "expires": "The date on which to withdraw it, in the same forms as the date, or never.",
    "comments": "Whether readers may comment: yes or no.",
}
#: The options that may be repeated.
REPEATED: Final = ("author", "category", "tag")

#: The field that an option sets, where the two have different names.
_FIELDS: Final = {"author": "authors", "category": "categories", "tag": "tags"}


def with_entry_fields(body: Callable[..., T]) -> Callable[..., T]:
    """Give a task the options of an entry, and pass the fields they set as its `fields`."""
    return option_group("fields", dict.fromkeys(HELP), lambda _context, options: parse_fields(options))(body)


def parse_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that the options set, by name. An option overrides the front matter of `--file`.

    Raises:
        ContentError: an option has an invalid value.
    """
    given = {name: value for name, value in options.items() if value is not None}
    fields = _parse_text(given.pop("text", None), given.pop("file", None))
    if "comments" in given:
        comments = given.pop("comments")
        if comments not in ("yes", "no"):
            raise ContentError(f"--comments: “{comments}” is neither yes nor no; write one of them.")
        fields["allow_comments"] = comments == "yes"
    if "expires" in given:
        expires = given.pop("expires")
        fields["expires"] = None if expires in ("", "never") else expires
    if "address" in given:
        fields["address"] = given.pop("address").strip("/") or None
    for name in REPEATED:
        if values := given.pop(name, None):
            fields[_FIELDS[name]] = [value for value in values if value.strip()]
    return fields | given


def _parse_text(text: str | None, file: str | None) -> dict[str, Any]:
    if text is not None and file is not None:
        raise ContentError("--text and --file both give the text; use one of them.")
    if file is not None:
        return entry_file.parse(_read(file))
    return {} if text is None else {"text": text}


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).expanduser().read_bytes()
    except OSError as error:
        raise ContentError(f"{file}: cannot be read: {error.strerror}; name a text file.") from error

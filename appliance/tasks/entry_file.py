"""Entries as text files with front matter, for editing by hand.

An unknown key is refused, so that nothing a person wrote is silently lost. Fields that the person did not change are
not set, so a change that somebody else made meanwhile is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import yaml

from appliance.errors import ContentError
from appliance.importing.markdown import frontmatter

if TYPE_CHECKING:
    from appliance.editorial import EntryDetails

Fields = dict[str, Any]


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _date(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else _text(value)


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    parts = value if isinstance(value, list) else str(value).split(",")
    return [_text(part) for part in parts if _text(part)]


def _expiry(value: Any) -> str | None:
    return None if value in (None, "", "never") else _date(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ContentError(f"comments: “{value}” is neither yes nor no; write one of them")
    return value


#: The field that each front matter key sets, and the function that reads its value.
_KEYS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "title": ("title", _text),
    "slug": ("slug", _text),
    "date": ("date", _date),
    "status": ("status", _text),
    "kind": ("kind", _text),
    "expires": ("expires", _expiry),
    "author": ("authors", _list),
    "authors": ("authors", _list),
    "category": ("categories", _list),
    "categories": ("categories", _list),
    "tags": ("tags", _list),
    "excerpt": ("excerpt", _text),
    "summary": ("summary", _text),
    "address": ("address", lambda value: _text(value).strip("/") or None),
    "folder": ("folder", _text),
    "format": ("format", _text),
    "comments": ("allow_comments", _flag),
    "aliases": ("aliases", _list),
}


def parse(raw: bytes) -> Fields:
    """Return the fields that a file of front matter and text sets.

    Raises:
        ContentError: the front matter cannot be read, or has an unknown key.
    """
    document = frontmatter.split(raw)
    fields: Fields = {}
    for key, value in document.meta.items():
        if key.lower() not in _KEYS:
            raise ContentError(f"front matter: “{key}” is not a key; use {', '.join(_KEYS)}")
        field, convert = _KEYS[key.lower()]
        fields[field] = convert(value)
    fields["text"] = document.text.removeprefix("\n") if document.format else document.text
    return fields


def render(details: EntryDetails) -> str:
    """Return an entry as a file."""
    meta = {
        "title": details.title,
        "slug": details.slug,
        "date": details.date,
        "status": details.status,
        "authors": list(details.authors),
        "categories": list(details.categories),
        "tags": list(details.tags),
        "comments": details.allow_comments,
    }
    meta |= {"expires": details.expires} if details.expires else {}
    optional = {"address": details.address, "folder": details.folder, "aliases": list(details.aliases)}
    meta |= {key: value for key, value in optional.items() if value}
    front = yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000)
    return f"---\n{front}---\n\n{details.text}"


def changed_fields(before: bytes, after: bytes) -> Fields:
    """Return the fields that the second file sets differently. A key that was removed clears its field.

    Raises:
        ContentError: the second file cannot be read, or lacks a required key.
    """
    old, new = parse(before), parse(after)
    for key in old.keys() - new.keys():
        if isinstance(old[key], (list, str)) and key not in ("title", "slug", "date", "status", "expires", "address"):
            new[key] = type(old[key])()
        elif key in ("expires", "address"):
            new[key] = None
        else:
            raise ContentError(f"front matter: the {key} is missing; write it again")
    return {key: value for key, value in new.items() if key not in old or old[key] != value}

"""An entry as a text file with front matter, as people edit it, and what such a file names.

Guarantees that a key nobody here knows is refused, not lost, and that what was not changed in the file is not named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import yaml

from appliance.errors import ContentError
from appliance.importing import frontmatter

Named = dict[str, Any]


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _date(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else _text(value)


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    parts = value if isinstance(value, list) else str(value).split(",")
    return [_text(part) for part in parts if _text(part)]


def _until(value: Any) -> str | None:
    return None if value in (None, "", "never") else _date(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ContentError(f"comments: “{value}” says neither yes nor no; write one of them")
    return value


#: What each key of the front matter names, and how its value is read.
_KEYS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "title": ("title", _text),
    "slug": ("slug", _text),
    "date": ("date", _date),
    "status": ("status", _text),
    "kind": ("kind", _text),
    "expires": ("expires", _until),
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


def read(raw: bytes) -> Named:
    """What a file of front matter and text names.

    Raises:
        ContentError: it cannot be read, or has a key nobody here knows.
    """
    document = frontmatter.split(raw)
    named: Named = {}
    for key, value in document.meta.items():
        if key.lower() not in _KEYS:
            raise ContentError(f"front matter: there is no key “{key}” here; use {', '.join(_KEYS)}")
        field, reading = _KEYS[key.lower()]
        named[field] = reading(value)
    named["text"] = document.text.removeprefix("\n") if document.form else document.text
    return named


def write(shown: Mapping[str, Any]) -> str:
    """The file of an entry, given all there is to say of it."""
    meta = {
        "title": shown["title"],
        "slug": shown["slug"],
        "date": datetime.fromisoformat(shown["date"]),
        "status": shown["status"],
        "authors": shown["authors"],
        "categories": shown["categories"],
        "tags": shown["tags"],
        "comments": shown["allow_comments"],
    }
    meta |= {"expires": datetime.fromisoformat(shown["expires"])} if shown["expires"] else {}
    meta |= {key: shown[key] for key in ("address", "folder", "aliases") if shown[key]}
    front = yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, default_flow_style=None, width=1000)
    return f"---\n{front}---\n\n{shown['text']}"


def differences(before: bytes, after: bytes) -> Named:
    """What the second file names otherwise than the first; a key that was taken out is named as nothing.

    Raises:
        ContentError: the second cannot be read, or lacks what every entry has.
    """
    old, new = read(before), read(after)
    for key in old.keys() - new.keys():
        if isinstance(old[key], (list, str)) and key not in ("title", "slug", "date", "status", "expires", "address"):
            new[key] = type(old[key])()
        elif key in ("expires", "address"):
            new[key] = None
        else:
            raise ContentError(f"front matter: the {key} is missing; write it again")
    return {key: value for key, value in new.items() if key not in old or old[key] != value}

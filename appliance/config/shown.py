"""The settings as people see them: every key with its value, where the value comes from, and never a secret.

Secrets belong into files that the settings name. Where they stand in the settings all the same, such as a password in
the URL of a database, a token in a header for a cache or in the address of a webhook, they are left out, also from
sentences about what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel

from appliance.config.error_messages import model_in
from appliance.config.sections import Config

#: What stands in the place of a secret.
HIDDEN: Final = "…"
#: Sections of which a change is used as soon as the file is saved, and their keys of which it is not.
_FOLLOWED: Final = ("web", "admin")
_NOT_FOLLOWED: Final = ("path", "listen", "intake", "socket_group", "socket_mode")

_USER_INFO: Final = re.compile(r"(?<=://)[^/?#\s]*@")
_PASSWORD: Final = re.compile(r"(?i)(\w*(?:password|passwd|secret|token)\w*=)[^&\s]+")
_SECRET_NAME: Final = re.compile(r"(?i)password|passwd|secret|token|api_?key|credential")
#: The beginning of a sentence about settings in which secrets may stand, and the values that such a sentence quotes.
_DELICATE: Final = re.compile(r"(?:database|caches|webhooks)\b")
_QUOTED: Final = re.compile(r"“.*”|'.*'|(?<=, not ).*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One key of the settings."""

    #: The section, with the names of items: `sites.blog.comments`; empty for the top of the file.
    section: str
    key: str
    #: As it would be written in the file, without secrets; empty for a key that has no value.
    value: str
    origin: Literal["file", "default"]
    #: What stands in the file now, if it will be used only after a restart; None if nothing else does.
    after_restart: str | None = None


def shown_settings(used: Config, file: Config | None = None) -> list[ShownSetting]:
    """Return all settings in the order of the reference.

    Args:
        used: the settings in use.
        file: those in the file now; None if it cannot be used.
    """
    now = {(row.section, row.key): row for row in _rows(file or used, "")}
    found = []
    for row in _rows(used, ""):
        new = now.pop((row.section, row.key), None)
        if new is None or new.value == row.value or _is_followed(row):
            found.append(new or ShownSetting(row.section, row.key, row.value, row.origin, "nothing"))
        else:
            found.append(ShownSetting(row.section, row.key, row.value, row.origin, new.value or "nothing"))
    # What comes with a section that is new in the file.
    return found + [ShownSetting(row.section, row.key, "", row.origin, row.value) for row in now.values() if row.value]


def describe_setting(section: str, key: str) -> str:
    """Return what a key of a section means, as the reference says it; empty for a key of another release."""
    model: type[BaseModel] | None = Config
    parts = section.split(".") if section else []
    while parts and model is not None:
        name = parts.pop(0)
        field = model.model_fields.get(name)
        model = model_in(field.annotation) if field else None
        if field and get_origin(field.annotation) is list:
            # The names of items have no dots, those of publishing hosts aside, which have no sections.
            parts = [] if name == "publishing_hosts" else parts[1:]
    known = model.model_fields.get(key) if model else None
    return (known.description or "") if known else ""


def hide_values(sentence: str) -> str:
    """Return a sentence about a fault without the values that may hold secrets."""
    place = sentence.partition(": ")[0]
    if _DELICATE.match(place) or _SECRET_NAME.search(sentence.rpartition(": ")[0]):
        head, colon, rest = sentence.partition(": ")
        return head + colon + _QUOTED.sub(HIDDEN, rest)
    return _without_passwords(sentence)


def _rows(section: BaseModel, name: str) -> Iterator[ShownSetting]:
    """The keys of a section, and then those of the sections in it."""
    below: list[tuple[str, BaseModel]] = []
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        place = f"{name}.{key}" if name else key
        if field.exclude:
            continue
        if isinstance(value, BaseModel):
            below.append((place, value))
        elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
            below += [(f"{place}.{item.name}", item) for item in value]
        else:
            origin: Literal["file", "default"] = "file" if key in section.model_fields_set else "default"
            yield ShownSetting(name, key, _shown(place, key, value), origin)
    for place, inner in below:
        yield from _rows(inner, place)


def _shown(place: str, key: str, value: Any) -> str:
    """A value as it would be written in the file, without secrets."""
    if value is None or value == "":
        return ""
    return json.dumps(_hide(place, key, value), ensure_ascii=False, default=str)


def _hide(place: str, key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        is_secret = place.startswith("caches.") and key == "headers"
        return {
            name: HIDDEN if is_secret or _SECRET_NAME.search(name) else _hide(place, name, each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_hide(place, key, each) for each in value]
    if not isinstance(value, str):
        return value
    if place.startswith("webhooks.") and key == "url":
        parts = urlsplit(value)
        return f"{parts.scheme}://{parts.hostname}/{HIDDEN}"
    if place == "database" and "://" in value:  # whatever characters a password has
        scheme, _, rest = value.partition("://")
        user, at, where = rest.rpartition("@")
        return f"{scheme}://{_user_alone(user) if at else ''}{_without_passwords(where)}"
    return _without_passwords(value)


def _without_passwords(text: str) -> str:
    text = _USER_INFO.sub(lambda found: _user_alone(found[0].removesuffix("@")), text)
    return _PASSWORD.sub(rf"\1{HIDDEN}", text)


def _user_alone(user_info: str) -> str:
    user, colon, _ = user_info.partition(":")
    return f"{user}:{HIDDEN}@" if colon else f"{user}@"


def _is_followed(row: ShownSetting) -> bool:
    return row.section in _FOLLOWED and row.key not in _NOT_FOLLOWED

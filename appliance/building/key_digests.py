"""Digests of dependency keys: of what a template that reads the key would see.

An artifact is rebuilt when the digest of a key it depends on changes. `planning.dependency_keys` lists the keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from appliance.building.dependency_tracking import ASPECT_OF
from appliance.building.loaders import SiteContext
from appliance.building.template_site import TemplateSite


class KeyDigests:
    """Computes the digests of keys for one site at one moment, each of them once."""

    def __init__(self, context: SiteContext, site: TemplateSite) -> None:
        self._context = context
        self._site = site
        self._digests: dict[str, str] = {}

    def digest(self, key: str) -> str:
        """The digest of the current value of `key`."""
        if key not in self._digests:
            self._digests[key] = hashlib.blake2b(self._value_bytes(key), digest_size=16).hexdigest()
        return self._digests[key]

    def digests(self, keys: Iterable[str]) -> dict[str, str]:
        """The digests of the current values of `keys`, by key."""
        return {key: self.digest(key) for key in keys}

    def _value_bytes(self, key: str) -> bytes:
        name, _, argument = key.partition(":")
        theme, site = self._context.theme, self._site
        if name == "template":
            return _file_bytes(theme.folder / argument)
        if name == "static":
            file = theme.static_files.get(argument)
            return _file_bytes(file) if file else b"none"
        return repr(self._value(name, argument, site)).encode()

    def _value(self, name: str, argument: str, site: TemplateSite) -> Any:
        theme = self._context.theme.manifest
        if name == "theme":
            return theme.name, theme.version
        if name == "thumbnails":
            return theme.thumbnails
        if name == "site":
            return getattr(site, argument, None)
        if name == "setting":
            return dict.get(site.settings, argument) if argument else sorted(dict.items(site.settings))
        if name == "recent":
            return self._recent(*(int(number) for number in argument.split(":")))
        if name == "now":
            return site.now(argument)
        arguments: Sequence[Any] = [int(argument)] if argument.isdigit() else [argument] if argument else []
        return getattr(site, name)(*arguments)

    def _recent(self, count: int, aspects: int) -> Any:
        attributes = [name for name, aspect in ASPECT_OF.items() if aspect & aspects]
        return [(post.id, *(getattr(post, name) for name in attributes)) for post in self._site.recent(count)]


def _file_bytes(file: Path) -> bytes:
    try:
        return b"file " + file.read_bytes()
    except OSError:
        return b"none"

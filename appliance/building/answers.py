"""What the keys of recipes answer, as digests: another digest is why artifacts that read the key are built again.

template:NAME, static:NAME     a file of the theme
theme:KEY, thumbnails          what the theme says of itself and of pictures
site:NAME, setting:NAME        a setting of the site, of its theme; `setting` and `theme` alone are all of them
recent:N:ASPECTS               these aspects of the newest entries
categories, tags:N, authors, archives:TYPE, pages    the lists any page may show
now:STEP                       when it is, to a step
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from appliance.building.facts import Facts
from appliance.building.loading import Place
from appliance.building.reads import ASPECT_OF


class Answers:
    """What keys answer for one site at one moment; each is asked once."""

    def __init__(self, place: Place, facts: Facts) -> None:
        self._place = place
        self._facts = facts
        self._known: dict[str, str] = {}

    def digest(self, key: str) -> str:
        """The digest of what `key` answers."""
        if key not in self._known:
            self._known[key] = hashlib.blake2b(self._answer(key), digest_size=16).hexdigest()
        return self._known[key]

    def digests(self, keys: Iterable[str]) -> dict[str, str]:
        """The digests of what `keys` answer."""
        return {key: self.digest(key) for key in keys}

    def _answer(self, key: str) -> bytes:
        what, _, named = key.partition(":")
        theme, facts = self._place.theme, self._facts
        if what == "template":
            return _bytes(theme.folder / named)
        if what == "static":
            file = theme.static_files.get(named)
            return _bytes(file) if file else b"none"
        return repr(self._value(what, named, facts)).encode()

    def _value(self, what: str, named: str, facts: Facts) -> Any:
        theme = self._place.theme.manifest
        if what == "theme":
            return theme.name, theme.version
        if what == "thumbnails":
            return theme.thumbnails
        if what == "site":
            return getattr(facts, named, None)
        if what == "setting":
            return dict.get(facts.settings, named) if named else sorted(dict.items(facts.settings))
        if what == "recent":
            return self._recent(*(int(number) for number in named.split(":")))
        if what == "now":
            return facts.now(named)
        arguments: Sequence[Any] = [int(named)] if named.isdigit() else [named] if named else []
        return getattr(facts, what)(*arguments)

    def _recent(self, count: int, aspects: int) -> Any:
        shown = [name for name, aspect in ASPECT_OF.items() if aspect & aspects]
        return [(post.id, *(getattr(post, name) for name in shown)) for post in self._facts.recent(count)]


def _bytes(file: Path) -> bytes:
    try:
        return b"file " + file.read_bytes()
    except OSError:
        return b"none"

"""Front matter that a text inherits: Hugo's cascade, Jekyll's defaults, Eleventy's data files, Zola's draft sections.

Only keys that may keep a text unpublished are inherited (`STATUS_KEYS`). A rule with a scope that is not fully
understood applies to more texts rather than to fewer, so that nothing is more public than at its source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Final

from appliance.errors import ContentError
from appliance.importing.markdown import frontmatter
from appliance.importing.markdown.frontmatter import lower_keys
from appliance.importing.markdown.generator_settings import GeneratorSettings, strings
from appliance.importing.markdown.layout import Layout

#: Keys of front matter, in lower case, that may keep a text unpublished.
STATUS_KEYS: Final = frozenset(
    {
        "draft", "published", "status", "private", "visibility", "password", "build", "_build", "headless", "render",
        "permalink", "eleventyexcludefromcollections", "expirydate", "publishdate", "unpublishdate",
    }
)  # fmt: skip

#: Keys in a data file that is a program.
_JS: Final = re.compile(
    r"\b(draft|eleventyExcludeFromCollections)[\"']?\s*:\s*true\b|\b(permalink)[\"']?\s*:\s*false\b"
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """Front matter for the texts below a folder, all when it is empty, with a path that matches a pattern."""

    folder: str
    values: Mapping[str, Any]
    pattern: str = "*"

    def applies_to(self, path: str) -> bool:
        below = not self.folder or path == self.folder or path.startswith(f"{self.folder}/")
        return below and fnmatchcase(path, self.pattern)


class InheritedMetadata:
    """What the settings, section files and data files of a folder say of the texts below them."""

    def __init__(
        self, layout: Layout, settings: GeneratorSettings, sections: Iterable[str], data_files: Iterable[str]
    ) -> None:
        """Read all rules.

        Args:
            layout: the layout of the folder.
            settings: the settings of its site generator.
            sections: paths of its section files.
            data_files: paths of the data files of Eleventy.

        Raises:
            ContentError: a data file that may keep texts back cannot be read.
        """
        self._layout = layout
        self._rules: list[_Rule] = []
        if layout.system == "jekyll":
            self._rules += _jekyll(settings.values)
        elif layout.system == "hugo":
            self._rules += _cascade("", settings.values.get("cascade"))
        if layout.system in ("hugo", "zola"):
            for section in sorted(sections, key=lambda path: path.count("/")):
                self._rules += self._of_section(settings.root / section, section)
        if layout.system == "eleventy":
            for path in sorted(data_files, key=lambda path: path.count("/")):
                self._rules += _data_file(settings, path)

    def for_path(self, path: str) -> dict[str, Any]:
        """The inherited front matter of the text at `path`. A folder wins over those above it."""
        found: dict[str, Any] = {}
        for rule in self._rules:
            if rule.applies_to(path):
                found |= rule.values
        return found

    def _of_section(self, file: Path, section: str) -> Iterable[_Rule]:
        try:
            meta = lower_keys(frontmatter.split(file.read_bytes()).meta)
        except (OSError, ContentError):
            return  # reported when the section is imported
        folder = str(PurePosixPath(section).parent)
        if self._layout.system == "zola" and meta.get("draft") is True:
            yield _Rule(folder, {"draft": True})
        elif self._layout.system == "hugo":
            yield from _cascade(folder, meta.get("cascade"))


def is_data_file(path: str, layout: Layout, stems: frozenset[str]) -> bool:
    """Whether a file is a data file of Eleventy, for its folder or for the text of the same name.

    `stems` are the paths of all texts without their endings.
    """
    if layout.system != "eleventy":
        return False
    pure = PurePosixPath(path)
    stem = pure.name.partition(".")[0]
    named = stem == pure.parent.name or str(pure.parent / stem) in stems
    return ".11tydata." in pure.name or (pure.suffix == ".json" and named)


def _jekyll(settings: Mapping[str, Any]) -> Iterable[_Rule]:
    """`defaults:` is a list of {scope: {path, type}, values: {…}}."""
    given = settings.get("defaults")
    for one in given if isinstance(given, list) else []:
        if isinstance(one, dict) and isinstance(one.get("values"), dict):
            given_scope = one.get("scope")
            scope = given_scope if isinstance(given_scope, dict) else {}
            place = str(scope.get("path") or "").strip("/")
            kind = str(scope.get("type") or "")
            values = _status_keys(one["values"])
            if kind == "posts" and not place:
                yield _Rule("", values, "*_posts/*")
            elif kind == "drafts" and not place:
                yield _Rule("", values, "*_drafts/*")
            elif "*" in place:
                yield _Rule("", values, f"{place}*")
            else:
                yield _Rule(place, values)


def _cascade(folder: str, given: Any) -> Iterable[_Rule]:
    """`cascade` is an object, or a list of objects with a target."""
    for one in given if isinstance(given, list) else [given]:
        if not isinstance(one, dict):
            continue
        values = lower_keys(one)
        if isinstance(values.get(""), list):  # a file of its own with a list in it
            yield from _cascade(folder, values[""])
            continue
        inner = values.get("params")
        kept = _status_keys({**values, **(inner if isinstance(inner, dict) else {})})
        target = values.get("target") or values.get("_target")
        paths = strings(target.get("path")) if isinstance(target, dict) else []
        for pattern in paths or ["*"]:
            yield _Rule(folder, kept, _target(pattern))


def _target(pattern: str) -> str:
    """Hugo's pattern over logical paths (`/posts/**`), as one over paths in the project."""
    cleaned = pattern.strip("/").replace("{", "*").replace("}", "*")
    return "*" if cleaned in ("", "*", "**") else f"content/{cleaned}*"


def _data_file(settings: GeneratorSettings, path: str) -> Iterable[_Rule]:
    """Data of a folder (`posts/posts.json`) or of a text (`posts/hello.11tydata.json`)."""
    pure = PurePosixPath(path)
    stem = pure.name.partition(".")[0]
    folder = str(pure.parent)
    place = folder if stem == pure.parent.name else str(pure.parent / stem)
    pattern = "*" if place == folder else f"{place}.*"
    if pure.suffix == ".json":
        data = settings.data(path)
        values = _status_keys(data) if isinstance(data, dict) else {}
    elif ".11tydata." in pure.name:
        values = {(found[1] or found[2]).lower(): bool(found[1]) for found in _JS.finditer(settings.text(path))}
    else:
        return
    if values:
        yield _Rule("" if pattern != "*" else ("" if folder == "." else folder), values, pattern)


def _status_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in lower_keys(values).items() if key in STATUS_KEYS}

"""A theme: its templates, static files and manifest, loaded and checked.

Guarantees that a theme that cannot work is refused before anything is planned, with every fault named: an unknown key,
a missing template, or a pattern that would leave the docroot.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from appliance import clock
from appliance.config import toml
from appliance.config.error_messages import describe_errors
from appliance.errors import ThemeError
from appliance.planning.manifest import ArchiveMap, BuildType, IndexTemplate, Manifest, StaticFiles
from appliance.planning.paths import FIELDS, Pattern, path_fault, sibling_path

MANIFEST: Final = "theme.toml"
SHIPPED: Final = Path(__file__).parent.parent / "themes"


@dataclass(frozen=True)
class Output:
    """An index template or archive map with its patterns compiled."""

    type: str
    template: str
    first: Pattern
    further: Pattern
    priority: int
    per_page: int
    preferred: bool
    #: Least number of seconds between two builds; 0 means no limit.
    every: float
    #: When its files are built.
    build: BuildType
    source: IndexTemplate | ArchiveMap

    @property
    def from_oldest(self) -> bool:
        """Whether it has pages, counted from the oldest entries."""
        return bool(self.per_page) and self.source.count_pages_from == "oldest"

    def page_path(self, first_path: str, further_suffix: str, page: int) -> str:
        """The path of a page, given the path of the first page and the suffix of further ones."""
        return first_path if page == 1 else sibling_path(first_path, further_suffix)


class Theme:
    """A loaded theme that passed all checks."""

    def __init__(self, folder: Path, manifest: Manifest, outputs: list[Output]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.outputs = outputs

    @classmethod
    def load(cls, theme: str, base: Path) -> Theme:
        """Load a shipped theme by name, or another one by its folder, relative to `base`.

        Raises:
            ThemeError: the theme cannot be used; names every fault.
        """
        folder = SHIPPED / theme if "/" not in theme and (SHIPPED / theme).is_dir() else base / theme
        state = _state(folder)
        known = _loaded.get(folder)
        if known is None or known[0] != state:
            #: Loaded themes with the state of their files, so that a process reads a theme again only when it has
            #: changed.
            known = _loaded[folder] = state, cls._read(folder)
        return known[1]

    @classmethod
    def _read(cls, folder: Path) -> Theme:
        file = folder / MANIFEST
        if links := _symbolic_link_faults(folder):
            raise ThemeError("\n".join(links))
        try:
            raw = toml.loads(file.read_text("utf-8"))
        except OSError as error:
            known = ", ".join(sorted(f.parent.name for f in SHIPPED.glob(f"*/{MANIFEST}")))
            raise ThemeError(
                f"{file}: cannot be read ({error.strerror}); name a theme folder, or a shipped theme: {known}"
            ) from error
        except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ThemeError(f"{file}: is not TOML: {error}") from error
        try:
            manifest = Manifest.model_validate(raw)
        except ValidationError as error:
            raise ThemeError("\n".join(f"{file}: {line}" for line in describe_errors(error, Manifest, raw))) from error
        theme = cls(folder, manifest, list(_outputs(folder, manifest)))
        _ = theme.digest, theme.static_files  # computed now, from the files that were just checked
        return theme

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of the theme: `given` over the defaults.

        Raises:
            ThemeError: a setting is unknown to the theme, or has another type than its default.
        """
        known = self.manifest.settings
        name, names = f"the theme “{self.manifest.name}”", ", ".join(sorted(known)) or "none"
        faults = [f"settings.{key}: {name} has no such setting; it has {names}" for key in given if key not in known]
        faults += [
            f"settings.{key}: {value!r} will not do; {name} expects something like {known[key]!r}"
            for key, value in given.items()
            if key in known and not _is_same_type(value, known[key])
        ]
        if faults:
            raise ThemeError("\n".join(faults))
        return {**known, **given}

    @cached_property
    def static_files(self) -> dict[str, Path]:
        """The files that are published unchanged: path below the static folder to file."""
        folder = self.folder / self.manifest.static.folder
        return {f.relative_to(folder).as_posix(): f for f in sorted(folder.rglob("*")) if f.is_file()}

    @cached_property
    def digest(self) -> str:
        """A digest that changes whenever any file of the theme does."""
        whole = hashlib.blake2b(digest_size=16)
        for file in sorted(f for f in self.folder.rglob("*") if f.is_file()):
            whole.update(json.dumps([file.relative_to(self.folder).as_posix(), file.stat().st_size]).encode())
            whole.update(file.read_bytes())
        return whole.hexdigest()

    def permalink(self, kind: str) -> Output | None:
        """The preferred map of an archive type, or None if the theme has no map of it."""
        return next((o for o in self.outputs if o.type == kind and o.preferred), None)


#: Themes as they were read, with the state of their files then: a process reads one again only when it changed.
_loaded: dict[Path, tuple[object, Theme]] = {}


def _state(folder: Path) -> object:
    """The inode, size and times of every file of a theme. Differs as soon as a file is written."""
    found = []
    for place, folders, names in os.walk(folder):
        for name in (*names, *folders):
            with suppress(FileNotFoundError):
                stat = os.lstat(os.path.join(place, name))  # noqa: PTH118 - a few microseconds a file count here
                found.append((place, name, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return sorted(found)


def _symbolic_link_faults(folder: Path) -> list[str]:
    """One sentence for each symbolic link in a theme, since it may lead to any file of the host."""
    found = []
    for place, folders, names in os.walk(folder):
        for name in sorted((*names, *folders)):
            link = Path(place) / name
            if link.is_symlink():
                found.append(
                    f"{link}: is a symbolic link, and what it leads to is not the theme's; put a copy of it there"
                )
    return found


def _is_same_type(value: object, default: object) -> bool:
    """Whether a setting has the type of its default. An integer may take the place of a float."""
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool)


def _outputs(folder: Path, manifest: Manifest) -> Iterator[Output]:
    faults: list[str] = []
    preferred = _preferred_maps(manifest)
    listed: dict[str, Sequence[IndexTemplate | ArchiveMap]] = {"index": manifest.index, "archive": manifest.archive}
    for key, tables in listed.items():
        for number, table in enumerate(tables):
            where = f"{folder / MANIFEST}: {key} #{number + 1}"
            kind = table.type if isinstance(table, ArchiveMap) else "index"
            if not _template_exists(folder, table.template):
                faults.append(f"{where}.template: there is no “{table.template}” in {folder}; add it or name another")
            first = _pattern(faults, table.path, kind, f"{where}.path")
            further = _pattern(faults, table.page_path, kind, f"{where}.page_path", pages=True)
            if first is None or further is None:
                continue
            is_preferred = preferred.get(kind) is table
            priority = (
                table.effective_priority(is_preferred) if isinstance(table, ArchiveMap) else table.effective_priority
            )
            every = clock.parse_duration(table.every) if table.every else 0.0
            yield Output(
                kind, table.template, first, further, priority, table.paginate, is_preferred, every, table.build, table
            )
    faults += _static_folder_faults(folder, manifest.static)
    if manifest.redirect and not _template_exists(folder, manifest.redirect.template):
        faults.append(
            f"{folder / MANIFEST}: redirect.template: there is no “{manifest.redirect.template}” in {folder}; add it"
        )
    if faults:
        raise ThemeError("\n".join(faults))


def _pattern(faults: list[str], text: str, kind: str, where: str, *, pages: bool = False) -> Pattern | None:
    try:
        return Pattern(text, kind, where, pages=pages)
    except ThemeError as error:
        faults.append(str(error))
        return None


def _static_folder_faults(folder: Path, static: StaticFiles) -> Iterator[str]:
    """Faults of a static folder outside the theme, or of a path for it outside the site."""
    where = f"{folder / MANIFEST}: static"
    if not (folder / static.folder).resolve().is_relative_to(folder.resolve()):
        yield f"{where}.folder: “{static.folder}” is not below the theme; name a folder in it"
    if static.path and path_fault(static.path):
        yield f"{where}.path: “{static.path}” will not do: {path_fault(static.path)}; write it like theme/files"


def _template_exists(folder: Path, name: str) -> bool:
    file = (folder / name).resolve()
    return file.is_file() and file.is_relative_to(folder.resolve())


def _preferred_maps(manifest: Manifest) -> dict[str, ArchiveMap]:
    chosen: dict[str, ArchiveMap] = {}
    for kind in FIELDS:
        maps = [m for m in manifest.archive if m.type == kind]
        if maps:
            # The first one, except that a map that is never built gives no address.
            chosen[kind] = min(maps, key=lambda m: (not m.preferred, m.build == "never"))
    return chosen

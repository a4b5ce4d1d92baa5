"""A theme's manifest: which artifacts a site has, and what makes each.

Guarantees that a theme which cannot work (an unknown key, a missing template, a pattern that would leave the
docroot) is refused whole, with every fault, before anything is planned.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from appliance import clock
from appliance.config.faults import sentences
from appliance.errors import ThemeError
from appliance.planning.paths import FIELDS, Pattern, fault_of, sibling

MANIFEST: Final = "theme.toml"
SHIPPED: Final = Path(__file__).parent.parent / "themes"

ArchiveType = Literal[
    "entry", "page", "daily", "weekly", "monthly", "yearly", "category", "author", "tag",
    "category-daily", "category-weekly", "category-monthly", "category-yearly",
    "author-daily", "author-weekly", "author-monthly", "author-yearly",
]  # fmt: skip

#: Priorities as Movable Type documents them for its publish queue; higher first.
PRIORITIES: Final[Mapping[str, int]] = {"daily": 4, "weekly": 3, "monthly": 2}
FILE_PRIORITY: Final = 10
REDIRECT_PRIORITY: Final = 5
FEED_PRIORITY: Final = 9


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _a_span(text: str) -> str:
    clock.span(text)
    return text


#: A length of time as people write it: `30s`, `10m`, `2h`, `7d`.
Span = Annotated[str, AfterValidator(_a_span)]

#: When an artifact is built.
BuildType = Literal["queue", "now", "hand", "never"]

_BUILD = (
    "When its files are built: `queue` by workers, `now` at once by whoever saves, `hand` only when asked for by path,"
    " `never` not at all."
)
_EVERY = "A least interval between two builds of one of its files, such as `10m`, `2h` or `1d`; none when absent."


class IndexTemplate(_Table):
    """One index template: one file, or one and its further pages."""

    template: str = Field(description="The template's file below the theme.")
    path: str = Field(description="Where its file lies below the site.")
    paginate: int = Field(0, ge=0, description="Entries a page; 0 for one page only.")
    page_path: str = Field("page/{page}/index.html", description="Where further pages lie, beside the first.")
    entries: int = Field(10, ge=0, description="Entries of an index that is not paginated; 0 for all.")
    feed: bool = Field(False, description="It is a feed: announced in pages, priority 9.")
    sitemap: bool = Field(False, description="It gets the addresses of all pages, not entries.")
    priority: int | None = Field(None, description="A priority of its own.")
    every: Span | None = Field(None, description=_EVERY)
    build: BuildType = Field("queue", description=_BUILD)

    @property
    def rank(self) -> int:
        """Its priority."""
        if self.priority is not None:
            return self.priority
        name = PurePosixPath(self.path).name.lower()
        return FEED_PRIORITY if self.feed or name.startswith(("index", "default")) else 8


class ArchiveMap(_Table):
    """One archive map: one file for each entry, page, term, author or period, or combination."""

    type: ArchiveType = Field(description="What there is one file for each of.")
    template: str = Field(description="The template's file below the theme.")
    path: str = Field(description="The path pattern below the site.")
    preferred: bool = Field(
        False,
        description="It gives its subjects their address; the first map of a type does unless another says so.",
    )
    paginate: int = Field(0, ge=0, description="Entries a page; 0 for all on one.")
    page_path: str = Field("page/{page}/index.html", description="Where further pages lie, beside the first.")
    priority: int | None = Field(None, description="A priority of its own.")
    every: Span | None = Field(None, description=_EVERY)
    build: BuildType = Field("queue", description=_BUILD)

    def rank(self, preferred: bool) -> int:
        """Its priority."""
        if self.priority is not None:
            return self.priority
        if self.type in ("entry", "page"):
            return 10 if preferred else 5
        return PRIORITIES.get(self.type, 1)


class StaticFiles(_Table):
    """Files that are published as they are."""

    folder: str = Field("static", description="The folder below the theme.")
    path: str = Field("theme", description="Where they lie below the site.")


class Redirects(_Table):
    """How former addresses are answered."""

    template: str = Field("redirect.html", description="The template's file below the theme.")


class Thumbnails(_Table):
    """Smaller copies of pictures."""

    widths: list[Annotated[int, Field(gt=0)]] = Field(
        default_factory=lambda: [480, 960, 1440],
        description="Widths in pixels; none larger than the picture is made.",
    )
    sizes: str = Field("100vw", description="The `sizes` attribute of pictures in entries.")
    quality: int = Field(82, ge=1, le=100, description="Quality of JPEG and WebP.")


class Manifest(_Table):
    """theme.toml."""

    name: str = Field(description="What the theme is called.")
    version: str = Field("1", description="Its version.")
    description: str = Field("", description="A sentence about it.")
    settings: dict[str, Any] = Field(default_factory=dict, description="The settings it knows, with their defaults.")
    index: list[IndexTemplate] = Field(default_factory=list, description="Index templates.")
    archive: list[ArchiveMap] = Field(default_factory=list, description="Archive maps.")
    static: StaticFiles = Field(default_factory=StaticFiles, description="Files published as they are.")
    redirect: Redirects | None = Field(None, description="How former addresses are answered; not at all when absent.")
    thumbnails: Thumbnails = Field(default_factory=Thumbnails, description="Smaller copies of pictures.")


@dataclass(frozen=True)
class Output:
    """One index template or archive map with its patterns compiled."""

    type: str
    template: str
    first: Pattern
    further: Pattern
    priority: int
    per_page: int
    preferred: bool
    #: Seconds that must lie between two builds; 0 for none.
    every: float
    #: When its files are built.
    build: BuildType
    source: IndexTemplate | ArchiveMap

    def page_path(self, first_path: str, further_suffix: str, page: int) -> str:
        """The path of a page given the first one's path and the further pages' suffix."""
        return first_path if page == 1 else sibling(first_path, further_suffix)


class Theme:
    """A theme that can be used."""

    def __init__(self, folder: Path, manifest: Manifest, outputs: list[Output]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.outputs = outputs

    @classmethod
    def load(cls, theme: str, base: Path) -> Theme:
        """Load a shipped theme by name, or one by its folder, relative to `base`.

        Raises:
            ThemeError: with every fault found.
        """
        folder = SHIPPED / theme if "/" not in theme and (SHIPPED / theme).is_dir() else base / theme
        state = _state(folder)
        known = _loaded.get(folder)
        if known is None or known[0] != state:
            known = _loaded[folder] = state, cls._read(folder)
        return known[1]

    @classmethod
    def _read(cls, folder: Path) -> Theme:
        file = folder / MANIFEST
        try:
            raw = tomllib.loads(file.read_text("utf-8"))
        except OSError as error:
            known = ", ".join(sorted(f.parent.name for f in SHIPPED.glob(f"*/{MANIFEST}")))
            raise ThemeError(
                f"{file}: cannot be read ({error.strerror}); name a theme folder, or a shipped theme: {known}"
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ThemeError(f"{file}: is not TOML: {error}") from error
        try:
            manifest = Manifest.model_validate(raw)
        except ValidationError as error:
            raise ThemeError("\n".join(f"{file}: {line}" for line in sentences(error, Manifest, raw))) from error
        made = cls(folder, manifest, list(_outputs(folder, manifest)))
        _ = made.digest, made.static_files  # of the files as they are now, not when somebody first asks
        return made

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The theme's settings, `given` over its defaults.

        Raises:
            ThemeError: one is unknown to the theme or of another type than its default.
        """
        known = self.manifest.settings
        name, names = f"the theme “{self.manifest.name}”", ", ".join(sorted(known)) or "none"
        faults = [f"settings.{key}: {name} has no such setting; it has {names}" for key in given if key not in known]
        faults += [
            f"settings.{key}: {value!r} will not do; {name} expects something like {known[key]!r}"
            for key, value in given.items()
            if key in known and not _alike(value, known[key])
        ]
        if faults:
            raise ThemeError("\n".join(faults))
        return {**known, **given}

    @cached_property
    def static_files(self) -> dict[str, Path]:
        """The files published as they are: path below the static folder to file."""
        folder = self.folder / self.manifest.static.folder
        return {
            f.relative_to(folder).as_posix(): f for f in sorted(folder.rglob("*")) if f.is_file() and not f.is_symlink()
        }

    @cached_property
    def digest(self) -> str:
        """Changes whenever any file of the theme does."""
        whole = hashlib.blake2b(digest_size=16)
        for file in sorted(f for f in self.folder.rglob("*") if f.is_file()):
            whole.update(json.dumps([file.relative_to(self.folder).as_posix(), file.stat().st_size]).encode())
            whole.update(file.read_bytes())
        return whole.hexdigest()

    def permalink(self, kind: str) -> Output | None:
        """The preferred map of an archive type; None when the theme has no map of it."""
        return next((o for o in self.outputs if o.type == kind and o.preferred), None)


#: Themes as they were read, with the state of their files then: a process reads one again only when it changed.
_loaded: dict[Path, tuple[object, Theme]] = {}


def _state(folder: Path) -> object:
    """Differs as soon as any file of a theme was written, by inode, size and times."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                stat = os.stat(os.path.join(place, name))  # noqa: PTH116, PTH118 - a few microseconds a file count here
                found.append((place, name, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return sorted(found)


def _alike(value: object, default: object) -> bool:
    """Whether a setting may take the place of its default; a whole number may stand for a fraction."""
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, type(default)) and isinstance(value, bool) == isinstance(default, bool)


def _outputs(folder: Path, manifest: Manifest) -> Iterator[Output]:
    faults: list[str] = []
    preferred = _preferred(manifest)
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
            rank = table.rank(is_preferred) if isinstance(table, ArchiveMap) else table.rank
            every = clock.span(table.every) if table.every else 0.0
            yield Output(
                kind, table.template, first, further, rank, table.paginate, is_preferred, every, table.build, table
            )
    faults += _outside(folder, manifest.static)
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


def _outside(folder: Path, static: StaticFiles) -> Iterator[str]:
    """What would publish files that are not the theme's, or publish them elsewhere than below the site."""
    where = f"{folder / MANIFEST}: static"
    if not (folder / static.folder).resolve().is_relative_to(folder.resolve()):
        yield f"{where}.folder: “{static.folder}” is not below the theme; name a folder in it"
    if static.path and fault_of(static.path):
        yield f"{where}.path: “{static.path}” will not do: {fault_of(static.path)}; write it like theme/files"


def _template_exists(folder: Path, name: str) -> bool:
    file = (folder / name).resolve()
    return file.is_file() and file.is_relative_to(folder.resolve())


def _preferred(manifest: Manifest) -> dict[str, ArchiveMap]:
    chosen: dict[str, ArchiveMap] = {}
    for kind in FIELDS:
        maps = [m for m in manifest.archive if m.type == kind]
        if maps:
            # The first, but that one that is never built gives no address.
            chosen[kind] = min(maps, key=lambda m: (not m.preferred, m.build == "never"))
    return chosen

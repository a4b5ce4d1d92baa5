"""Files that are excluded from an import, by their names and by the settings of their site generator.

Guarantees that a file which the generator would not publish is not published here either: backup files of editors, what
Jekyll, Hugo, Zola, Pelican, Hexo or Eleventy are told to ignore, files in a folder of drafts, and texts in formats that
cannot be read. The report gives the reason for each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

from pathspec import GitIgnoreSpec

from appliance.errors import ContentError
from appliance.importing.markdown.generator_settings import GeneratorSettings
from appliance.importing.markdown.layout import TEXT_ENDINGS, Layout

#: Endings of texts in formats that are not read. Published as they are, they would show drafts and source text.
UNREAD_FORMATS: Final = {
    ".rst": "reStructuredText", ".rest": "reStructuredText", ".org": "Org mode", ".adoc": "AsciiDoc",
    ".asciidoc": "AsciiDoc", ".textile": "Textile", ".creole": "Creole", ".mediawiki": "MediaWiki's markup",
    ".wiki": "a wiki's markup", ".pandoc": "Pandoc's Markdown", ".pdc": "Pandoc's Markdown", ".mdx": "MDX",
    ".rmd": "R Markdown", ".rmarkdown": "R Markdown", ".qmd": "Quarto", ".t2t": "txt2tags", ".dj": "Djot",
    ".djot": "Djot",
}  # fmt: skip
_PROGRAMS: Final = frozenset(
    {".php", ".phtml", ".asp", ".aspx", ".jsp", ".cgi", ".erb", ".haml", ".slim", ".jade", ".twig", ".webc", ".vto"}
)
_BACKUP_NAMES: Final = (
    "*~", "#*#", "~$*", "*.swp", "*.swo", "*.swx", "*.bak", "*.backup", "*.orig", "*.rej", "*.tmp", "*.temp", "*.old",
    "*.save", "thumbs.db", "desktop.ini", "ehthumbs.db",
)  # fmt: skip
_SECRET_NAMES: Final = ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.p12", "*.pfx", "*.kdbx", "*.jks", "*.keystore")
_IGNORED_FOLDERS: Final = frozenset({"cvs", "_darcs", "sccs", "__macosx", "__pycache__"})
_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
#: Bytes at the beginning of a file that are searched for a private key.
_BEGINNING: Final = 4096

#: Limits on the patterns of one setting or file, on the length of a pattern, and on its stars.
_MOST_PATTERNS: Final = 1000
_LONGEST_PATTERN: Final = 300
_MOST_STARS: Final = 6

_DRAFTS: Final = "_drafts"

#: Whether the file at a path in the folder is meant.
PathFilter = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Exclusions:
    """The rules by which files of a folder are excluded."""

    layout: Layout
    #: What the settings of the generator exclude, each with the reason.
    filters: tuple[tuple[PathFilter, str], ...] = field(default=())
    #: Files that the settings include although their name begins with an underscore.
    included: PathFilter = lambda _path: False

    @classmethod
    def read(cls, layout: Layout, settings: GeneratorSettings) -> Exclusions:
        """The exclusions of a folder with these settings.

        Raises:
            ContentError: they have a pattern that is too complex or not an expression.
        """
        if layout.is_native:
            return cls(layout)
        filters = tuple(_filters(layout, settings))
        if layout.system in ("jekyll", "hexo"):
            return cls(layout, filters, _matcher(_below(layout), settings.strings("include")))
        return cls(layout, filters)

    def reason(self, path: str) -> str:
        """Why the file at `path` is excluded; empty when it is not."""
        if self.layout.is_native:
            return ""
        pure = PurePosixPath(path)
        name, ending = pure.name.lower(), pure.suffix.lower()
        folder = next((part for part in pure.parts[:-1] if part.lower() in _IGNORED_FOLDERS), "")
        if folder:
            return f"is in {folder}/, which is not content"
        if any(fnmatchcase(name, pattern) for pattern in _BACKUP_NAMES):
            return "is a backup or temporary file"
        if any(fnmatchcase(name, pattern) for pattern in _SECRET_NAMES):
            return "has the name of a secret, such as a private key"
        if not self.included(path):
            for excludes, reason in self.filters:
                if excludes(path):
                    return reason
        if _DRAFTS in pure.parts[:-1] and ending not in TEXT_ENDINGS:
            return f"is in {_DRAFTS}/, which is not published"
        if self._is_static(path):
            return ""
        if ending in UNREAD_FORMATS:
            return f"is in {UNREAD_FORMATS[ending]}, which cannot be read; write it in Markdown"
        if ending in _PROGRAMS:
            return "is the source of a program or a template"
        return self._underscore_reason(path, pure)

    def _is_static(self, path: str) -> bool:
        """Whether the generator publishes the file as it is."""
        return self.layout.is_project and any(folder and path.startswith(f"{folder}/") for folder in self.layout.static)

    def _underscore_reason(self, path: str, pure: PurePosixPath) -> str:
        if self.layout.system not in ("jekyll", "hexo", "folder") or self.included(path):
            return ""
        if pure.name.startswith("_") and pure.stem.lower().partition(".")[0] != "_index":
            return "has a name that begins with _, so it is not published"
        return ""


def secret_reason(beginning: bytes) -> str:
    """Why a file is excluded by its first bytes; empty when it is not."""
    return "has a private key in it" if _PRIVATE_KEY.search(beginning[:_BEGINNING]) else ""


def _filters(layout: Layout, settings: GeneratorSettings) -> Iterable[tuple[PathFilter, str]]:
    below = _below(layout)
    if layout.system == "jekyll":
        yield _matcher(below, settings.strings("exclude")), "is excluded by exclude in _config.yml"
    elif layout.system == "hexo":
        for key in ("exclude", "ignore"):
            patterns = settings.strings(key)
            yield _matcher(below, patterns), f"is excluded by {key} in _config.yml"
            yield _matcher(str, patterns), f"is excluded by {key} in _config.yml"
    elif layout.system == "zola":
        for key in ("ignored_content", "ignored_static"):
            patterns = [one for pattern in settings.strings(key) for one in _alternatives(pattern)]
            yield _by_name(_matcher(below, patterns), patterns), f"is excluded by {key} in the settings"
    elif layout.system == "hugo":
        for key in ("ignorefiles", "ignore_files"):
            yield _expressions(settings.root, settings.strings(key)), "is excluded by ignoreFiles in the settings"
    elif layout.system == "pelican":
        patterns = [one for key in ("ARTICLE_EXCLUDES", "PAGE_EXCLUDES") for one in settings.strings(key)]
        yield _matcher(below, patterns), "is excluded by the excludes in pelicanconf.py"
        ignored = settings.strings("IGNORE_FILES")
        yield _by_name(_matcher(below, ignored), ignored), "is excluded by IGNORE_FILES in pelicanconf.py"
    elif layout.system == "eleventy":
        yield from _eleventy(layout, settings)


def _eleventy(layout: Layout, settings: GeneratorSettings) -> Iterable[tuple[PathFilter, str]]:
    for folder in dict.fromkeys(("", layout.content)):
        for name in (".eleventyignore", ".gitignore"):
            text = settings.text(f"{folder}/{name}" if folder else name)
            if text.strip():
                yield _ignore_file(folder, text), f"is excluded by {name}"
    program = "".join(settings.text(name) for name in _ELEVENTY_SETTINGS)
    patterns = [found[1].removeprefix("./") for found in _IGNORES.finditer(program)]
    yield _ignore_file("", "\n".join("/" + one.lstrip("/") for one in patterns)), "is excluded by ignores.add"


_ELEVENTY_SETTINGS: Final = (".eleventy.js", "eleventy.config.js", "eleventy.config.mjs", "eleventy.config.cjs")
_IGNORES: Final = re.compile(r"ignores\.add\(\s*[\"'`]([^\"'`\n]{1,200})[\"'`]")


def _ignore_file(folder: str, text: str) -> PathFilter:
    lines = text.splitlines()
    _refuse_complex(lines)
    spec = GitIgnoreSpec.from_lines(lines)
    prefix = f"{folder}/" if folder else ""
    return lambda path: path.startswith(prefix) and spec.match_file(path[len(prefix) :])


def _below(layout: Layout) -> Callable[[str], str]:
    """A function from a path in the folder to the path below the content folder, which settings are about."""

    def below(path: str) -> str:
        inside = layout.path_in_content(path)
        return path if inside is None else inside

    return below


def _matcher(below: Callable[[str], str], patterns: list[str]) -> PathFilter:
    """A filter for paths that match, or are in a folder that matches, one of `patterns`. Their `*` crosses slashes."""
    _refuse_complex(patterns)
    cleaned = [pattern.removeprefix("./").strip("/") for pattern in patterns]
    wanted = [one for pattern in cleaned for one in _without_stars(pattern) if one]

    def matches(path: str) -> bool:
        pure = PurePosixPath(below(path))
        places = [str(pure), *(str(folder) for folder in pure.parents if str(folder) != ".")]
        return any(fnmatchcase(place, pattern) for place in places for pattern in wanted)

    return matches if wanted else _nothing


def _refuse_complex(patterns: list[str]) -> None:
    """Refuse patterns that may take long to match, since each star may stand for any part of a path.

    Raises:
        ContentError: there are too many of them, or one is too complex.
    """
    if len(patterns) > _MOST_PATTERNS:
        raise ContentError(f"{len(patterns):,} patterns exclude files, and at most {_MOST_PATTERNS:,} may; remove some")
    for pattern in patterns:
        if len(pattern) > _LONGEST_PATTERN or pattern.replace("**", "*").count("*") > _MOST_STARS:
            raise ContentError(f"“{pattern[:80]}” excludes files and is too complex; write several simpler patterns")


def _without_stars(pattern: str) -> tuple[str, ...]:
    """The pattern, and without a leading `**/`, which also means the top folder."""
    return (pattern, pattern[3:]) if pattern.startswith("**/") else (pattern,)


def _by_name(matches: PathFilter, patterns: list[str]) -> PathFilter:
    """A filter for files that `matches`, or with a name that matches a pattern without a slash."""
    names = [pattern for pattern in patterns if "/" not in pattern]
    return lambda path: matches(path) or any(fnmatchcase(PurePosixPath(path).name, name) for name in names)


def _alternatives(pattern: str) -> list[str]:
    """`*.{a,b}` as `*.a` and `*.b`. Only the first braces are expanded."""
    found = re.match(r"([^{]{0,200})\{([^{}]{0,200})\}(.{0,200})\Z", pattern)
    return [f"{found[1]}{one}{found[3]}" for one in found[2].split(",")] if found else [pattern]


def _expressions(root: Path, patterns: list[str]) -> PathFilter:
    """A filter for paths in which one of the regular expressions is found, as Hugo does it.

    Raises:
        ContentError: one is not an expression, or may take long to match.
    """
    for pattern in patterns:
        if len(pattern) > 200 or sum(map(pattern.count, "*+{")) > 3 or re.search(r"\)\s*[*+{?]|\\\d", pattern):
            raise ContentError(f"{root}: ignoreFiles has “{pattern[:80]}”, which is too complex; write a simpler one")
    try:
        compiled = [re.compile(pattern) for pattern in patterns]
    except re.error as error:
        raise ContentError(
            f"{root}: ignoreFiles has “{error.pattern!s:.80}”, which is not an expression: {error}"
        ) from error
    return lambda path: any(one.search(f"/{path}") for one in compiled)


def _nothing(_path: str) -> bool:
    return False

"""The layout of a folder: which site generator it is for, and what each file in it is.

text            an entry or a page                  hello.md, 2024-05-01-hello.md, _posts/…
bundle          a text named index in its folder    hello/index.md, with pictures beside it
section         a text named _index                 news/_index.md
asset           any other file of the content       pictures/cat.jpg, static/favicon.ico
comments        the comments of a text              entries/2024/2024-05-01-hello.comments.yaml
setup           a file of the generator itself      _config.yml, layouts/, package.json

The native layout is the one that `exporting.markdown` writes: `entries/` and `pages/` with texts, `categories/` with
sections, `assets/` with all other files at their addresses, and a manifest. In it, front matter says everything, and
the place of a file says nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

Kind = Literal["text", "bundle", "section", "asset", "comments", "setup"]
System = Literal["folder", "appliance", "hugo", "zola", "pelican", "hexo", "jekyll", "eleventy"]

#: Endings of Markdown files.
TEXT_ENDINGS = frozenset({".md", ".markdown", ".mdown", ".mkd", ".mkdn", ".mkdown", ".mdwn", ".mdtxt", ".mdtext"})
#: Endings of HTML files, which are texts in the native layout only.
HTML_ENDINGS = frozenset({".html", ".htm"})
#: The manifest by which the native layout is recognised, and the folders in it.
MANIFEST = "appliance-export.yaml"
ENTRIES, PAGES, CATEGORIES, ASSETS = "entries", "pages", "categories", "assets"
#: The ending of the file with a text's comments, in place of the text's own.
COMMENTS_ENDING = ".comments.yaml"
#: Folders that only arrange files and do not show in addresses.
LAYOUT_FOLDERS = frozenset({"_posts", "posts", "_drafts", "content", "source", "src", "_pages"})

_IGNORED = frozenset({"node_modules", "__pycache__"})
_SETUP_FOLDERS = frozenset(
    {
        "archetypes", "layouts", "templates", "themes", "sass", "i18n", "data", "resources",
        "scaffolds", "public", "output", "vendor", "syntaxes", "plugins", "functions", "bin", "scripts",
    }
)  # fmt: skip
_SETUP_NAMES = frozenset(
    {
        "gemfile", "gemfile.lock", "rakefile", "makefile", "package.json", "package-lock.json",
        "yarn.lock", "pnpm-lock.yaml", "config.toml", "config.yaml", "config.yml", "config.json",
        "hugo.toml", "hugo.yaml", "hugo.json", "pelicanconf.py", "publishconf.py", "tasks.py",
        "_config.yml", "netlify.toml", "go.mod", "go.sum", "eleventy.config.js", "eleventy.config.mjs",
        "eleventy.config.cjs", "requirements.txt", "db.json", "feed.xml", "dockerfile", "license",
        "license.md", "license.txt", "readme.md", "readme", "contributing.md", "changelog.md",
        "code_of_conduct.md",
    }
)  # fmt: skip
_SETUP_ENDINGS = frozenset(
    {".njk", ".liquid", ".hbs", ".ejs", ".pug", ".scss", ".sass", ".rb", ".11ty.js", ".11tydata.js"}
)  # fmt: skip


#: Paths of which the kind is remembered: it is asked for several times in turn.
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of one folder. `content` and `static` are folders in it; '' is the folder itself."""

    system: System = "folder"
    content: str = ""
    static: tuple[str, ...] = ("static",)

    @property
    def is_project(self) -> bool:
        """Whether the folder is a project of a site generator, with its settings and templates."""
        return self.system not in ("folder", "appliance")

    @property
    def is_native(self) -> bool:
        """Whether the folder has the layout of the appliance's own export."""
        return self.system == "appliance"

    def path_in_content(self, path: str) -> str | None:
        """`path` below the content folder; None when it is elsewhere."""
        return _below(path, self.content)

    @lru_cache(maxsize=_REMEMBERED)  # noqa: B019 - a layout is a value, and few paths are remembered
    def kind(self, path: str) -> tuple[Kind, str]:
        """The kind of the file at `path`, and for `setup` the reason."""
        pure = PurePosixPath(path)
        if self.is_native:
            return _native_kind(pure)
        in_static = any(_below(path, folder) is not None for folder in self.static)
        if self.is_project and not in_static and (reason := self._setup_reason(pure)):
            return "setup", reason
        if pure.suffix.lower() not in TEXT_ENDINGS or (in_static and self.is_project):
            return "asset", ""
        stem = pure.stem.lower()
        if stem == "_index":
            return "section", ""
        if stem.startswith("_index."):
            return "setup", "is a section file of another language; import each language as a site of its own"
        return ("bundle" if stem == "index" and self.segments(path) else "text"), ""

    def segments(self, path: str) -> list[str]:
        """The folders of `path` that show in addresses, the topmost first."""
        if self.is_native:
            top, *folders = PurePosixPath(path).parts
            return folders[:-1] if top == CATEGORIES else []
        inside = self.path_in_content(path)
        parts = PurePosixPath(path if inside is None else inside).parts[:-1]
        return [part for part in parts if part not in LAYOUT_FOLDERS]

    def asset_path(self, path: str) -> str:
        """The path below the site of a file that belongs to no bundle."""
        for folder in self.static:
            if folder and (below := _below(path, folder)):
                return below
        inside = self.path_in_content(path)
        parts = PurePosixPath(path if inside is None else inside).parts
        return "/".join([part for part in parts[:-1] if part not in LAYOUT_FOLDERS] + [parts[-1]])

    def _setup_reason(self, pure: PurePosixPath) -> str:
        path, top = str(pure), pure.parts[0]
        if self.content and self.path_in_content(path) is None:
            return f"is outside {self.content}/, so it belongs to {self.system.title()} and not to the site"
        inner = PurePosixPath(self.path_in_content(path) or path)
        hidden = next((p for p in inner.parts[:-1] if p.startswith("_") and p not in LAYOUT_FOLDERS), None)
        if hidden or (not self.content and len(pure.parts) > 1 and top in _SETUP_FOLDERS):
            return f"is in {hidden or top}/, which belongs to {self.system.title()} and is not content"
        alone = len(inner.parts) == 1 and inner.name.lower() in _SETUP_NAMES
        if alone or any(path.lower().endswith(ending) for ending in _SETUP_ENDINGS):
            return f"belongs to {self.system.title()} and is not content"
        return ""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the folder."""

    #: Its path in the folder.
    path: str
    #: Why its author keeps it back; what was imported from it before is deleted. Empty for most files.
    excluded: str = ""
    #: Why it cannot be read; what was imported from it before stays. Empty for most files.
    unreadable: str = ""


def detect(folder: Path) -> Layout:
    """The layout of `folder`, told by the files that only one system has."""

    def has(*names: str) -> bool:
        return any((folder / name).exists() for name in names)

    if has(MANIFEST):
        return Layout("appliance", "", (ASSETS,))
    if has("pelicanconf.py") and has("content"):
        return Layout("pelican", "content", ("content/extra",))
    if has("source/_posts"):
        return Layout("hexo", "source")
    if (
        has("content")
        and has("config.toml", "zola.toml")
        and has("templates", "sass")
        and not has("archetypes", "layouts")
    ):
        return Layout("zola", "content")
    if has("content") and has(
        "hugo.toml", "hugo.yaml", "hugo.json", "config.toml", "config.yaml", "config.yml", "config"
    ):
        return Layout("hugo", "content", ("static", "assets"))
    if has(".eleventy.js", *(f"eleventy.config.{ending}" for ending in ("js", "mjs", "cjs"))):
        return Layout(
            "eleventy",
            next((name for name in ("content", "src") if (folder / name).is_dir()), ""),
            ("public",),
        )
    if has("_posts", "_config.yml"):
        return Layout("jekyll", "", ("static",))
    return Layout()


def walk(folder: Path, layout: Layout, reason: Callable[[str], str]) -> Iterator[FoundFile]:
    """Every file below `folder` in a stable order; `reason` gives why the file at a path is kept back.

    Hidden files and node_modules are passed over, except among the assets of the native layout.
    """
    root = folder.resolve()
    for parent, folders, files in os.walk(folder):
        whole = layout.is_native and Path(parent).relative_to(folder).parts[:1] == (ASSETS,)
        kept = sorted(n for n in folders if whole or not _is_passed_over(n))
        folders[:] = [name for name in kept if not (Path(parent) / name).is_symlink()]
        linked = set(kept) - set(folders)
        for name in sorted([*files, *linked]):
            if whole or not name.startswith("."):
                path = Path(parent) / name
                relative = path.relative_to(folder).as_posix()
                yield _found(path, relative, root, layout, reason, is_linked_folder=name in linked)


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or name in _IGNORED


def _found(
    path: Path, relative: str, root: Path, layout: Layout, reason: Callable[[str], str], *, is_linked_folder: bool
) -> FoundFile:
    try:
        relative.encode()
    except UnicodeEncodeError:
        shown = relative.encode("utf-8", "backslashreplace").decode()
        return FoundFile(shown, unreadable="has a name that is not UTF-8; rename it")
    if is_linked_folder:
        return FoundFile(relative, "is a symbolic link to a folder, which is not followed; import that folder itself")
    try:
        if path.is_symlink() and (refused := _refused_link(path, root, layout, reason)):
            return FoundFile(relative, refused)
        if not stat.S_ISREG(path.stat().st_mode):
            return FoundFile(relative, "is not a regular file")
    except (OSError, RuntimeError) as error:
        return FoundFile(relative, unreadable=f"cannot be read: {getattr(error, 'strerror', None) or error}")
    return FoundFile(relative, reason(relative))


def _refused_link(path: Path, root: Path, layout: Layout, reason: Callable[[str], str]) -> str:
    """Why a symbolic link is not followed: its target would not be imported by its own path either."""
    target = path.resolve(strict=True)
    if not target.is_relative_to(root):
        return "is a symbolic link that leaves the folder; copy the file here"
    inner = target.relative_to(root)
    if not layout.is_native and any(_is_passed_over(part) for part in inner.parts):
        return f"is a symbolic link to {inner}, which is hidden; copy the file here if it is meant to be published"
    kind, setup = layout.kind(str(inner))
    why = reason(str(inner)) or (setup if kind == "setup" else "")
    return f"is a symbolic link to {inner}, which is not imported: it {why}" if why else ""


def _native_kind(pure: PurePosixPath) -> tuple[Kind, str]:
    if str(pure) == MANIFEST:
        return "setup", "is the manifest of the export"
    top, ending = pure.parts[0], pure.suffix.lower()
    if top in (ENTRIES, PAGES) and pure.name.endswith(COMMENTS_ENDING):
        return "comments", ""
    if ending not in TEXT_ENDINGS | HTML_ENDINGS or top not in (ENTRIES, PAGES, CATEGORIES):
        return "asset", ""
    if top == CATEGORIES:
        return ("section" if pure.stem == "_index" else "asset"), ""
    return ("bundle" if pure.stem.lower() == "index" and len(pure.parts) > 2 else "text"), ""


def comments_path(path: str) -> str:
    """The file with the comments of the text at `path`."""
    return str(PurePosixPath(path).with_suffix("")) + COMMENTS_ENDING


def _below(path: str, folder: str) -> str | None:
    if not folder:
        return path
    return path[len(folder) + 1 :] if path.startswith(folder + "/") else None

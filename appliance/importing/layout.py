"""Where things are in a folder: which system's conventions it follows and what each file in it is.

entry or page   a text                              hello.md, 2024-05-01-hello.md, _posts/…
bundle          a text named index in its folder    hello/index.md, with pictures beside it
section         a text named _index                 news/_index.md
asset           any other file of the content       pictures/cat.jpg, static/favicon.ico
comments        what readers said of a text         entries/2024/2024-05-01-hello.comments.yaml
setup           what drives the other system        _config.yml, layouts/, package.json

The appliance's own layout is what `exporting.markdown` writes: `entries/` and `pages/` with texts, `categories/` with
sections, `assets/` with all other files at their addresses, and a file that marks it. There, front matter says
everything and the place of a file nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

Kind = Literal["text", "bundle", "section", "asset", "comments", "setup"]
System = Literal["folder", "appliance", "hugo", "zola", "pelican", "hexo", "jekyll", "eleventy"]

TEXTS = frozenset({".md", ".markdown", ".mdown", ".mkd"})
#: Endings of texts that are HTML; in the appliance's own layout only.
HTML_TEXTS = frozenset({".html", ".htm"})
#: The file that marks the appliance's own layout, and the folders in it.
MARKER = "appliance-export.yaml"
ENTRIES, PAGES, CATEGORIES, ASSETS = "entries", "pages", "categories", "assets"
#: What the file with a text's comments is called, in place of the text's own ending.
COMMENTS = ".comments.yaml"
#: Folders that arrange files and mean nothing to readers.
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


@dataclass(frozen=True, slots=True)
class Layout:
    """How a folder is arranged. `content` and `static` are folders in it, '' for the folder itself."""

    system: System = "folder"
    content: str = ""
    static: tuple[str, ...] = ("static",)

    @property
    def is_project(self) -> bool:
        """Whether the folder also holds the set-up of another system."""
        return self.system not in ("folder", "appliance")

    @property
    def is_own(self) -> bool:
        """Whether the folder is arranged as the appliance itself writes it."""
        return self.system == "appliance"

    def inside(self, path: str) -> str | None:
        """`path` below the content folder; None when it is elsewhere."""
        return _below(path, self.content)

    def kind(self, path: str) -> tuple[Kind, str]:
        """What the file at `path` is, and for set-up the reason."""
        pure = PurePosixPath(path)
        if self.is_own:
            return _own_kind(pure)
        in_static = any(_below(path, folder) is not None for folder in self.static)
        if self.is_project and not in_static and (reason := self._setup_reason(pure)):
            return "setup", reason
        if pure.suffix.lower() not in TEXTS or (in_static and self.is_project):
            return "asset", ""
        stem = pure.stem.lower()
        if stem == "_index":
            return "section", ""
        if stem.startswith("_index."):
            return "setup", "is a section file of another language; import each language as a site of its own"
        return ("bundle" if stem == "index" and self.segments(path) else "text"), ""

    def segments(self, path: str) -> list[str]:
        """The folders of `path` that mean something to readers, topmost first."""
        if self.is_own:
            top, *folders = PurePosixPath(path).parts
            return folders[:-1] if top == CATEGORIES else []
        inside = self.inside(path)
        parts = PurePosixPath(path if inside is None else inside).parts[:-1]
        return [part for part in parts if part not in LAYOUT_FOLDERS]

    def asset_path(self, path: str) -> str:
        """The address of a file that belongs to no bundle: its path without the folders that only arrange."""
        for folder in self.static:
            if folder and (below := _below(path, folder)):
                return below
        inside = self.inside(path)
        parts = PurePosixPath(path if inside is None else inside).parts
        return "/".join([part for part in parts[:-1] if part not in LAYOUT_FOLDERS] + [parts[-1]])

    def _setup_reason(self, pure: PurePosixPath) -> str:
        path, top = str(pure), pure.parts[0]
        if self.content and self.inside(path) is None:
            return f"is outside {self.content}/, so it belongs to {self.system.title()} and not to the site"
        inner = PurePosixPath(self.inside(path) or path)
        hidden = next((p for p in inner.parts[:-1] if p.startswith("_") and p not in LAYOUT_FOLDERS), None)
        if hidden or (not self.content and len(pure.parts) > 1 and top in _SETUP_FOLDERS):
            return f"is in {hidden or top}/, which drives {self.system.title()} and is no content"
        alone = len(inner.parts) == 1 and inner.name.lower() in _SETUP_NAMES
        if alone or any(path.lower().endswith(ending) for ending in _SETUP_ENDINGS):
            return f"drives {self.system.title()} and is no content"
        return ""


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the folder: its path in it, or the reason why it is not taken."""

    path: str
    reason: str = ""


def detect(folder: Path) -> Layout:
    """The layout of `folder`, by the files that only one system has."""

    def has(*names: str) -> bool:
        return any((folder / name).exists() for name in names)

    if has(MARKER):
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


def walk(folder: Path, layout: Layout) -> Iterator[Found]:
    """Every file below `folder` in a stable order.

    Hidden files and node_modules are passed over, except among the assets of the appliance's own layout.
    """
    root = folder.resolve()
    for parent, folders, files in os.walk(folder):
        whole = layout.is_own and Path(parent).relative_to(folder).parts[:1] == (ASSETS,)
        kept = sorted(n for n in folders if whole or (not n.startswith(".") and n not in _IGNORED))
        folders[:] = [name for name in kept if not (Path(parent) / name).is_symlink()]
        linked = set(kept) - set(folders)
        for name in sorted([*files, *linked]):
            if whole or not name.startswith("."):
                path = Path(parent) / name
                yield _found(path, path.relative_to(folder).as_posix(), root, name in linked)


def _found(path: Path, relative: str, root: Path, is_linked_folder: bool) -> Found:
    try:
        relative.encode()
    except UnicodeEncodeError:
        return Found(relative.encode("utf-8", "backslashreplace").decode(), "has a name that is not UTF-8; rename it")
    if is_linked_folder:
        return Found(relative, "is a symbolic link to a folder, which is not followed; import that folder itself")
    try:
        if path.is_symlink() and not path.resolve(strict=True).is_relative_to(root):
            return Found(relative, "is a symbolic link that leaves the folder; copy the file here")
        if not stat.S_ISREG(path.stat().st_mode):
            return Found(relative, "is no regular file")
    except (OSError, RuntimeError) as error:
        return Found(relative, f"cannot be read: {getattr(error, 'strerror', None) or error}")
    return Found(relative)


def _own_kind(pure: PurePosixPath) -> tuple[Kind, str]:
    if str(pure) == MARKER:
        return "setup", "says how the folder is arranged"
    top, ending = pure.parts[0], pure.suffix.lower()
    if top in (ENTRIES, PAGES) and pure.name.endswith(COMMENTS):
        return "comments", ""
    if ending not in TEXTS | HTML_TEXTS or top not in (ENTRIES, PAGES, CATEGORIES):
        return "asset", ""
    if top == CATEGORIES:
        return ("section" if pure.stem == "_index" else "asset"), ""
    return ("bundle" if pure.stem.lower() == "index" and len(pure.parts) > 2 else "text"), ""


def _below(path: str, folder: str) -> str | None:
    if not folder:
        return path
    return path[len(folder) + 1 :] if path.startswith(folder + "/") else None

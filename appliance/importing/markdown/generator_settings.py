"""The settings of other site generators, read as data: what they leave out of a site is left out here too.

Settings that cannot be read stop the import before anything is written, since they may say what their author keeps
back. Settings that are programs (`pelicanconf.py`, `eleventy.config.js`) are never run: only literals are read of them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from appliance.config import toml
from appliance.errors import ContentError
from appliance.importing.markdown import frontmatter
from appliance.importing.markdown.frontmatter import lower_keys
from appliance.importing.markdown.layout import System

#: Bytes that a settings file may have.
_LARGEST: Final = 1_000_000

_HUGO: Final = ("hugo", "config")
_ENDINGS: Final = (".toml", ".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class GeneratorSettings:
    """The settings of the project in the folder `root`, read once for all that need them."""

    root: Path
    #: By key. Keys of Hugo, which does not tell capitals apart, are in lower case.
    values: dict[str, Any]

    @classmethod
    def read(cls, root: Path, system: System) -> Self:
        """Read the settings files of a system.

        Raises:
            ContentError: a settings file cannot be read.
        """
        files = cls(root, {})
        if system in ("jekyll", "hexo"):
            return cls(root, _merged(files._table(name) for name in ("_config.yml", "_config.yaml", "_config.toml")))
        if system == "zola":
            return cls(root, _merged(files._table(name) for name in ("zola.toml", "config.toml")))
        if system == "hugo":
            return cls(root, files._hugo())
        if system == "pelican":
            return cls(root, files._literals("pelicanconf.py") | files._literals("publishconf.py"))
        return files

    def strings(self, key: str) -> list[str]:
        """The strings of a setting that has one or several."""
        return strings(self.values.get(key))

    def text(self, name: str) -> str:
        """The text of a file of the project; empty when there is none.

        Raises:
            ContentError: it cannot be read.
        """
        file = self.root / name
        if not file.is_file():
            return ""
        try:
            if file.stat().st_size > _LARGEST:
                raise ContentError(
                    f"{file}: is larger than {_LARGEST:,} bytes, so it is not a settings file; make it smaller"
                )
            return file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ContentError(f"{file}: cannot be read ({reason}), and may say what is kept back; mend it") from error

    def data(self, name: str) -> Any:
        """The value of a file of YAML, TOML or JSON in the project; an empty dictionary when there is none.

        Raises:
            ContentError: it cannot be read.
        """
        text = self.text(name)
        try:
            if name.endswith(".toml"):
                return toml.loads(text)
            return frontmatter.read_yaml(text.encode()) if text.strip() else {}
        except (ContentError, toml.TOMLDecodeError) as error:
            raise ContentError(
                f"{self.root / name}: {error}; it may say what is kept back, so mend it first"
            ) from error

    def _hugo(self) -> dict[str, Any]:
        folders = ("", "config/", "config/_default/", "config/production/")
        names = [f"{folder}{name}{ending}" for folder in folders for name in _HUGO for ending in _ENDINGS]
        found = _merged(lower_keys(self._table(name)) for name in names)
        cascades = (f"{folder}cascade{ending}" for folder in folders[2:] for ending in _ENDINGS)
        alone = [table for name in cascades if (table := self._table(name))]
        return {**found, **({"cascade": alone[-1]} if alone else {})}

    def _table(self, name: str) -> dict[str, Any]:
        """A file as a dictionary; a list is its value under an empty key."""
        value = self.data(name)
        if not isinstance(value, (dict, list)):
            raise ContentError(f"{self.root / name}: has no settings in it, and may say what is kept back; mend it")
        return value if isinstance(value, dict) else {"": value}

    def _literals(self, name: str) -> dict[str, Any]:
        """The assignments of literals in a file of Python, by name. The file is parsed and not run."""
        try:
            tree = ast.parse(self.text(name))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ContentError(
                f"{self.root / name}: is not Python ({error}), and may say what is kept back; mend it"
            ) from error
        found: dict[str, Any] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                try:
                    found[node.targets[0].id] = ast.literal_eval(node.value)
                except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                    continue
        return found


def strings(value: Any) -> list[str]:
    """The strings in a value that is one or several."""
    given = value if isinstance(value, (list, tuple, set)) else [value]
    return [one for one in given if isinstance(one, str) and one]


def _merged(tables: Iterable[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for table in tables:
        merged |= table
    return merged

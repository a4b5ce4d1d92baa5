"""The page about the architecture names rooms, files and functions that exist."""

from __future__ import annotations

import ast
import difflib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "appliance"
PAGE = ROOT / "docs" / "explanation" / "architecture.md"


def section(title: str) -> list[tuple[int, str]]:
    """The lines of a section of the page, numbered from 1."""
    lines = list(enumerate(PAGE.read_text("utf-8").splitlines(), 1))
    start = next(number for number, line in lines if line == f"## {title}")
    end = next((number for number, line in lines if number > start and line.startswith("## ")), len(lines) + 1)
    return lines[start : end - 1]


@cache
def defined(file: Path) -> frozenset[str]:
    """The functions and classes of a module, methods as `Class.method`."""
    names = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return frozenset(names)


def faults(lines: list[tuple[int, str]]) -> Iterator[str]:
    """One sentence for each file or function that does not exist; a function is looked up in the file before it."""
    file: Path | None = None
    for number, line in lines:
        for name in re.findall(r"`([^`\s]+)`", line):
            where = f"{PAGE.relative_to(ROOT)}, line {number}"
            if name.endswith(".py"):
                file = PACKAGE / name
                if not file.is_file():
                    near = difflib.get_close_matches(name, [str(f.relative_to(PACKAGE)) for f in PACKAGE.rglob("*.py")])
                    yield f"{where}: there is no appliance/{name}; similar names: {', '.join(near) or 'none'}"
            elif name.endswith("()") and file and file.is_file() and name[:-2] not in defined(file):
                near = difflib.get_close_matches(name[:-2], defined(file), cutoff=0.3)
                place = file.relative_to(ROOT)
                yield f"{where}: {place} defines no {name}; similar names: {', '.join(near) or 'none'}"


def test_each_step_of_a_comment_names_what_exists() -> None:
    lines = section("One comment, step by step")
    assert sum(line.count("()`") for _, line in lines) >= 20
    assert list(faults(lines)) == []


def test_a_name_that_does_not_exist_is_found_with_its_line() -> None:
    lines = [(7, "1. `publishing.py` `publish()` and `publlish()`"), (8, "2. `nowhere.py` `publish()`")]
    wrong = list(faults(lines))
    assert [fault.partition("; ")[0] for fault in wrong] == [
        "docs/explanation/architecture.md, line 7: appliance/publishing.py defines no publlish()",
        "docs/explanation/architecture.md, line 8: there is no appliance/nowhere.py",
    ]
    assert "similar names: publish" in wrong[0]


def rooms() -> list[str]:
    """The rooms of the table in their order, by module name."""
    rows = [line.split("|")[1] for _, line in section("Rooms") if line.startswith("| `")]
    return [name.removesuffix("/").removesuffix(".py") for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_the_table_of_rooms_is_complete() -> None:
    there = {file.stem for file in PACKAGE.glob("[a-z]*.py")}
    there |= {folder.name for folder in PACKAGE.iterdir() if folder.is_dir() and any(folder.iterdir())}
    there.discard("__pycache__")
    assert sorted(rooms()) == sorted(there)


def test_rooms_stand_below_those_they_import() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    levels = {
        name.removeprefix("appliance."): level
        for level, layer in enumerate(reversed(layers))
        for name in re.split(r"[:| ]+", layer)
    }
    order = [levels[room] for room in rooms() if room in levels]
    assert order == sorted(order), f"order of the rooms by layers: {sorted(levels, key=levels.__getitem__)}"

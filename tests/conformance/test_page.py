"""The page for people who know Movable Type says which test shows each row."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "movable-type.md"


def marked() -> dict[str, list[str]]:
    """The files whose tests are marked with each row, by row."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted(ROOT.glob("tests/**/test_*.py")):
        for row in re.findall(r'pytest\.mark\.conformance\("([A-F]\d+)"\)', file.read_text("utf-8")):
            found[row].add(file.relative_to(ROOT / "tests").as_posix())
    return {row: sorted(found[row]) for row in sorted(found, key=lambda row: (row[0], int(row[1:])))}


def table() -> str:
    rows = [f"| {row} | {', '.join(f'`{file}`' for file in files)} |" for row, files in marked().items()]
    return "\n".join(["| row | tests |", "|---|---|", *rows])


def test_the_page_names_the_tests_of_each_row() -> None:
    assert table() in PAGE.read_text("utf-8"), f"write this below “Tests”:\n{table()}"


def test_every_row_of_the_queue_has_a_test() -> None:
    assert {f"B{number}" for number in range(1, 10)} <= set(marked())

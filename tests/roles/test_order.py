"""What is written from a list is the same in every run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_no_filter_is_used_that_loses_the_order() -> None:
    """Ansible's union, difference and intersect go through sets; `unique`, `reject` and `select` do not."""
    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for folder in ("roles", "playbooks")
        for file in sorted((ROOT / folder).rglob("*"))
        if file.suffix in {".yml", ".j2"}
        for match in re.finditer(r"\| *(?:union|difference|symmetric_difference|intersect)\b", file.read_text("utf-8"))
    ]
    assert found == []

"""Of the releases on a publishing host the newest stay, and the one in use whatever its age."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

#: The oldest first.
RELEASES = [f"0.{number}.0-{number:08x}" for number in range(8)]


@pytest.mark.parametrize(("used", "stay"), [(7, {5, 6, 7}), (0, {0, 6, 7})], ids=["the newest", "the oldest"])
def test_the_oldest_are_removed(tmp_path: Path, carry_out: Callable[..., int], used: int, stay: set[int]) -> None:
    folder, cache = tmp_path / "opt", tmp_path / "cache"
    for age, release in enumerate(RELEASES):
        (cache / release).mkdir(parents=True)
        (folder / release).mkdir(parents=True)
        (folder / release / ".complete").touch()
        os.utime(folder / release / ".complete", (age, age))
    (folder / "current").symlink_to(RELEASES[used])
    carry_out("publisher", "prune_releases.yml", publisher_folder=folder, publisher_cache=cache, publisher_keep=3)
    kept = {RELEASES[number] for number in stay}
    assert {path.name for path in folder.iterdir()} == kept | {"current"}
    assert {path.name for path in cache.iterdir()} == kept

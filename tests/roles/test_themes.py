"""A theme of the controller becomes the same on a publishing host."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to root")]


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_it_is_the_same_after_each_change(tmp_path: Path, carry_out: Callable[..., int]) -> None:
    def bring() -> int:
        return carry_out(
            "publisher", "copy_theme.yml", appliance_settings_folder=tmp_path / "settings", publisher_theme=theme
        )

    theme, there = tmp_path / "paper", tmp_path / "settings/themes/paper"
    # Ansible takes a second for each file, so there are only as many as there are kinds of them.
    (theme / "static/old").mkdir(parents=True)
    (theme / "theme.toml").write_text('name = "Paper"\n')
    (theme / "entry.html").write_text("{{ entry.title }}\n")
    (theme / "static/paper.woff2").write_bytes(bytes(range(256)))
    (theme / "static/old/.hidden.css").write_text("a {}")
    (theme / "static/old.css").write_text("b {}")
    assert bring() > 0
    assert files(there) == files(theme)
    assert bring() == 0

    shutil.rmtree(theme / "static/old")
    (theme / "static/old.css").rename(theme / "static/new.css")
    beside = there.parent / "mine.txt"
    beside.write_text("of the host")
    assert bring() > 0
    assert files(there) == files(theme)
    assert not (there / "static/old").exists()
    assert beside.read_text() == "of the host", "what Ansible did not bring stays"
    assert bring() == 0

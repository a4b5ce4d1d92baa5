"""After the database was restored from a backup: every docroot is brought to what it says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .conftest import Typed

SETTINGS = """\
docroot = "{folder}/www"

[[sites]]
name = "blog"
title = "Blog"
url = "https://blog.example/"

[[targets]]
name = "front1"
address = "{folder}/front1"
other_path = true

[deletions]
least = 1
share = 0.01
"""


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command_line: Typed) -> Typed:
    (tmp_path / "appliance.toml").write_text(SETTINGS.format(folder=tmp_path))
    monkeypatch.chdir(tmp_path)
    return command_line


def files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def times(folder: Path) -> dict[str, int]:
    return {str(f.relative_to(folder)): f.stat().st_mtime_ns for f in folder.rglob("*") if f.is_file()}


def copy(database: Path, to: Path) -> None:
    with closing(sqlite3.connect(database)) as here, closing(sqlite3.connect(to)) as there:
        here.backup(there)


def level(typed: Typed) -> None:
    typed("publish --all --allow-removals")
    typed("drain")


def test_everything_shows_the_restored_site(typed: Typed, tmp_path: Path) -> None:
    docroot, front = tmp_path / "www", tmp_path / "front1"
    for title in ("Kept", "Edited", "Deleted"):
        typed("content.add --later --status published --date 2026-11-01T10:00 --title", title)
    level(typed)
    copy(tmp_path / "appliance.db", tmp_path / "backup.db")
    before = files(docroot)
    typed("content.edit edited --later --title Changed")
    typed("content.delete deleted --later")
    typed("content.add --later --status published --date 2026-11-02T10:00 --title Added")
    level(typed)
    assert files(docroot) == files(front) != before

    copy(tmp_path / "backup.db", tmp_path / "appliance.db")
    later = times(front)
    typed("docroot.renew")
    assert "were published by nobody" in typed("docroot.clear", status=2)
    assert "files removed" in typed("docroot.clear --allow-removals")
    level(typed)
    assert files(docroot) == files(front) == before
    assert times(docroot) == times(front)
    assert all(time > later[path] for path, time in times(front).items() if path in later)
    assert "0 differ, 0 are there that nobody published" in typed("targets.verify front1")


def test_what_is_not_ours_is_left(typed: Typed, tmp_path: Path) -> None:
    file = tmp_path / "appliance.toml"
    file.write_text(file.read_text() + '[delivery]\nkeep = ["/stats/"]\n')
    level(typed)
    before = files(tmp_path / "www")
    for path in ("stats/index.html", ".appliance-docroot", "left.html"):
        (tmp_path / "www" / path).parent.mkdir(exist_ok=True)
        (tmp_path / "www" / path).write_text("x")
    assert "1 files removed" in typed("docroot.clear --allow-removals")
    assert set(files(tmp_path / "www")) == {*before, "stats/index.html", ".appliance-docroot"}

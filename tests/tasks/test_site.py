"""site.check, typed as people and deployments type it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local_site import index, write_theme
from tests.tasks.conftest import Typed

SETTINGS = """\
docroot = "/srv/www"
[[sites]]
name = "blog"
title = "A Blog"
url = "https://blog.example/"
theme = "theme"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a theme and, elsewhere, a settings file that is to come there."""
    home = tmp_path / "home"
    home.mkdir()
    write_theme(home / "theme", index("index.html"), {"listing.html": ""})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").write_text(SETTINGS, "utf-8")
    return home


def every(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_a_sound_file_is_said_to_be_sound(home: Path, command_line: Typed) -> None:
    before = every(home.parent)
    place = home / "appliance.toml"
    assert command_line(f"site.check new --as {place}") == f"{place} is valid: 1 site, 0 targets\n"
    assert every(home.parent) == before, "no database, no docroot, no file"
    (home / "appliance.toml").write_text(SETTINGS, "utf-8")
    assert "is valid" in command_line(f"site.check {place}")
    assert every(home.parent) == {*before, place}


def test_relative_places_count_from_where_the_file_will_be(home: Path, command_line: Typed) -> None:
    told = command_line("site.check new", status=3)
    assert told.splitlines() == [
        f"{home.parent / 'new'}: sites.blog: {home.parent / 'theme' / 'theme.toml'}: cannot be read (No such file or"
        " directory); name a theme folder, or a shipped theme: default"
    ]


def test_everything_that_is_wrong_is_said(home: Path, command_line: Typed) -> None:
    file, place = home.parent / "new", home / "appliance.toml"
    file.write_text(SETTINGS + 'tittle = "x"\n[queue]\nworkers = 0\n', "utf-8")
    told = command_line(f"site.check new --as {place}", status=3).splitlines()
    assert [line.startswith(f"{place}: ") for line in told] == [True, True]
    assert ["tittle" in told[0], "workers" in told[1]] == [True, True]
    second = SETTINGS.partition("\n")[2].replace('"blog"', '"other"\nfolder = "other"').replace('"theme"', '"none"')
    file.write_text(SETTINGS.replace('"theme"', '"default"\nsettings = {motto = "x"}') + second, "utf-8")
    told = command_line(f"site.check new --as {place}", status=3).splitlines()
    assert [line.split(": ")[1] for line in told] == ["sites.blog", "sites.other"]
    assert ["settings.motto" in told[0], "name a theme folder" in told[1]] == [True, True]


def test_a_file_that_cannot_be_read(home: Path, command_line: Typed) -> None:
    assert "cannot be read" in command_line("site.check nowhere", status=3)
    (home.parent / "new").write_text("docroot =", "utf-8")
    assert "is not TOML" in command_line("site.check new", status=3)


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_what_is_made_is_private_but_for_what_is_served(
    tmp_path: Path, command_line: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "new"
    command_line(f"site.init {home}")
    monkeypatch.chdir(home)
    (home / "posts").mkdir()
    (home / "posts" / "a.md").write_text("---\ntitle: A\n---\ntext\n")
    for line in (f"content.import {home / 'posts'}", "publish", "drain"):
        command_line(line)
    modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in home.iterdir()}
    assert {name: oct(modes[name]) for name in ("appliance.toml", "appliance.db", "assets", ".www.staging", "www")} == {
        "appliance.toml": "0o600",
        "appliance.db": "0o600",
        "assets": "0o700",
        ".www.staging": "0o700",
        "www": "0o755",
    }
    assert stat.S_IMODE(home.stat().st_mode) == 0o711
    assert (home / "www" / "index.html").stat().st_mode & 0o777 == 0o644
    for beside in home.glob("appliance.db-*"):
        assert beside.is_dir() or stat.S_IMODE(beside.stat().st_mode) == 0o600


def test_a_database_is_its_groups_too_where_the_folder_is(tmp_path: Path, command_line: Typed) -> None:
    home = tmp_path / "shared"
    home.mkdir()
    home.chmod(0o2770)
    command_line(f"site.init {home}")
    assert stat.S_IMODE((home / "appliance.db").stat().st_mode) == 0o660
    assert stat.S_IMODE(home.stat().st_mode) == 0o2770

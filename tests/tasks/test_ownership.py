"""Root in an installation of another account: nothing is left there that the account could not replace."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from appliance.config import load, ownership
from appliance.errors import ConfigError
from tests.tasks.conftest import Typed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")

#: An account nobody has.
NUMBER = 54_321

COMMANDS = [
    "publish",
    "drain",
    "work --once",
    "status",
    "why index.html",
    "periodic",
    "preview 1",
    "docroot.clear",
    "docroot.renew",
    "content.list",
    "content.add --title=B",
    "content.export out",
    "content.pull",
    "jobs.list",
    "jobs.delete --state=failed --all-matching",
    "processes.list",
    "targets.list",
    "targets.check",
    "targets.resync front",
]


@pytest.fixture
def home(tmp_path: Path, command_line: Typed, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with a page and a target, of which all is the account's."""
    home = tmp_path / "home"
    command_line(f"site.init {home}")
    with (home / "appliance.toml").open("a") as settings:
        settings.write(f'[[targets]]\nname = "front"\naddress = "{home}/front"\nother_path = true\n')
    monkeypatch.chdir(home)
    command_line("content.add --title=A")
    command_line("publish")
    for found in [home, *home.rglob("*")]:
        os.chown(found, NUMBER, NUMBER)
    return home


def of_root(home: Path) -> list[Path]:
    return [found for found in home.rglob("*") if found.lstat().st_uid == 0]


def test_root_is_refused_and_leaves_nothing(home: Path, command_line: Typed) -> None:
    before = sorted(home.rglob("*"))
    for line in COMMANDS:
        told = command_line(line, status=3)
        assert f"belongs to the account {NUMBER}" in told and "run the command as" in told, line
        assert of_root(home) == [], line
        assert sorted(home.rglob("*")) == before, line


def test_a_named_account_is_named(home: Path, command_line: Typed) -> None:
    os.chown(home / "appliance.db", 65_534, 65_534)
    assert "run the command as nobody, such as: sudo -u nobody" in command_line("status", status=3)


def test_the_account_itself_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load(home / "appliance.toml")
    with pytest.raises(ConfigError):
        ownership.check_owner(config)
    monkeypatch.setattr(os, "geteuid", lambda: NUMBER)
    ownership.check_owner(config)


def test_what_is_roots_goes_on(home: Path, command_line: Typed) -> None:
    for found in [home, *home.rglob("*")]:
        os.chown(found, 0, 0)
    os.chown(home / "www", NUMBER, NUMBER)  # a web server's
    command_line("publish --all")
    command_line("drain")


def test_whose_it_is_is_told_by_the_best_there_is(home: Path) -> None:
    config = load(home / "appliance.toml")
    assert ownership.owner_of(config) == NUMBER
    os.chown(home / "appliance.db", 1, 1)
    assert ownership.owner_of(config) == 1
    (home / "appliance.db").unlink()
    os.chown(config.docroot, 2, 2)
    assert ownership.owner_of(config) == 2
    shutil.rmtree(config.docroot)
    os.chown(config.assets_folder, 3, 3)
    assert ownership.owner_of(config) == 3


def test_a_new_installation_in_a_folder_of_another_is_refused(tmp_path: Path, command_line: Typed) -> None:
    home = tmp_path / "theirs"
    home.mkdir()
    os.chown(home, NUMBER, NUMBER)
    assert f"belongs to the account {NUMBER}" in command_line(f"site.init {home}", status=3)
    assert list(home.iterdir()) == []

"""What the account puts into its own folders leads root nowhere: neither to read, to write, nor to give away."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.roles.rendering import ROLES, render

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to another account"),
]

#: An account that is not root, and the folders that are its own.
ACCOUNT = 65534
NAME = "20261122T023000Z"

Carry = Callable[..., int]


def own(path: Path) -> Path:
    """A folder of the account's."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, ACCOUNT, ACCOUNT)
    return path


def names(folder: Path) -> list[str]:
    """What a folder holds."""
    return sorted(path.name for path in folder.iterdir())


def secret(path: Path) -> Path:
    """A file that only root reads."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text("root's own\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def given(place: Path) -> dict[str, str | int]:
    """The variables that say where everything of this host is."""
    return {
        "appliance_user": "nobody",
        "appliance_uid": ACCOUNT,
        "appliance_gid": ACCOUNT,
        "appliance_home": str(own(place / "home")),
        "appliance_docroot": str(place / "srv/www"),
        "appliance_settings_folder": str(place / "settings"),
        "appliance_own_terminal": str(ROLES / "publisher/files/own-terminal"),
        "backup_folder": str(place / "backups"),
    }


@pytest.fixture
def backups(place: Path) -> Path:
    """Backups of the account's, with one in it."""
    files = own(place / "backups/files")
    for folder in (files / NAME, files / NAME / "assets"):
        own(folder)
    upload = files / NAME / "assets" / "upload"
    upload.write_text("an upload\n")
    os.chown(upload, ACCOUNT, ACCOUNT)
    return files


def programs(folder: Path, **scripts: str) -> Path:
    """A folder with programs in place of the system's."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


def test_fetching_a_backup_follows_no_link(
    carry_out: Carry, given: dict[str, str | int], backups: Path, tmp_path: Path, place: Path
) -> None:
    victim = secret(place / "etc/passwd")
    planted = [".fetched.tar", ".fetched.files", "99991231T235959Z", "99991231T235958Z.dump"]
    for name, target in zip(planted, (victim, victim, victim.parent, victim), strict=True):
        (backups / name).symlink_to(target)
    stubs = programs(tmp_path / "programs", systemctl="exit 0", journalctl="exit 0")
    carry_out("backup", "create_part.yml", path=stubs, **given, backup_one="files", inventory_hostname="pub",
              backup_fetch_to=str(tmp_path / "fetched"))  # fmt: skip
    (fetched,) = (tmp_path / "fetched/pub").iterdir()
    assert fetched.name == f"{NAME}.tar"
    assert fetched.stat().st_mode & 0o777 == 0o600
    with tarfile.open(fetched) as packed:
        assert sorted(packed.getnames()) == [".", "./assets", "./assets/upload"]
    assert victim.read_text() == "root's own\n"
    assert names(backups) == sorted([NAME, *planted])
    assert names(backups.parent) == ["files"]


def test_a_backup_that_became_a_link_is_packed_as_the_account(
    carry_out: Carry, given: dict[str, str | int], backups: Path, tmp_path: Path, place: Path
) -> None:
    """The account may be quick: the link takes the folder's place once the folder was found."""
    secret(place / "etc/shadow")
    (backups / "99991231T235959Z").symlink_to(place / "etc")
    found = {"stdout": str(backups / "99991231T235959Z")}
    carry_out("backup", "fetch.yml", **given, backup_one="files", inventory_hostname="pub", backup_newest=found,
              backup_fetch_to=str(tmp_path / "fetched"), fails="Permission denied")  # fmt: skip
    assert not (tmp_path / "fetched").exists()
    assert names(backups.parent) == ["files"]


def test_a_copy_is_brought_back_by_the_account(
    carry_out: Carry, given: dict[str, str | int], backups: Path, tmp_path: Path, place: Path
) -> None:
    copy = "20261123T023000Z"
    victim = secret(place / "etc/passwd")
    for name in (".brought.tar", ".brought"):
        (backups / name).symlink_to(victim)
    (backups / f".brought.{copy}").symlink_to(place / "etc")
    (tmp_path / "copies/pub").mkdir(parents=True)
    with tarfile.open(tmp_path / "copies/pub" / f"{copy}.tar", "w") as packed:
        packed.add(backups / NAME, ".")
    carry_out("backup", "unpack.yml", **given, backup_copy=copy, backup_copies=str(tmp_path / "copies"),
              inventory_hostname="pub")  # fmt: skip
    assert (backups / copy / "assets/upload").read_text() == "an upload\n"
    assert (backups / copy / "assets/upload").stat().st_uid == ACCOUNT
    assert victim.read_text() == "root's own\n"
    assert victim.stat().st_uid == victim.parent.stat().st_uid == 0
    assert names(victim.parent) == ["passwd"]
    assert names(backups.parent) == ["files"]


FOLDERS = {
    "Check which folders above those of the account exist",
    "Give the folders above to root",
    "Check which folders exist",
    "Refuse a symbolic link of the account",
    "Create the folders",
}


def test_a_folder_above_a_docroot_is_root_s(carry_out: Carry, given: dict[str, str | int], place: Path) -> None:
    carry_out("account", "create.yml", FOLDERS, **given, appliance_publishers=["localhost"], appliance_frontends=[])
    assert (place / "srv").stat().st_uid == 0
    assert (place / "srv/www").stat().st_uid == (place / "srv/.www.staging").stat().st_uid == ACCOUNT
    assert (place / "srv/www").stat().st_mode & 0o7777 == 0o755


def test_the_mode_and_group_of_a_docroot_are_the_operator_s(
    carry_out: Carry, given: dict[str, str | int], place: Path
) -> None:
    docroot = own(place / "srv/www")
    os.chown(docroot, ACCOUNT, 8)
    docroot.chmod(0o2775)
    carry_out("account", "create.yml", FOLDERS, **given, appliance_publishers=["localhost"])
    assert (docroot.stat().st_mode & 0o7777, docroot.stat().st_gid) == (0o2775, 8)


def test_a_link_of_the_account_s_is_not_given_away(carry_out: Carry, given: dict[str, str | int], place: Path) -> None:
    """Where the folder above was the account's, as earlier versions made it, the account may have put links there."""
    victim = secret(place / "etc/passwd").parent
    own(place / "srv")
    for name in ("www", ".www.staging"):
        (place / "srv" / name).symlink_to(victim)
        os.chown(place / "srv" / name, ACCOUNT, ACCOUNT, follow_symlinks=False)
    carry_out("account", "create.yml", FOLDERS, **given, appliance_publishers=["localhost"],
              fails="which the account nobody has made")  # fmt: skip
    assert victim.stat().st_uid == 0


def test_folders_are_made_and_settings_read_by_the_account(
    carry_out: Carry, given: dict[str, str | int], place: Path
) -> None:
    """A theme is a program, and may lie where the account writes it."""
    victim = secret(place / "etc/passwd").parent
    home = Path(str(given["appliance_home"]))
    (home / "assets").symlink_to(victim)
    (place / "release/bin").mkdir(parents=True)
    (place / "settings").mkdir()
    program = place / "release/bin/appliance"
    program.write_text(
        f'#!/bin/sh\n[ "$1 $2 $3" = "site.check --as {place}/settings/appliance.toml" ] && cat "$4" >/dev/null && '
        f'echo "$(id -u) $HOME" >{home}/seen\n'
    )
    program.chmod(0o755)
    only = {"Create the folders that are not served", "Write the settings"}
    carry_out("publisher", "settings.yml", only, **given, publisher_folder=place, publisher_release="release",
              publisher_settings={"docroot": "/srv/www"}, appliance_group=ACCOUNT,
              publisher_settings_folder={"stat": {"exists": True}})  # fmt: skip
    assert victim.stat().st_uid == 0
    made = (home / "checkouts").stat()
    assert (made.st_uid, made.st_mode & 0o777) == (ACCOUNT, 0o750)
    assert (home / "seen").read_text() == f"{ACCOUNT} {home}\n"
    assert (place / "settings/appliance.toml").stat().st_uid == 0


def script(place: Path, template: str, **given: str | int) -> Path:
    """A script of a role, with programs of its own that say as whom they run."""
    text = render(template, **given)
    file = place / "script"
    file.write_text(text.replace("/opt/appliance/current/bin/appliance", f"{place}/programs/appliance"))
    file.chmod(0o755)
    return file


def test_a_run_that_root_starts_is_the_account_s(given: dict[str, str | int], place: Path) -> None:
    victim = secret(place / "etc/passwd")
    programs(place / "programs", appliance='echo "$1 $(id -u) $HOME"')
    lock = Path(str(given["appliance_home"]), "run.lock")
    lock.symlink_to(victim)
    run = script(place, "schedule/appliance-run.j2", **given)
    done = subprocess.run([run], capture_output=True, text=True, timeout=60, cwd="/")
    assert victim.read_text() == "root's own\n"
    assert "periodic 0" not in done.stdout
    lock.unlink(missing_ok=True)
    done = subprocess.run([run], capture_output=True, text=True, timeout=60, cwd="/")
    assert done.stdout.split("\n")[:-1] == [
        f"{task} {ACCOUNT} {lock.parent}" for task in ("periodic", "publish", "drain")
    ]
    assert lock.stat().st_uid == ACCOUNT


def test_waiting_for_a_run_makes_no_file_where_a_link_leads(
    carry_out: Carry, given: dict[str, str | int], place: Path
) -> None:
    """The command flock makes the file that it is to lock."""
    (place / "etc").mkdir()
    target = place / "etc/nologin"
    Path(str(given["appliance_home"]), "run.lock").symlink_to(target)
    carry_out("backup", "stop_services.yml", {"Wait until cron's run has ended"}, **given)
    assert not target.exists()


@pytest.mark.parametrize("part", ["files", "database"])
def test_a_backup_is_not_made_by_root(given: dict[str, str | int], backups: Path, place: Path, part: str) -> None:
    victim = secret(place / "etc/passwd")
    folder = own(backups.parent / part)
    (folder / ".lock").symlink_to(victim)
    name = {"files": "appliance-backup", "database": "appliance-backup-database"}[part]
    made = script(place, f"backup/{name}.sh.j2", **given, backup_one=part)
    done = subprocess.run([made], capture_output=True, text=True, timeout=60, cwd="/")
    assert done.returncode == 1
    assert f"use: systemctl start {name}.service" in done.stderr
    assert victim.read_text() == "root's own\n"


def test_a_restore_is_the_account_s(given: dict[str, str | int], backups: Path, place: Path) -> None:
    stubs = programs(place / "programs", rsync=f"id -u >>{given['appliance_home']}/seen")
    restore = script(place, "backup/appliance-restore-files.sh.j2", **given, appliance_database="postgresql")
    environ = os.environ | {"PATH": f"{stubs}:{os.environ['PATH']}"}
    subprocess.run([restore, NAME], check=True, timeout=60, env=environ)
    assert Path(str(given["appliance_home"]), "seen").read_text() == f"{ACCOUNT}\n"

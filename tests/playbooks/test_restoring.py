"""A copy of a backup on the controller is put where its host would have it, before anything is stopped.

This machine stands for all hosts. What would stop them is a task of the test that fails, so the playbook ends there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = {"name": "blog", "title": "Blog", "url": "https://blog.example/"}
#: An account that is not root, and stands for that of PostgreSQL as well.
ACCOUNT = 65534
STOPPED = "Everything is stopped now."

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files that are another account's"),
]


class Ran(NamedTuple):
    """What came of the playbook."""

    code: int
    said: str


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the account can reach: what pytest makes is closed to others."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def copy(folder: Path, host: str, name: str, text: str) -> None:
    """A copy as playbooks/backup.yml brings it: a database, or uploads in an archive."""
    file = folder / "copies" / host / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".dump":
        file.write_text(text)
        return
    made = folder / "made" / host / name
    (made / "assets").mkdir(parents=True, mode=0o700)
    (made / "assets" / "upload").write_text(text)
    (made / "appliance.db").write_text(text)
    subprocess.run(["tar", "--create", f"--file={file}", f"--directory={made}", "."], check=True)


def play(folder: Path, *options: str, databases: tuple[str, ...] = ("db1",)) -> Ran:
    """Restore a copy; publishing hosts and the database host have a folder each for their backups."""
    roles, hosts = folder / "roles", folder / "hosts"
    (roles / "backup" / "tasks").mkdir(parents=True)
    (roles / "appliance").symlink_to(ROOT / "roles" / "appliance")
    tasks = [f"tasks/{name}.yml" for name in ("restore", "select", "copy_to_host", "unpack")]
    for part in ("defaults", "meta", "vars", *tasks):
        (roles / "backup" / part).symlink_to(ROOT / "roles" / "backup" / part)
    (roles / "backup" / "tasks" / "start_services.yml").write_text("[]\n")
    (roles / "backup" / "tasks" / "stop_services.yml").write_text(
        yaml.safe_dump([{"name": "Stop", "ansible.builtin.fail": {"msg": STOPPED}}])
    )
    for part in ("files", "database"):
        (hosts / part).mkdir(parents=True)
        os.chown(hosts / part, ACCOUNT, ACCOUNT)
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    (folder / "inventory.yml").write_text(yaml.safe_dump({
        "publishers": {"hosts": {"pub1": {}}},
        "databases": {"hosts": {name: {} for name in databases}},
        "frontends": {"hosts": {"www1": {}}},
        "all": {"vars": {**local, "appliance_sites": [SITE], "appliance_validated": True, "backup_folder": str(hosts)}},
    }))  # fmt: skip
    become = ["setsid", "--wait", "setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", "--"]
    accounts = {"files": become, "database": become}
    given = {"appliance_uid": ACCOUNT, "appliance_gid": ACCOUNT, "backup_as_account": accounts, "backup_from": "copies"}
    words = [str(Path(sys.executable).with_name("ansible-playbook")), "--inventory=inventory.yml"]
    words += [f"--extra-vars={json.dumps(given)}", *options, str(ROOT / "playbooks" / "restore.yml")]
    environ = {"ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_ROLES_PATH": str(roles)}
    done = subprocess.run(words, cwd=folder, env=os.environ | environ, capture_output=True, text=True, timeout=240)
    return Ran(done.returncode, done.stdout + done.stderr)


def owned(folder: Path) -> dict[str, str]:
    """The files below, by path, with what is in them; all are the account's."""
    found = {path: path.stat() for path in folder.rglob("*")}
    assert {about.st_uid for about in found.values()} == {ACCOUNT}
    return {str(path.relative_to(folder)): path.read_text() for path in found if path.is_file()}


def test_a_database_comes_with_the_uploads_around_it(folder: Path) -> None:
    for name in ("20261120T023000Z", "20261121T023000Z", "20261122T023001Z", "20261123T023000Z"):
        copy(folder, "pub1", f"{name}.tar", name)
    for name in ("20261121T023001Z", "20261122T023000Z", "20261123T023001Z"):
        copy(folder, "db1", f"{name}.dump", name)
    ran = play(folder, "--extra-vars=backup=20261122T023000Z")
    assert STOPPED in ran.said, ran.said
    assert owned(folder / "hosts") == {
        "database/20261122T023000Z.dump": "20261122T023000Z",
        **{
            f"files/{name}/{file}": name
            for name in ("20261121T023000Z", "20261122T023001Z")
            for file in ("assets/upload", "appliance.db")
        },
    }


def test_without_a_name_it_is_the_newest(folder: Path) -> None:
    for name in ("20261121T023000Z", "20261122T023000Z"):
        copy(folder, "pub1", f"{name}.tar", name)
    ran = play(folder, databases=())
    assert STOPPED in ran.said, ran.said
    brought = folder / "hosts" / "files" / "20261122T023000Z"
    assert set(owned(brought)) == {"assets/upload", "appliance.db"}
    assert len(owned(folder / "hosts")) == 2


def test_one_that_is_not_there_is_refused(folder: Path) -> None:
    copy(folder, "db1", "20261121T023000Z.dump", "")
    ran = play(folder, "--extra-vars=backup=20261122T023000Z")
    assert ran.code == 2
    assert (
        f"There is no backup “20261122T023000Z” in {folder.resolve()}/copies/db1; nothing was touched. "
        "There are: 20261121T023000Z."
    ) in ran.said
    assert STOPPED not in ran.said
    assert owned(folder / "hosts") == {}

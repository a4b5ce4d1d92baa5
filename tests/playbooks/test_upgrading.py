"""Whom an upgrade asks, and of what it makes a backup first.

This machine stands for all hosts. Roles of the test stand for installing and starting a release, and for the backup of
a part: each leaves a file that is called by it and by the host.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from appliance.demo.frontend import free_port

ROOT = Path(__file__).resolve().parents[2]
SITE = {"name": "blog", "title": "Blog", "url": "https://blog.example/"}
LEFT_OUT = (
    "No backup can be made, since db1, which has the database, is left out by --limit; leave --limit out, or say -e "
    "upgrade_backup=false to go on without a backup."
)

pytestmark = pytest.mark.slow


class Ran(NamedTuple):
    """What came of the playbook, and what was done where."""

    code: int
    said: str
    done: set[str]


def play(folder: Path, *options: str, new: str = "", down: str = "") -> Ran:
    """Upgrade two publishing hosts with a database host; one may have no release yet, and one may not answer."""
    roles = folder / "roles"

    def leave(name: str) -> dict[str, Any]:
        return {
            "name": "Leave a file",
            "ansible.builtin.raw": f"touch {folder}/done/{name}:{{{{ inventory_hostname }}}}",
        }

    def role(name: str, tasks: str, *told: dict[str, Any]) -> None:
        path = roles / name / "tasks" / f"{tasks}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(list(told)))

    role("publisher", "install_release", leave("install"))
    role(
        "publisher",
        "validate_settings",
        {"name": "Validate", "ansible.builtin.set_fact": {"publisher_former": "{{ test_former }}"}},
    )
    role("backup", "create", {**leave("{{ item }}"), "loop": "{{ backup_parts }}"})
    role("schedule", "upgrade", leave("upgrade"))
    roles.joinpath("appliance").symlink_to(ROOT / "roles" / "appliance")
    for part in ("defaults", "meta", "vars", "tasks/validate_hosts.yml"):
        roles.joinpath("backup", part).symlink_to(ROOT / "roles" / "backup" / part)
    (folder / "done").mkdir()

    hosts: dict[str, dict[str, Any]] = {name: {"test_former": "0.1.0"} for name in ("pub1", "pub2")}
    if new:
        hosts[new]["test_former"] = ""
    if down:
        hosts[down] |= {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    (folder / "inventory.yml").write_text(yaml.safe_dump({
        "publishers": {"hosts": hosts},
        "databases": {"hosts": {"db1": {}}},
        "frontends": {"hosts": {"www1": {}}},
        "all": {"vars": {**local, "appliance_sites": [SITE], "appliance_systems": {}, "appliance_validated": True}},
    }))  # fmt: skip
    playbook = str(ROOT / "playbooks" / "upgrade.yml")
    words = [str(Path(sys.executable).with_name("ansible-playbook")), "--inventory=inventory.yml", *options, playbook]
    environ = {"ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_ROLES_PATH": str(roles)}
    done = subprocess.run(words, cwd=folder, env=os.environ | environ, capture_output=True, text=True, timeout=240)
    return Ran(done.returncode, done.stdout + done.stderr, {path.name for path in (folder / "done").iterdir()})


def test_all_hosts_are_saved_and_upgraded(tmp_path: Path) -> None:
    ran = play(tmp_path)
    assert ran.code == 0, ran.said
    assert ran.done == {
        "install:pub1", "install:pub2", "files:pub1", "files:pub2", "database:db1", "upgrade:pub1", "upgrade:pub2",
    }  # fmt: skip


def test_a_host_that_is_gone_may_be_down(tmp_path: Path) -> None:
    ran = play(tmp_path, '--extra-vars={"appliance_gone": ["pub1"]}', down="pub1")
    assert ran.code == 0, ran.said
    assert ran.done == {"install:pub2", "files:pub2", "database:db1", "upgrade:pub2"}


def test_a_new_first_host_keeps_no_backup_from_being_made(tmp_path: Path) -> None:
    ran = play(tmp_path, new="pub1")
    assert ran.code == 0, ran.said
    assert {name for name in ran.done if name.startswith(("files", "database"))} == {"files:pub2", "database:db1"}


def test_a_backup_without_the_database_is_refused(tmp_path: Path) -> None:
    ran = play(tmp_path, "--limit=pub2")
    assert (ran.code, LEFT_OUT in ran.said) == (2, True), ran.said
    assert ran.done == {"install:pub2"}


def test_a_limit_is_taken_where_no_backup_is_wanted(tmp_path: Path) -> None:
    ran = play(tmp_path, "--limit=pub2", "--extra-vars=upgrade_backup=false")
    assert ran.code == 0, ran.said
    assert ran.done == {"install:pub2", "upgrade:pub2"}

"""No task of root's works on a path that the account may change: root would follow the links the account puts there.

Every task of every role and playbook is looked at, and every script that root may start. What touches such a path has
to become the account, or stands below with the reason why it is harmless.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

#: What begins a path in a folder that the account, or another one that is not root, may write.
WRITABLE = re.compile(
    r"""
    (?:appliance_home|appliance_docroot|shared_docroot_mount|shared_docroot_export|docroot)
        (?: \s* (?:\}\})? / | \s* ~ \s* ['"]/ )                      # below, and not the folder itself
    | shared_docroot_(?:marker|staging|made) | account_staging | publisher_database(?!_)
    | backup_folder \s* (?:\}\})? (?: \s* ~ \s* ['"] )? / (?: files | database | \{\{ )
    | backup_newest | backup_part\b
    | database_folder | database_data | database_hba
    """,
    re.VERBOSE,
)

#: How a command becomes an account before it touches anything.
BECOMES = ("appliance_as_account", "backup_as_account", "setpriv", "runuser")

#: Tasks that may, by file and name, and why.
HARMLESS = {
    ("roles/publisher/tasks/settings.yml", "Create the folders that are not served"):
        "made by the account; root looks only whether they are there",
    ("roles/backup/tasks/main.yml", "Create a folder that only the account can read"):
        "lies in a folder of root's, where the account can put no link",
    ("roles/backup/tasks/select.yml", "List backups"): "lists names of one form and opens nothing",
    ("roles/backup/tasks/unpack.yml", "Check whether the host has the backup"):
        "looks whether a name is there, follows no link",
    ("roles/backup/tasks/create_part.yml", "Fail if the backup failed"): "shows a name",
    ("roles/backup/tasks/create_part.yml", "Report the path of the backup"): "shows a name",
    ("roles/shared_docroot/tasks/create_marker.yml", "Create the docroot and the staging folder"):
        "made by the account; root looks only whether they are there",
    ("roles/shared_docroot/tasks/create_marker.yml", "Write the marker of this installation"):
        "made by the account; root looks only whether it is there",
    ("roles/database/tasks/configure.yml", "Copy the certificate"): "replaced by a rename, which follows no link",
    ("roles/database/tasks/configure.yml", "Copy the key of the certificate"):
        "replaced by a rename, which follows no link",
    ("roles/database/tasks/configure.yml", "Write the settings"): "replaced by a rename, which follows no link",
    ("roles/database/tasks/configure_access.yml", "Refuse access rules in an unexpected place"): "looks at a name",
    ("roles/database/tasks/configure_access.yml", "Write the access rules"):
        "in /etc/postgresql alone, replaced by a rename, which follows no link",
}  # fmt: skip

#: Scripts that root may start, with what keeps them from following the account's links.
SCRIPTS = {
    "roles/publisher/templates/appliance.sh.j2": "appliance_becomes_account",
    "roles/schedule/templates/appliance-run.j2": "appliance_becomes_account",
    "roles/backup/templates/appliance-restore-files.sh.j2": "appliance_becomes_account",
    "roles/backup/templates/appliance-backup.sh.j2": "{% include 'common.j2' %}",
    "roles/backup/templates/appliance-backup-database.sh.j2": "{% include 'common.j2' %}",
    "roles/backup/templates/appliance-restore-database.sh.j2": "runuser -u postgres --",
    "roles/database/files/make.sh": "runuser -u postgres --",
    "roles/account/files/try-rsync.sh": "mktemp -d",
    "roles/frontend/files/nginx-test": "mktemp -d",
    "roles/publisher/files/own-terminal": "os.execvp",
}


def tasks(items: Any) -> Iterator[dict[str, Any]]:
    """Every task, also of blocks."""
    for item in items or []:
        for part in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from tasks(item.get(part))
        if "hosts" not in item and "block" not in item:
            yield item


def task_files() -> list[Path]:
    return sorted(
        [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/handlers/*.yml"), *ROOT.glob("playbooks/*.yml")]
    )


def module(task: dict[str, Any]) -> tuple[str, Any]:
    """The module of a task, and what it is given."""
    named = [name for name in task if "." in name]
    return (named[0], task[named[0]]) if named else ("", None)


def touches(task: dict[str, Any]) -> bool:
    """Whether a task works on a path that somebody other than root may change."""
    _, given = module(task)
    return bool(WRITABLE.search(json.dumps([given, task.get("loop"), task.get("vars")]).replace('\\"', '"')))


def becomes(task: dict[str, Any]) -> bool:
    """Whether all that a task does, it does as an account."""
    name, given = module(task)
    if task.get("become") is False or "become_user" in task:
        return True
    if name != "ansible.builtin.command" or not isinstance(given, dict) or "creates" in given or "removes" in given:
        return False
    argv = given.get("argv", "")
    first = argv[0] if isinstance(argv, list) else re.sub(r"^\{\{\s*", "", argv)
    return str(first).startswith(BECOMES) or "brought=$1" in str(argv) or "packed=$1" in str(argv)


def described(task: dict[str, Any]) -> bool:
    """Whether a task only says or includes something."""
    return module(task)[0] in {
        "ansible.builtin.include_tasks", "ansible.builtin.import_tasks", "ansible.builtin.include_role",
        "ansible.builtin.import_role", "ansible.builtin.set_fact", "ansible.builtin.import_playbook",
    }  # fmt: skip


def suspects() -> set[tuple[str, str]]:
    return {
        (str(file.relative_to(ROOT)), task["name"])
        for file in task_files()
        for task in tasks(yaml.safe_load(file.read_text("utf-8")))
        if touches(task) and not becomes(task) and not described(task)
    }


def test_root_works_on_nothing_that_the_account_may_change() -> None:
    assert suspects() - HARMLESS.keys() == set()


def test_what_is_said_to_be_harmless_is_there() -> None:
    assert HARMLESS.keys() - suspects() == set()


@pytest.mark.parametrize(
    "task",
    [
        {"ansible.builtin.file": {"path": "{{ appliance_home }}/assets", "owner": "{{ appliance_user }}"}},
        {"ansible.builtin.file": {"path": "{{ appliance_home ~ '/assets' }}", "state": "directory"}},
        {"ansible.builtin.copy": {"dest": "{{ backup_folder }}/files/.brought.tar"}},
        {"ansible.builtin.fetch": {"src": "{{ backup_folder ~ '/files/.fetched.tar' }}"}},
        {"ansible.builtin.command": {"argv": ["tar", "--create", "--directory={{ backup_newest.stdout }}", "."]}},
        {"ansible.builtin.command": {"argv": ["sh", "-c", 'flock "$1"', "x", "{{ appliance_home }}/run.lock"]}},
        {"ansible.builtin.command": {"argv": ["grep", "x", "{{ shared_docroot_marker }}"]}},
        {"ansible.builtin.slurp": {"src": "{{ appliance_docroot }}/index.html"}},
        {"ansible.builtin.file": {"path": "{{ item }}"}, "loop": ["{{ appliance_docroot }}/{{ x }}"]},
        {"ansible.builtin.command": {"argv": "{{ appliance_as_account + ['mkdir', appliance_home ~ '/x'] }}",
                                     "creates": "{{ appliance_home }}/x"}},
    ],
)  # fmt: skip
def test_it_would_be_seen(task: dict[str, Any]) -> None:
    """Among these are the tasks by which the account could become root."""
    assert touches(task)
    assert not becomes(task)


def test_every_script_of_root_s_is_known() -> None:
    """One that is new has to be looked at, and to say how it is kept from following the account's links."""
    scripts = {
        str(file.relative_to(ROOT))
        for part in ("templates", "files")
        for file in ROOT.glob(f"roles/*/{part}/*")
        if file.read_text("utf-8").startswith("#!")
    }
    assert scripts == SCRIPTS.keys()
    for name, way in SCRIPTS.items():
        assert way in (ROOT / name).read_text("utf-8"), name


def test_no_owner_is_changed_below_a_folder() -> None:
    """Whoever owns a folder can exchange what is in it while its owners are changed."""
    for file in task_files():
        for task in tasks(yaml.safe_load(file.read_text("utf-8"))):
            name, given = module(task)
            assert not (name == "ansible.builtin.file" and isinstance(given, dict) and given.get("recurse")), file
            assert not re.search(r"\bch(own|mod|grp) (-\w*R|--recursive)", yaml.safe_dump(given)), file

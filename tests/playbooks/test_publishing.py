"""An installation that is empty replaces no pages that front ends show, unless it published them itself.

This machine stands for all hosts. What is asked of the appliance is answered by a script of the test, and what stops
the processes of a publishing host is a role of the test that leaves a file.
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
PLAYBOOK = ROOT / "playbooks" / "publish.yml"
SITES = [{"name": name, "title": name, "url": f"https://{name}.example/"} for name in ("blog", "town")]
REFUSED = (
    "The installation is empty and has never published anything, but www1 in service would lose the pages of an "
    "earlier one, so nothing publishes now; restore a backup (playbooks/restore.yml), or run site.yml with -e "
    "publish_empty=true."
)

# Notes who asked for what; the number of publications and the sites with entries are the case's.
APPLIANCE = """\
#!/bin/sh
echo "$*" >>{folder}/asked
case "$*" in
    status*) printf 'appliance_publications_total %s\\nappliance_jobs 0.0\\n' {published} ;;
    content.list*) case " {filled} " in *" ${{2#--site=}} "*) echo '[{{"id": 1}}]' ;; *) echo '[]' ;; esac ;;
    publish) echo 'blog: 9 artifacts; 9 added, 0 raised, 0 coalesced, 0 follow-up (0.01 s)' ;;
esac
"""

pytestmark = pytest.mark.slow


class Ran(NamedTuple):
    """What came of the playbook."""

    code: int
    said: str
    asked: list[str]
    stopped: bool


def play(
    folder: Path, *options: str, published: str = "0.0", filled: str = "", served: tuple[str, ...] = ("www1",)
) -> Ran:
    """Publish with three front ends, of which www3 does not answer, and of which some are in service."""
    program = folder / "appliance"
    program.write_text(APPLIANCE.format(folder=folder, published=published, filled=filled))
    program.chmod(0o755)
    (folder / "publish.yml").write_text(PLAYBOOK.read_text("utf-8").replace("/usr/local/bin/appliance", str(program)))
    stop = folder / "roles" / "backup" / "tasks" / "stop_services.yml"
    stop.parent.mkdir(parents=True)
    stop.write_text(yaml.safe_dump([
        {"name": "Stop", "ansible.builtin.file": {"path": str(folder / "stopped"), "state": "touch"}}
    ]))  # fmt: skip
    frontends: dict[str, dict[str, Any]] = {}
    for name in ("www1", "www2", "www3"):
        (folder / name).mkdir()
        frontends[name] = {"appliance_settings_folder": str(folder / name)}
        if name in served:
            (folder / name / "in-service").touch()
    frontends["www3"] |= {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": free_port()}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
    (folder / "inventory.yml").write_text(yaml.safe_dump({
        "publishers": {"hosts": {"pub1": {}, "pub2": {}}},
        "frontends": {"hosts": frontends},
        "all": {"vars": {**local, "appliance_sites": SITES}},
    }))  # fmt: skip
    words = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "--inventory=inventory.yml",
        *options,
        "publish.yml",
    ]
    environ = {
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_ROLES_PATH": str(folder / "roles"),
    }
    done = subprocess.run(words, cwd=folder, env=os.environ | environ, capture_output=True, text=True, timeout=240)
    asked = folder / "asked"
    return Ran(
        done.returncode, done.stdout + done.stderr, asked.read_text().splitlines() if asked.exists() else [],
        (folder / "stopped").exists(),
    )  # fmt: skip


def test_an_empty_installation_replaces_nothing(tmp_path: Path) -> None:
    ran = play(tmp_path)
    assert ran.code == 2, ran.said
    assert REFUSED in ran.said
    assert "publish" not in ran.asked
    assert ran.stopped


@pytest.mark.parametrize(
    "case",
    [
        {"served": ()},
        {"published": "18.0"},
        {"filled": "town"},
    ],
    ids=["no front end is in service", "it published before", "one site has an entry"],
)
def test_any_other_publishes(tmp_path: Path, case: dict[str, Any]) -> None:
    ran = play(tmp_path, **case)
    assert ran.code == 0, ran.said
    assert ran.asked.count("publish") == 1
    assert not ran.stopped


def test_an_empty_one_publishes_where_that_is_said(tmp_path: Path) -> None:
    ran = play(tmp_path, "--extra-vars=publish_empty=true")
    assert (ran.code, ran.asked) == (0, ["publish"]), ran.said


def test_another_publishes_where_the_first_is_gone(tmp_path: Path) -> None:
    ran = play(tmp_path, '--extra-vars={"appliance_gone": ["pub1"]}', published="18.0")
    assert ran.code == 0, ran.said
    assert ran.asked.count("publish") == 1
    assert "changed: [pub2]" in ran.said


def test_backups_can_be_restored_where_publishing_is_refused() -> None:
    parts = [part["ansible.builtin.import_playbook"] for part in yaml.safe_load((ROOT / "site.yml").read_text("utf-8"))]
    assert (
        parts.index("playbooks/backups.yml") < parts.index("playbooks/publish.yml") < parts.index("playbooks/serve.yml")
    )

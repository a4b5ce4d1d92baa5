"""From which addresses a publishing host's key is let in on receivers that the run leaves out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.demo.frontend import make_key

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to root")]


def admitted(folder: Path, address: str, before: str = "") -> str:
    """What `www` admits, which had `before`, after a run that is limited to `pub` at `address`."""
    make_key(folder / "key")
    admits = folder / "authorized_keys"
    admits.write_text(before)
    roles = [
        ROOT / "roles" / role / part / "main.yml" for role in ("appliance", "trust") for part in ("defaults", "vars")
    ]
    own = {"results": [{"stdout": (folder / "key.pub").read_text()}]}
    play: dict[str, Any] = {
        "name": "Admit",
        "hosts": "all",
        "gather_facts": False,
        "vars_files": [str(file) for file in roles if file.is_file()],
        "tasks": [
            {"name": "Have a key", "ansible.builtin.set_fact": {"trust_own_keys": own}},
            {
                "name": "Admit it",
                "ansible.builtin.include_tasks": str(ROOT / "roles/trust/tasks/authorize_keys_outside_run.yml"),
                "vars": {"trust_receiver": "www"},
            },
        ],
    }
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {"publishers": {"hosts": {"pub": {"appliance_address": address}}}, "frontends": {"hosts": {"www": {}}}}
    more = {"trust_authorized_keys": str(admits), "appliance_settings_folder": str(folder), "appliance_sites": []}
    (folder / "play.yml").write_text(yaml.safe_dump([play]))
    (folder / "hosts.yml").write_text(yaml.safe_dump({**hosts, "all": {"vars": local}}))
    # What the file `templates/authorized_keys.j2` lies beside is found by a role; outside of one, by a link.
    (folder / "templates").symlink_to(ROOT / "roles/trust/templates")
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "--inventory=hosts.yml", "--limit=pub",
         f"--extra-vars={json.dumps(more)}", "play.yml"],
        cwd=folder, env=os.environ | {"ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return admits.read_text()


def test_a_name_is_looked_up_on_the_receiver(tmp_path: Path) -> None:
    (line,) = [line for line in admitted(tmp_path, "localhost").splitlines() if not line.startswith("#")]
    assert 'from="localhost"' not in line
    assert "127.0.0.1" in line.partition('",command=')[0] or "::1" in line.partition('",command=')[0]


def test_an_address_is_taken_as_it_is(tmp_path: Path) -> None:
    assert 'restrict,from="192.0.2.11",command="rsync --server' in admitted(tmp_path, "192.0.2.11")


def test_what_was_admitted_stays_when_a_name_stands_for_nothing(tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    key = " ".join((tmp_path / "other.pub").read_text().split()[:2])
    before = f'restrict,from="192.0.2.9",command="x" {key} appliance:pub'
    assert before in admitted(tmp_path, "nobody.invalid", before + "\n").splitlines()

"""What the playbooks for the days after refuse, and what check.yml says of hosts that are down."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.demo.frontend import free_port

ROOT = Path(__file__).parents[2]
INVENTORY = """\
publishers: {{hosts: {{pub1: }}}}
frontends: {{hosts: {{www1: , www2: }}}}
all:
  vars:
    ansible_host: 127.0.0.1
    ansible_port: {port}
    appliance_sites: [{{name: blog, title: Blog, url: "https://blog.example/"}}]
"""


def play(tmp_path: Path, name: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a playbook on hosts none of which answers; any that is not refused says that they cannot be reached."""
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(INVENTORY.format(port=free_port()))
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    program = shutil.which("ansible-playbook", path=beside)
    assert program, "ansible-playbook is not in this environment"
    return subprocess.run(
        [program, "-i", str(inventory), str(ROOT / "playbooks" / name), *options],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path / "ansible"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("add_frontend.yml", [], "“” is no host of the group frontends (www1, www2); put it into the inventory"),
        ("add_frontend.yml", ["-e", "host=pub1"], "“pub1” is no host of the group frontends"),
        ("decommission.yml", [], "“” is neither a publishing host nor a front end"),
        ("decommission.yml", ["-e", "host=www9"], "“www9” is neither a publishing host nor a front end"),
        ("decommission.yml", ["-e", "host=pub1"], "pub1 is the last publishing host; set up another one"),
        ("rotate_keys.yml", ["-e", "host=www1"], "“www1” is no publishing host of the inventory (pub1)"),
        ("rotate_keys.yml", ["-e", "compromised=true"], "Whose key was lost is not said; name that publishing host"),
    ],
)
def test_it_is_refused_before_any_host_is_asked(tmp_path: Path, name: str, options: list[str], sentence: str) -> None:
    ran = play(tmp_path, name, *options)
    assert ran.returncode == 2
    assert sentence in ran.stdout + ran.stderr
    assert "unreachable=1" not in ran.stdout


def test_a_check_names_every_host_that_does_not_answer(tmp_path: Path) -> None:
    ran = play(tmp_path, "check.yml")
    assert ran.returncode == 2
    for host in ("pub1", "www1", "www2"):
        assert f"{host}: it cannot be reached" in ran.stdout
    assert "3 did not pass: pub1: it cannot be reached; www1" in ran.stdout + ran.stderr

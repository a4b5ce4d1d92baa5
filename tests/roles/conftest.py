"""Some tasks of a role, run for this machine, with folders of the test in place of the host's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

Carry = Callable[..., int]


@pytest.fixture
def carry_out(tmp_path: Path) -> Carry:
    """Carries out a file of a role's tasks, with variables by name; tells how many tasks changed anything."""

    def run(role: str, tasks: str, **variables: str | int) -> int:
        folder = ROOT / "roles" / role
        play = {
            "name": "Carry it out",
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars_files": [str(folder / "defaults" / "main.yml"), str(folder / "vars" / "main.yml")],
            "tasks": [{"name": "Carry it out", "ansible.builtin.import_tasks": str(folder / "tasks" / tasks)}],
        }
        (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), "utf-8")
        words = [f"--extra-vars={name}={value}" for name, value in variables.items()]
        words += [f"--extra-vars=ansible_python_interpreter={sys.executable}", "play.yml"]
        environ = {"ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), *words],
            cwd=tmp_path,
            env=os.environ | environ,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return int(re.findall(r"changed=(\d+)", done.stdout)[0])

    return run

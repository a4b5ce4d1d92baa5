"""Some tasks of a role, run for this machine, with folders of the test in place of the host's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

Carry = Callable[..., int]


def _files(roles: Collection[str]) -> list[str]:
    files = [ROOT / "roles" / role / part / "main.yml" for part in ("defaults", "vars") for role in roles]
    return [str(file) for file in files if file.is_file()]


def _tasks(file: Path, only: Collection[str]) -> list[dict[str, Any]]:
    if not only:
        return [{"name": "Carry it out", "ansible.builtin.import_tasks": str(file)}]
    tasks = [task for task in yaml.safe_load(file.read_text("utf-8")) if task["name"] in only]
    assert {task["name"] for task in tasks} == set(only), f"{file} has no such tasks"
    return tasks


@pytest.fixture
def carry_out(tmp_path: Path) -> Carry:
    """Carries out a file of a role's tasks, or `only` those of some names, with variables by name.

    Tells how many tasks changed anything. `path` comes before the programs of the system; `fails` is what it is
    refused with; `vault` is a file with further variables and the file with the password that it is encrypted with.
    """

    def run(
        role: str,
        tasks: str,
        only: Collection[str] = (),
        path: Path | None = None,
        fails: str = "",
        vault: tuple[Path, Path] | None = None,
        **variables: Any,
    ) -> int:
        folder = ROOT / "roles" / role
        play = {
            "name": "Carry it out",
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars_files": _files(["appliance", role]),
            "tasks": _tasks(folder / "tasks" / tasks, only),
        }
        (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), "utf-8")
        given = {"ansible_python_interpreter": sys.executable, **variables}
        # What the role's own tasks find beside them.
        for part in ("templates", "files"):
            if (folder / part).is_dir() and not (tmp_path / part).exists():
                (tmp_path / part).symlink_to(folder / part)
        environ = {"ANSIBLE_HOME": str(tmp_path / "home"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"}
        environ["ANSIBLE_FILTER_PLUGINS"] = str(ROOT / "roles/appliance/filter_plugins")
        if path:
            environ["PATH"] = f"{path}:{os.environ['PATH']}"
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                f"--extra-vars={json.dumps(given, default=str)}",
                *([f"--extra-vars=@{vault[0]}", f"--vault-password-file={vault[1]}"] if vault else []),
                "play.yml",
            ],
            cwd=tmp_path,
            env=os.environ | environ,
            capture_output=True,
            text=True,
            timeout=240,
        )
        said = done.stdout + done.stderr
        (tmp_path / "said").write_text(said)
        assert (done.returncode != 0) == bool(fails), said
        assert " ".join(fails.split()) in " ".join(said.split()), said
        return int(re.findall(r"changed=(\d+)", done.stdout)[0])

    return run


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other accounts can reach; what pytest makes is closed to them."""
    with TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        yield Path(above)

"""A theme of the controller becomes the same on a publishing host; this machine stands for it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to root"),
]


@pytest.fixture
def bring(tmp_path: Path) -> Callable[[], int]:
    """Brings paper/ to settings/themes/paper; how much that changed."""
    play = {
        "name": "Bring it",
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [str(ROOT / "roles/publisher/vars/main.yml")],
        "vars": {
            "ansible_python_interpreter": sys.executable,
            "appliance_settings_folder": str(tmp_path / "settings"),
            "publisher_theme": str(tmp_path / "paper"),
        },
        "tasks": [{"name": "Bring it", "ansible.builtin.import_tasks": str(ROOT / "roles/publisher/tasks/themes.yml")}],
    }
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]), "utf-8")
    environ = {
        **os.environ,
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }

    def run() -> int:
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml"]
        done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return int(re.findall(r"changed=(\d+)", done.stdout)[0])

    return run


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_it_is_the_same_after_each_change(tmp_path: Path, bring: Callable[[], int]) -> None:
    theme, there = tmp_path / "paper", tmp_path / "settings/themes/paper"
    shutil.copytree(ROOT / "appliance/themes/default", theme)
    (theme / "static/old").mkdir(parents=True)
    (theme / "static/old/.hidden.css").write_text("a {}")
    (theme / "static/old.css").write_text("b {}")
    assert bring() > 0
    assert files(there) == files(theme)
    assert bring() == 0

    shutil.rmtree(theme / "static/old")
    (theme / "static/old.css").rename(theme / "static/new.css")
    beside = there.parent / "mine.txt"
    beside.write_text("of the host")
    assert bring() > 0
    assert files(there) == files(theme)
    assert not (there / "static/old").exists()
    assert beside.read_text() == "of the host", "what Ansible did not bring stays"
    assert bring() == 0

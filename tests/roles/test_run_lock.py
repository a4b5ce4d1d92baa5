"""The file that keeps runs by a timer or by cron apart can be opened by the account, whoever else has had it open."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import jinja2
import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
#: An account that is not root.
ACCOUNT = 65534


@pytest.fixture
def home() -> Iterator[Path]:
    """The account's own folder, where the account can reach it: what pytest makes is closed to others."""
    with TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        folder = Path(above) / "home"
        folder.mkdir()
        yield folder


def test_a_restore_makes_none(tmp_path: Path, home: Path) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\n")
    systemctl.chmod(0o755)
    tasks = yaml.safe_load((ROLES / "backup" / "tasks" / "stop.yml").read_text("utf-8"))
    script = tasks[-1]["ansible.builtin.command"]["argv"][2]
    environ = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for _ in range(2):
        subprocess.run(["sh", "-ec", script, "stop", str(home)], env=environ, check=True, timeout=20)
        assert list(home.iterdir()) == []
        (home / "run.lock").touch()  # and is content with one that is there
        subprocess.run(["sh", "-ec", script, "stop", str(home)], env=environ, check=True, timeout=20)
        (home / "run.lock").unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file that is root's, and run as another account")
@pytest.mark.parametrize("owner", [None, 0, ACCOUNT], ids=["none", "root's", "the account's"])
def test_a_run_opens_it(home: Path, owner: int | None) -> None:
    os.chown(home, ACCOUNT, ACCOUNT)
    lock = home / "run.lock"
    if owner is not None:
        lock.touch(0o644)
        os.chown(lock, owner, owner)
    text = jinja2.Template((ROLES / "schedule" / "templates" / "appliance-run.j2").read_text("utf-8")).render(
        appliance_home=home, appliance_settings_folder=home
    )
    script = home.parent / "appliance-run"
    script.write_text(text.replace("/opt/appliance/current/bin/appliance", "echo"))
    account = ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", "--"]
    done = subprocess.run([*account, "sh", str(script)], capture_output=True, text=True, timeout=20, cwd="/")
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["periodic", "publish", "drain"], "")
    assert lock.stat().st_uid == ACCOUNT

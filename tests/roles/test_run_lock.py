"""The file that keeps runs by a timer or by cron apart can be opened by the account, whoever else has had it open."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.roles.rendering import render

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as another account")

#: An account that is not root.
ACCOUNT = 65534


@pytest.fixture
def home(place: Path) -> Path:
    """The account's own folder."""
    folder = place / "home"
    folder.mkdir()
    os.chown(folder, ACCOUNT, ACCOUNT)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("is_there", [False, True])
def test_a_restore_waits_for_it_and_makes_none(home: Path, carry_out: Callable[..., int], is_there: bool) -> None:
    if is_there:
        (home / "run.lock").touch()
    carry_out("backup", "stop_services.yml", {"Wait until cron's run has ended"}, appliance_home=home,
              appliance_uid=ACCOUNT, appliance_gid=ACCOUNT)  # fmt: skip
    assert [file.name for file in home.iterdir()] == ["run.lock"] * is_there


@pytest.mark.parametrize("owner", [None, 0, ACCOUNT], ids=["none", "root's", "the account's"])
def test_a_run_opens_it(home: Path, owner: int | None) -> None:
    lock = home / "run.lock"
    if owner is not None:
        lock.write_text("kept")
        lock.chmod(0o644)
        os.chown(lock, owner, owner)
    text = render(
        "schedule/appliance-run.j2",
        appliance_home=str(home),
        appliance_settings_folder=str(home),
        appliance_uid=ACCOUNT,
    )
    script = home.parent / "appliance-run"
    script.write_text(text.replace("/opt/appliance/current/bin/appliance", "echo"))
    account = ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", "--"]
    done = subprocess.run([*account, "sh", str(script)], capture_output=True, text=True, timeout=20, cwd="/")
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["periodic", "publish", "drain"], "")
    assert lock.stat().st_uid == ACCOUNT
    assert lock.read_text() == ("kept" if owner == ACCOUNT else ""), "what is there is not written over"

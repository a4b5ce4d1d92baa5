"""The command that runs the web process by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.web.program import Program

COMMAND = [sys.executable, "-c", "from appliance.tasks import main; main()"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="it is tried as root")


def serve(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, "serve", f"--settings={folder}/web.toml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@needs_root
def test_root_is_refused_with_the_command_that_does(tmp_path: Path) -> None:
    (tmp_path / "web.toml").write_text('path = "/-/"\n')
    ended = serve(tmp_path)
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.startswith("a web process must not run as root")
    assert "setpriv --reuid=appliance-web" in ended.stderr
    assert not (tmp_path / "run").exists()


def test_the_program_is_found_again_by_the_command_that_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "appliance"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "orig_argv", ["/opt/one/bin/python3", str(script), "serve", "--settings=serve"])
    monkeypatch.setattr(sys, "argv", [str(script), "serve", "--settings=serve"])
    assert Program.of_task("serve") == Program((str(script),), ("serve", "--settings=serve"))
    monkeypatch.setattr(sys, "orig_argv", ["python", "-P", "-m", "devtools", "serve"])
    monkeypatch.setattr(sys, "argv", ["/srv/devtools/__main__.py", "serve"])
    assert Program.of_task("serve") == Program((sys.executable, "-P", "-m", "devtools"), ("serve",))


def test_a_release_that_is_led_to_by_another_link_is_another(tmp_path: Path) -> None:
    for release in ("one", "two"):
        (tmp_path / release).write_text("")
    current = tmp_path / "current"
    current.symlink_to("one")
    program = Program((str(current),), ())
    before = program.release()
    assert program.release() == before
    current.unlink()
    assert program.release() != before
    current.symlink_to("two")
    assert program.release() not in (before, None)

"""What the checks run is waited for, however it is ended."""

from __future__ import annotations

import fnmatch
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

CHILD = """
import signal, sys, time
def end(number, frame):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, end)
try:
    print("ready", flush=True)
    time.sleep(60)
finally:
    time.sleep(0.6)  # longer than subprocess.run waits after an interruption
    print("tidied", flush=True)
"""
PARENT = "import sys; from devtools.checks import run_child; sys.exit(run_child(sys.argv[1:]))"


@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_what_is_interrupted_tidies_up(number: signal.Signals, to_all: bool) -> None:
    command = [sys.executable, "-c", PARENT, sys.executable, "-c", CHILD]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        if to_all:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        assert process.stdout.read() == "tidied\n"
        assert process.wait(20) != 0


def test_every_name_kept_from_vulture_is_needed() -> None:
    allowed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["vulture"]["ignore_names"]
    command = [sys.executable, "-m", "vulture", "--ignore-names=nothing"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert found.stderr == ""
    unused = re.findall(r"unused \w+ '(\w+)'", found.stdout)
    needless = [name for name in allowed if not fnmatch.filter(unused, name)]
    assert not needless, "delete these from ignore_names of [tool.vulture] in pyproject.toml"

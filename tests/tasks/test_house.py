"""What the checks run is waited for, however it is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

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
PARENT = "import sys; from appliance.tasks.house import attend; sys.exit(attend(sys.argv[1:]))"


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

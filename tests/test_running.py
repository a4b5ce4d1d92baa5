"""The processes of a publishing host: who counts as dead."""

from __future__ import annotations

import os
import signal
import subprocess

from appliance import db
from appliance.config import Config
from appliance.queue import store
from appliance.queue.store import Request
from appliance.running import host


def test_a_killed_process_nobody_has_reaped_yet_holds_no_jobs(config: Config) -> None:
    store.enqueue("publish", [Request("a"), Request("b")], ageing=60)
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        for worker in (sleeper.pid, os.getpid()):
            assert store.claim(f"{config.host_name}:{worker}", ["publish"], 1, 1000.0)
        host.rescue_dead(config)
        assert len(store.holders()) == 2
        sleeper.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the process table
        host.rescue_dead(config)
        assert store.holders() == [f"{config.host_name}:{os.getpid()}"]
    finally:
        sleeper.kill()
        sleeper.wait()
    rows = db.execute("SELECT failures FROM job WHERE state = 'pending'").fetchall()
    assert [tuple(row) for row in rows] == [(1,)]

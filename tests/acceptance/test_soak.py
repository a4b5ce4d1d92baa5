"""A short fault run with a fixed seed; `./inv soak` is the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.demo.frontend import require_programs
from appliance.errors import DeliveryError
from tests import postgresql

ROOT = Path(__file__).resolve().parents[2]

#: Slow enough for a machine that does much else besides: what is checked is the same.
ORDER = ("--seconds=60", "--seed=4", "--rate=5", "--gap=4.2")

pytestmark = pytest.mark.slow


def test_every_front_end_converges_whatever_happens_to_it() -> None:
    if not postgresql.installed():
        pytest.skip("PostgreSQL's server programs are not installed (Debian: postgresql)")
    try:
        require_programs()
    except DeliveryError as error:
        pytest.skip(str(error))
    run = subprocess.run(
        [sys.executable, "-m", "tests.soak", *ORDER],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=400,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "nothing was wrong" in run.stdout

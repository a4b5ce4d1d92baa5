"""One publishing host that works now and then, and one front end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

SCENARIO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCENARIO.parent / "shared"))

from operating import Cluster  # noqa: E402


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster(SCENARIO)

"""A file server, a publishing host and a front end that share one docroot."""

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

"""One cluster for all days, readers who look at it throughout, and a line on what each step took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "shared"))

from operating import Cluster, Editor
from reading import Readers

SCENARIO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster(SCENARIO)


@pytest.fixture(scope="session")
def readers() -> Iterator[Readers]:
    """Who looks at all front ends in service until the last day is over, and has seen nothing wrong."""
    readers = Readers()
    yield readers
    readers.end()


@pytest.fixture(scope="session")
def editor(cluster: Cluster) -> Editor:
    return Editor(cluster, "/clockwork/", "clockwork")


@pytest.fixture(autouse=True)
def step(request: pytest.FixtureRequest, readers: Readers) -> Iterator[None]:
    """Say what a step took; the readers have seen nothing wrong in it."""
    began = time.monotonic()
    yield
    what = (request.function.__doc__ or request.node.name).strip().splitlines()[0]
    print(f"\n{time.monotonic() - began:6.1f} s  {what}", flush=True)
    assert not readers.faults, f"{len(readers.faults)} times, first: {readers.faults[:5]}"

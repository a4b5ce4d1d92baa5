"""One publishing host and three front ends, with blogs on them."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

SCENARIO = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCENARIO.parent / "shared"))

from operating import CHECKOUT, Cluster  # noqa: E402

#: What the appliance comes with, and a blog that nobody here wrote, where it is at hand.
BLOGS = {
    "town": CHECKOUT / "appliance" / "demo" / "content",
    "rust": CHECKOUT.parent / "shared" / "data" / "rust-blog",
}


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster(SCENARIO)


@pytest.fixture(scope="session")
def published(cluster: Cluster) -> Cluster:
    """The cluster, once the blogs have been imported, published and brought to all front ends by three commands."""
    (publisher,) = cluster.publishers
    for site, folder in BLOGS.items():
        if not folder.is_dir():
            print(f"\n{folder} is not there: published without the real blog", end="")
            continue
        cluster.bring(folder, publisher, f"/srv/{site}")
        _say(cluster, "content.import", f"/srv/{site}", "--site", site)
    _say(cluster, "publish")
    _say(cluster, "drain")
    return cluster


def _say(cluster: Cluster, *words: str) -> None:
    began = time.monotonic()
    said = cluster.appliance(cluster.publishers[0], *words).strip().splitlines()
    print(f"\n{time.monotonic() - began:6.1f} s  {' '.join(words)}: {said[-1] if said else ''}", end="")

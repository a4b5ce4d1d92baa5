"""Many comments on one entry: taken in batches, its page built seldom, and the last build shows all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import comments, queue
from bench.queueing.burst import Burst, burst
from tests.postgresql import Server

pytestmark = pytest.mark.slow

_NUMBER = 600


def _taken(folder: Path, url: str | None, batch: int) -> Burst:
    with queue.opened(comments.settings(folder, url)) as made:
        return burst(made, number=_NUMBER, posts=3, batch=batch)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_batches_are_taken_faster_than_one_by_one(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    server: Server | None = request.getfixturevalue("postgres") if kind == "postgresql" else None
    for _ in range(3):  # beside whatever else this machine does
        found = [_taken(tmp_path, server.fresh() if server else None, batch) for batch in comments.BATCHES]
        batch, single = found
        assert (batch.shown, single.shown) == (_NUMBER, _NUMBER)
        assert batch.builds < _NUMBER / 20
        if batch.seconds < single.seconds:
            return
    raise AssertionError([str(one) for one in found])

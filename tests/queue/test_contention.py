"""Eight workers and four who ask, at once, on one queue."""

from __future__ import annotations

import pytest

from appliance.config import Config
from bench.queueing import contention


@pytest.mark.slow
def test_none_is_lost_and_none_done_twice_whoever_comes_at_once(database: Config) -> None:
    verdict = contention.contend(database, seconds=5)
    print(verdict)
    assert verdict.faults == []
    counts = verdict.account.counts
    assert counts["collisions"] == 0, "nothing here waits for what waits for it"
    for what in ("runs done", "runs failed", "runs released", "runs refused", "rescued", "answers follow-up"):
        assert counts[what] > 0, f"the test no longer sees {what}"

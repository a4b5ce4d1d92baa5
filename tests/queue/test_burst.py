"""A thousand comments on one entry, with real workers."""

from __future__ import annotations

import pytest

from appliance.config import Config
from bench.queueing.burst import burst


@pytest.mark.slow
def test_a_burst_of_comments_is_few_builds_and_the_last_shows_all_of_them(database: Config) -> None:
    result = burst(database, number=1000)
    print(result)
    assert result.shown == 1000
    assert result.builds < 100

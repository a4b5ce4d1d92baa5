"""What a change costs until it is on the front ends: the budget of many at once, and against the naive way."""

from __future__ import annotations

import pytest

from bench import delivery


@pytest.mark.slow
def test_a_hundred_files_cost_at_most_three_times_one() -> None:
    for _ in range(3):  # medians of a few, beside whatever else this machine does
        single, hundred, naive = delivery.measure(2, 5, 1, delivery.MEMORY)
        if hundred <= 3 * single and single < naive:
            return
    raise AssertionError((single, hundred, naive))


@pytest.mark.slow
def test_an_edit_does_not_wait_for_a_front_end_that_joins() -> None:
    found = delivery.join(8_000, 3, delivery.MEMORY)
    assert len(found.edits) >= 2
    assert min(found.edits) < found.whole / 2

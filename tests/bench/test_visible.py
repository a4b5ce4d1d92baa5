"""Readers see their comments soon, alone and many at once: as ratios of one run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import astuple
from functools import partial

import pytest

from bench import visible
from bench.commenting import timeline
from tests.web_stack import WebStack, web_stack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with web_stack(tmp_path_factory.mktemp("stack"), fronts=1) as running:
        yield running


def test_ten_comments_at_once_are_seen_in_less_than_the_time_of_seven(stack: WebStack) -> None:
    """They share the saving, the plan, the build and the push."""
    reader = partial(visible.ready, stack)
    alone = visible.one_after_another(reader, "first", 8, lambda _seen: None)
    together = visible.at_once(reader, ["second"] * 10, 20)
    medians = [statistics.median(seen.seconds for seen in several) for several in (alone, together)]
    assert medians[1] < 7 * medians[0]


def test_the_steps_of_a_comment_follow_one_another(stack: WebStack) -> None:
    """Each was found, and is that of this comment."""
    found = []

    def report(seen: timeline.Seen) -> None:
        found.append((seen, timeline.steps(stack, "third", seen)))

    visible.one_after_another(partial(visible.ready, stack), "third", 3, report)
    for seen, steps in found:
        assert all(seconds > -0.002 for seconds in astuple(steps)), str(steps)
        assert sum(astuple(steps)) == pytest.approx(seen.seconds)

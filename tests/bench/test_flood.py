"""A short flood within a running site: limits hold, everybody is answered, nothing is lost, and others go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench import flood
from tests.web_stack import WebStack, web_stack

pytestmark = pytest.mark.slow

#: From one address, and from 50: each twice, since memory grows to what a first flood needs.
FLOODS = ((1, 1), (50, 10), (1, 1), (50, 10))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    folder = tmp_path_factory.mktemp("stack")
    with web_stack(folder, fronts=1, comments=flood.LIMITS, slugs=flood.slugs(FLOODS)) as running:
        yield running


@pytest.mark.conformance("D5")
def test_a_flood_keeps_within_the_limits_and_nobody_else_waits(stack: WebStack) -> None:
    sizes = []
    for number, (addresses, entries) in enumerate(FLOODS):
        outcome = flood.flood(stack, number, addresses, entries, rate=400, seconds=3)
        answers = outcome.flood.by_status
        assert set(answers) == {303, 429}, str(outcome)
        assert answers[303] == outcome.accepted <= addresses * flood.LIMITS["rate"], str(outcome)
        assert outcome.most_of_network <= flood.LIMITS["rate"]
        assert outcome.most_of_entry <= flood.LIMITS["entry_rate"]
        assert (outcome.lost, outcome.unseen) == (0, 0), str(outcome)
        probed = outcome.probed["a form"]
        assert probed.refused == 0
        # Alone, a form takes a few milliseconds. A queue of all that was sent would take seconds.
        assert probed.median < 0.5, str(outcome)
        sizes.append(flood.memory(stack))
    for process in ("intake", "web process"):
        assert sizes[3][process] < 1.15 * sizes[1][process], sizes

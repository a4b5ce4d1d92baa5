"""Histograms: how exact their quantiles are, and that they add up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.history.histogram import Histogram

SECONDS = st.floats(0.001, 100_000)


def of(durations: list[float]) -> Histogram:
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    return histogram


@given(st.lists(SECONDS, min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_less_than_five_per_cent_off(durations: list[float], share: float) -> None:
    exact = sorted(durations)[max(1, math.ceil(share * len(durations))) - 1]
    found = of(durations).quantile(share)
    assert found is not None
    assert abs(found / exact - 1) < 0.05


@given(st.lists(SECONDS), st.lists(SECONDS))
def test_histograms_add_up_to_that_of_all_durations(one: list[float], two: list[float]) -> None:
    assert Histogram.sum([of(one), of(two)]) == of(one + two)


@given(st.lists(SECONDS))
def test_a_histogram_is_read_as_it_was_written(durations: list[float]) -> None:
    assert Histogram.decode(of(durations).encode()) == of(durations)


def test_nothing_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None


@pytest.mark.parametrize("seconds", [0.0, -3.0, 0.0004])
def test_less_than_a_millisecond_counts_as_one(seconds: float) -> None:
    assert of([seconds]).quantile(0.5) == 0.001

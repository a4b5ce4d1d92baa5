"""Slices follow the time that writing takes, so that no transaction lasts long."""

from __future__ import annotations

import pytest

from appliance import clock
from appliance.importing.short_slices import FEWEST, SECONDS, ShortSlices


def _sizes(monkeypatch: pytest.MonkeyPatch, slices: ShortSlices, number: int, seconds_each: float) -> list[int]:
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    sizes, seen = [], list[int]()
    for some in slices.of(range(number)):
        sizes.append(len(some))
        seen += some
        now[0] += seconds_each * len(some)
    assert seen == list(range(number))
    return sizes


def test_slices_grow_while_writing_is_quick_and_shrink_when_it_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    slices = ShortSlices(200)
    assert max(_sizes(monkeypatch, slices, 2000, SECONDS / 10_000)) == 200
    slow = _sizes(monkeypatch, slices, 600, SECONDS / 50)
    assert slow[0] == 200
    assert {49, 50} >= set(slow[1:-1])
    assert set(_sizes(monkeypatch, slices, 200, SECONDS)[1:-1]) == {FEWEST}
    assert _sizes(monkeypatch, slices, 0, 1.0) == []

"""Cursors only move forward, and tell how far behind a target is."""

from __future__ import annotations

import pytest

from appliance import clock
from appliance.delivery import cursors, target_state

from .conftest import ORIGIN, Publisher


def test_a_target_without_a_cursor_has_confirmed_nothing(publisher: Publisher) -> None:
    target = publisher.local("copy")
    publisher.put("a", "a")
    state = target_state.read(target)
    assert cursors.read(target, ORIGIN) == state.confirmed == 0
    assert (state.level, state.waiting, state.pushed_at) == (False, 1, None)


def test_a_cursor_never_moves_back(publisher: Publisher) -> None:
    target = publisher.local("copy")
    cursors.confirm(target, ORIGIN, 7)
    cursors.confirm(target, ORIGIN, 5)
    assert cursors.read(target, ORIGIN) == 7


def test_a_failure_keeps_the_cursor_and_a_success_clears_the_failure(publisher: Publisher) -> None:
    target = publisher.local("copy")
    cursors.confirm(target, ORIGIN, 1, files=3, bytes=99, seconds=0.5)
    cursors.record_failure(target, ORIGIN, "it broke")
    publisher.put("a", "a")
    state = target_state.read(target)
    assert (state.error, state.confirmed, state.files, state.bytes, state.seconds) == (
        "it broke",
        1,
        3,
        99,
        0.5,
    )
    cursors.confirm(target, ORIGIN, 2)
    state = target_state.read(target)
    assert (state.error, state.confirmed, state.files) == (None, 2, 3)


def test_lag_is_the_age_of_the_oldest_unconfirmed_publication(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = publisher.local("copy")
    began = clock.now()
    now = [began]
    monkeypatch.setattr("time.time", lambda: now[0])
    publisher.put("a", "a")
    now[0] += 30
    publisher.put("b", "b")
    publisher.put("b", "b again")
    now[0] += 12
    state = target_state.read(target)
    assert (round(state.lag), state.waiting) == (42, 2)
    cursors.confirm(target, ORIGIN, 1)
    assert (round(target_state.read(target).lag), target_state.read(target).waiting) == (12, 1)
    cursors.confirm(target, ORIGIN, 3)
    assert (target_state.read(target).lag, target_state.read(target).level) == (0, True)

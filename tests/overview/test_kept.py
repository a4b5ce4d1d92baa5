"""Values are made once for many, and seldom if they are dear."""

from __future__ import annotations

import threading

import pytest

from appliance.overview.kept import Kept


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, which the test sets."""
    moment = [100.0]
    monkeypatch.setattr("appliance.overview.kept.clock.monotonic", lambda: moment[0])
    return moment


def test_a_value_is_made_anew_after_its_time(now: list[float]) -> None:
    kept: Kept[float] = Kept(2.0)
    assert [kept.get("one", lambda: now[0]), kept.get("two", lambda: 7.0)] == [100.0, 7.0]
    now[0] = 101.9
    assert kept.get("one", lambda: now[0]) == 100.0
    now[0] = 102.0
    assert kept.get("one", lambda: now[0]) == 102.0


@pytest.mark.parametrize(("took", "kept_for"), [(0.001, 2.0), (0.05, 5.0), (0.125, 12.5), (4.0, 15.0)])
def test_a_dear_value_is_kept_for_a_hundred_times_as_long_as_it_took(
    now: list[float], took: float, kept_for: float
) -> None:
    """But no longer than one wants to look at it."""
    kept: Kept[int] = Kept(2.0)

    def make() -> int:
        now[0] += took
        return 1

    kept.get("one", make)
    now[0] += kept_for - 0.1
    assert kept.get("one", lambda: 2) == 1
    now[0] += 0.2
    assert kept.get("one", lambda: 2) == 2


def test_several_threads_have_a_value_made_once() -> None:
    kept: Kept[int] = Kept(60.0)
    begun, made = threading.Barrier(8), list[int]()

    def look() -> None:
        begun.wait()
        kept.get("one", lambda: made.append(1) or 1)  # type: ignore[func-returns-value]

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_what_failed_is_not_kept(now: list[float]) -> None:
    assert now
    kept: Kept[float] = Kept(60.0)
    with pytest.raises(ZeroDivisionError):
        kept.get("one", lambda: 1 / 0)
    assert kept.get("one", lambda: 1.0) == 1.0

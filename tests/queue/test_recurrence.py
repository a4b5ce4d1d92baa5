"""Due times follow from the rule alone."""

from __future__ import annotations

import typing
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.services import Interval
from appliance.queue.recurrence import CRONTAB, At, Every, Rule, rule_for

BERLIN = ZoneInfo("Europe/Berlin")
INTERVALS = [name for name in typing.get_args(Interval) if name != "never"]


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def text(moment: float, zone: ZoneInfo = BERLIN) -> str:
    return datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M:%S %z")


@pytest.mark.conformance("B11")
@pytest.mark.parametrize(
    ("interval", "latest", "following"),
    [
        ("5m", "2026-11-22 14:55", "2026-11-22 15:00"),
        ("10m", "2026-11-22 14:50", "2026-11-22 15:00"),
        ("30m", "2026-11-22 14:30", "2026-11-22 15:00"),
        ("hourly", "2026-11-22 14:00", "2026-11-22 15:00"),
        ("2h", "2026-11-22 14:00", "2026-11-22 16:00"),
        ("6h", "2026-11-22 12:00", "2026-11-22 18:00"),
        ("12h", "2026-11-22 12:00", "2026-11-23 00:00"),
        ("daily", "2026-11-22 03:30", "2026-11-23 03:30"),
        ("weekly", "2026-11-16 03:30", "2026-11-23 03:30"),
        ("monthly", "2026-11-01 03:30", "2026-12-01 03:30"),
    ],
)
def test_the_ready_made_intervals(interval: Interval, latest: str, following: str) -> None:
    utc, now = ZoneInfo("UTC"), at("2026-11-22 14:59:59", ZoneInfo("UTC"))
    found = rule_for(interval, "03:30")
    assert found is not None
    assert (found.latest(now), found.next_after(now)) == (at(latest, utc), at(following, utc))
    assert interval in CRONTAB


def test_never_is_never() -> None:
    assert rule_for("never") is None
    assert set(CRONTAB) == set(INTERVALS)


RULES: list[Rule] = [
    Every(300), Every(43_200), At("daily", 2, 30, BERLIN), At("weekly", 0, 0, BERLIN, weekday=6),
    At("monthly", 23, 59, BERLIN, day=31), At("daily", 0, 0, ZoneInfo("America/Sao_Paulo")),
    At("monthly", 0, 30, ZoneInfo("Australia/Lord_Howe")), At("daily", 12, 0, ZoneInfo("Pacific/Apia")),
]  # fmt: skip


@pytest.mark.parametrize("found", RULES, ids=repr)
@given(now=st.floats(1.2e9, 2.0e9))
def test_latest_and_following_agree(found: Rule, now: float) -> None:
    latest, following = found.latest(now), found.next_after(now)
    assert latest <= now < following
    assert found.latest(latest) == latest
    assert found.next_after(latest) == following
    assert found.latest(following - 1) == latest


def test_a_time_the_clocks_skip_is_later_and_one_that_comes_twice_counts_once() -> None:
    daily = At("daily", 2, 30, BERLIN)
    spring = daily.next_after(at("2026-03-28 12:00"))
    assert text(spring) == "2026-03-29 03:30:00 +0200"
    assert text(daily.next_after(spring)) == "2026-03-30 02:30:00 +0200"
    autumn = daily.next_after(at("2026-10-24 12:00"))
    assert text(autumn) == "2026-10-25 02:30:00 +0200"
    assert text(daily.next_after(autumn)) == "2026-10-26 02:30:00 +0100"


def test_the_31st_is_the_last_day_of_a_shorter_month() -> None:
    monthly = At("monthly", 12, 0, BERLIN, day=31)
    found = [at("2028-01-31 12:00")]
    for _ in range(4):
        found.append(monthly.next_after(found[-1]))
    assert [text(moment)[5:10] for moment in found] == ["01-31", "02-29", "03-31", "04-30", "05-31"]

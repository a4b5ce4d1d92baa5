"""A target has one courier at a time, by the database's clock, on each database."""

from __future__ import annotations

import pytest

from appliance import clock, db
from appliance.config import Config
from appliance.delivery import leases
from appliance.errors import LeaseLost


def test_one_holder_at_a_time(database: Config) -> None:
    first = leases.take("front1", "one:1")
    assert first is not None and first.running and leases.holder_of("front1") == "one:1"
    assert leases.take("front1", "two:1") is None
    assert leases.take("front2", "two:1") is not None, "each target has its own"
    leases.give_back(first)
    second = leases.take("front1", "two:1")
    assert second is not None and second.number > first.number
    leases.give_back(first)
    assert leases.holder_of("front1") == "two:1", "who lost it gives nothing back"


def test_what_ran_out_is_taken_over_and_its_holder_refused(database: Config) -> None:
    first = leases.take("front1", "one:1")
    assert first is not None
    db.backend().now_at(leases.LASTS + 1)
    with pytest.raises(LeaseLost, match="another courier"):
        leases.keep(first)
    assert leases.take("front1", "two:1")
    for act in (leases.keep, leases.require):
        with pytest.raises(LeaseLost), db.write():
            act(first)


def test_a_kept_lease_does_not_run_out(database: Config) -> None:
    lease = leases.take("front1", "one:1")
    assert lease is not None
    for moment in (0.9, 1.8, 2.7):
        db.backend().now_at(leases.LASTS * moment)
        lease = leases.keep(lease)
        assert leases.take("front1", "two:1") is None
        with db.write():
            leases.require(lease)


def test_a_holder_stops_before_another_can_begin(database: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = leases.take("front1", "one:1")
    assert lease is not None
    began = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: began + leases.LASTS - leases.MARGIN)
    assert not lease.running


def test_a_successor_on_the_same_host_need_not_wait(database: Config) -> None:
    leases.take("front1", "one:1")
    leases.take("front2", "one-more:1")
    leases.forget("one")
    assert leases.take("front1", "one:2")
    assert leases.take("front2", "one:2") is None

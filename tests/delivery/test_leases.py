"""A target has one courier at a time, by the database's clock, on each database."""

from __future__ import annotations

import pytest

from appliance import clock, db
from appliance.config import Config
from appliance.delivery import leases
from appliance.errors import TargetLeaseLost


def test_one_holder_at_a_time(database: Config) -> None:
    first = leases.take("front1", "one:1")
    assert first is not None and first.is_valid and leases.holder_of("front1") == "one:1"
    assert leases.take("front1", "two:1") is None
    assert leases.take("front2", "two:1") is not None, "each target has its own"
    leases.release(first)
    second = leases.take("front1", "two:1")
    assert second is not None and second.number > first.number
    leases.release(first)
    assert leases.holder_of("front1") == "two:1", "who lost it gives nothing back"


def test_an_expired_lease_is_taken_over_and_its_holder_refused(database: Config) -> None:
    first = leases.take("front1", "one:1")
    assert first is not None
    db.backend().now_at(leases.DURATION + 1)
    with pytest.raises(TargetLeaseLost, match="another courier"):
        leases.renew(first)
    assert leases.take("front1", "two:1")
    for act in (leases.renew, leases.require):
        with pytest.raises(TargetLeaseLost), db.write():
            act(first)


def test_a_renewed_lease_does_not_run_out(database: Config) -> None:
    lease = leases.take("front1", "one:1")
    assert lease is not None
    for moment in (0.9, 1.8, 2.7):
        db.backend().now_at(leases.DURATION * moment)
        lease = leases.renew(lease)
        assert leases.take("front1", "two:1") is None
        with db.write():
            leases.require(lease)


def test_a_holder_stops_before_another_can_begin(database: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = leases.take("front1", "one:1")
    assert lease is not None
    began = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: began + leases.DURATION - leases.MARGIN)
    assert not lease.is_valid


def test_a_successor_on_the_same_host_need_not_wait(database: Config) -> None:
    leases.take("front1", "one:1")
    leases.take("front2", "one-more:1")
    leases.release_host("one")
    assert leases.take("front1", "one:2")
    assert leases.take("front2", "one:2") is None

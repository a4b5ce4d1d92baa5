"""Reads that take too long are ended by the database, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from peewee import DatabaseError

from appliance import clock, db
from appliance.config import Config
from appliance.db.time_limit import TimeLimitExceeded, read_within

COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT MAX(i) FROM n"


def count(last: int) -> Any:
    return db.execute(COUNT.format(last)).fetchone()[0]


def test_what_takes_too_long_is_ended(database: Config) -> None:
    began = clock.monotonic()
    with pytest.raises(TimeLimitExceeded) as ended:
        read_within(0.2, lambda: count(10**12))
    assert 0.2 <= clock.monotonic() - began < 2
    assert not db.is_unavailable(ended.value)
    assert read_within(0.2, lambda: count(1000)) == 1000


def test_the_limit_is_of_this_read_alone(database: Config) -> None:
    read_within(0.01, lambda: count(10))
    began = clock.monotonic()
    assert count(200_000) == 200_000
    assert clock.monotonic() - began > 0.02, "the limit would not have been reached"


def test_other_errors_stay_what_they_are(database: Config) -> None:
    with pytest.raises(ZeroDivisionError):
        read_within(0.2, lambda: 1 // 0)
    with pytest.raises(DatabaseError, match="nothing_of_this_name"):
        read_within(0.2, lambda: db.execute("SELECT nothing_of_this_name"))
    assert read_within(0.2, lambda: count(10)) == 10

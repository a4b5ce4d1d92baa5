"""What tests of the queue share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance import clock, db
from tests.conftest import MakeConfig

_CLOCK = """
CREATE OR REPLACE FUNCTION appliance_now() RETURNS double precision LANGUAGE sql VOLATILE AS $$
    SELECT current_setting('appliance.clock_offset')::double precision
$$
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def still_clock(
    request: pytest.FixtureRequest, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Each database, with a clock that moves only when told to."""
    if request.param == "sqlite":
        monkeypatch.setattr(clock, "now", lambda: 0.0)
        opened = db.connect(make_config())
    else:
        opened = db.connect(make_config(database=request.getfixturevalue("postgres").fresh()))
        opened.execute_sql(_CLOCK)
    db.backend().now_at(0.0)
    yield
    opened.close()

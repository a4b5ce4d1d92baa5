"""What tests of every room share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings

from appliance import db
from appliance.config import Config, check
from tests import postgresql

# The same examples on every machine: a change is judged by what it does, not by luck. More of them, and others, are
# tried by hand with APPLIANCE_EXAMPLES or --hypothesis-seed.
hypothesis_settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis_settings.load_profile("steady")


# Whoever starts the tests in the background may have made them deaf to Ctrl-C, and with them all they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, _frame: FrameType | None) -> None:
    """Whoever ends the tests has them end their servers; once, however often it is said. Forks end at once, as ever."""
    if os.getpid() != _TESTS:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


_TESTS = os.getpid()
signal.signal(signal.SIGTERM, _end)


#: Content nobody here wrote, to measure with; tests that use it skip where it is absent.
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

MakeConfig = Callable[..., Config]


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """Makes a Config whose folders are all below `tmp_path`; keyword arguments are further settings."""

    def make(**settings: Any) -> Config:
        site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}
        raw = {"docroot": str(tmp_path / "www"), "sites": [site], **settings}
        return check(raw, tmp_path / "appliance.toml")

    return make


@pytest.fixture
def config(make_config: MakeConfig) -> Iterator[Config]:
    """One site, `blog`, at the top of a docroot, in a database that is connected until the test ends."""
    settings = make_config()
    opened = db.connect(settings)
    yield settings
    opened.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgresql.Server]:
    """A PostgreSQL server of the session's own; `fresh()` gives the URL of an empty database."""
    if not postgresql.installed():
        pytest.skip("PostgreSQL's server programs are not installed (Debian: postgresql)")
    with postgresql.Server() as server:
        yield server


@pytest.fixture(scope="session")
def _postgres_url(postgres: postgresql.Server) -> str:
    """The one database on it that tests share, one after the other."""
    return postgres.fresh()


EMPTY = """
DO $$ DECLARE names text; BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    SELECT string_agg(quote_ident(tablename), ', ') INTO names FROM pg_tables
    WHERE schemaname = 'public' AND tablename NOT LIKE '%migration%';
    IF names IS NOT NULL THEN EXECUTE 'TRUNCATE ' || names || ' RESTART IDENTITY CASCADE'; END IF;
END $$
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, make_config: MakeConfig) -> Iterator[Config]:
    """The installation of `config` on each database in turn: empty, connected until the test ends.

    Processes that the test starts open it by `db.open_database`.
    """
    if request.param == "sqlite":
        settings = make_config()
    else:
        url = request.getfixturevalue("_postgres_url")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(EMPTY)
        settings = make_config(database=url)
    opened = db.connect(settings)
    yield settings
    opened.close()

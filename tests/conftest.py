"""Fixtures for tests of every room."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import psycopg
import pytest
from hypothesis import settings as hypothesis_settings
from xdist.workermanage import NodeManager, WorkerController

from appliance import db
from appliance.config import Config, validate
from tests import postgresql, tables
from tests.query_plans import guard

# The same examples on every machine: a change is judged by what it does, not by luck. More of them, and others, are
# tried by hand with APPLIANCE_EXAMPLES or --hypothesis-seed.
hypothesis_settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis_settings.load_profile("steady")


# Whoever starts the tests in the background may have made them deaf to Ctrl-C, and with them all they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, _frame: FrameType | None) -> None:
    """Let the tests end their servers when a signal ends the run, once for any number of signals. Forks end at once."""
    if os.getpid() != _TESTS:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return
    signal.signal(number, signal.SIG_IGN)
    for worker in _WORKERS:
        # xdist by itself tells their tests nothing.
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGTERM)
    raise KeyboardInterrupt


#: The processes that the tests are spread over, if this one only hands them out.
_WORKERS: list[int] = []
_TESTS = os.getpid()
signal.signal(signal.SIGTERM, _end)


#: Seconds until xdist kills processes that were told to end; who tells us waits for thirty.
NodeManager.EXIT_TIMEOUT = 25


def pytest_testnodeready(node: WorkerController) -> None:
    """Remember a worker process of the run, so that whoever ends the run ends it too."""
    _WORKERS.append(node.gateway._io.popen.pid)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow files first when several processes share the files, so that all processes end at about the same time."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        ranks = {name: rank for rank, name in enumerate(_LONG)}
        items.sort(key=lambda item: ranks.get(item.path.relative_to(_HERE).as_posix(), len(ranks)))


_HERE = Path(__file__).parent
#: Those of more than some ten seconds, the longest first.
_LONG = (
    "acceptance/test_soak.py",
    "acceptance/test_killed_commenting.py",
    "browser/test_admin_sign_in.py",
    "browser/test_admin_accessibility.py",
    "browser/test_dashboard_processes.py",
    "web/test_admin_pages.py",
    "web/test_dashboard_schedule.py",
    "web/test_dashboard_processes.py",
    "test_saved_is_published.py",
    "web/test_dashboard_targets.py",
    "browser/test_dashboard_targets.py",
    "playbooks/test_refusals.py",
    "acceptance/test_one_truth.py",
    "playbooks/test_day_two.py",
    "playbooks/test_upgrading.py",
    "playbooks/test_restoring.py",
    "delivery/test_cluster.py",
    "browser/test_attacks.py",
    "attacks/test_markup.py",
    "acceptance/test_bad_input.py",
    "playbooks/test_publishing.py",
    "acceptance/test_rust_blog.py",
    "acceptance/test_interruptions.py",
    "delivery/test_convergence.py",
    "delivery/test_courier.py",
    "browser/test_reader_comments.py",
    "browser/test_previews.py",
    "browser/test_theme_script.py",
    "api/test_openapi.py",
    "webhooks/test_events.py",
    "web/test_admin_life.py",
    "demo/test_demo.py",
    "db/test_silence.py",
    "tasks/test_audited.py",
    "api/test_same_rows.py",
)

#: Content nobody here wrote, to measure with; tests that use it skip where it is absent.
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

MakeConfig = Callable[..., Config]


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """Return a function that makes a Config with folders below `tmp_path`; keyword arguments are further settings."""

    def make(**settings: Any) -> Config:
        site = {"name": "blog", "title": "A Blog", "url": "https://blog.example/"}
        raw = {"docroot": str(tmp_path / "www"), "sites": [site], **settings}
        return validate(raw, tmp_path / "appliance.toml")

    return make


@pytest.fixture
def config(make_config: MakeConfig) -> Iterator[Config]:
    """An installation with one site, `blog`, at the top of the docroot; its database is connected during the test."""
    settings = make_config()
    opened = db.connect(settings)
    yield settings
    opened.close()


@pytest.fixture(scope="session", autouse=True)
def migrate() -> Iterator[Callable[[], list[str]]]:
    """Give new installations a copy of ready-made tables; yield the function that really migrates."""
    with tables.copied() as migrates:
        yield migrates


@pytest.fixture(scope="session", autouse=True)
def _watched_statements(migrate: Callable[[], list[str]]) -> Iterator[list[str]]:
    if not os.environ.get("APPLIANCE_PLANS"):
        yield []
        return
    with guard.watching() as found:
        yield found


@pytest.fixture(autouse=True)
def _statements_that_do_not_grow(_watched_statements: list[str]) -> Iterator[None]:
    """With APPLIANCE_PLANS, fail each test that makes the product send a statement whose cost grows.

    Without it, tests/query_plans does so for what a running installation sends.
    """
    yield
    found, _watched_statements[:] = list(_watched_statements), []
    assert not found, "\n".join([*found, "An index may serve it; else tests/query_plans/exceptions.py has a reason."])


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgresql.Server]:
    """A PostgreSQL server of this test session; `fresh()` returns the URL of an empty database."""
    if not postgresql.installed():
        pytest.skip("PostgreSQL's server programs are not installed (Debian: postgresql)")
    with postgresql.Server() as server:
        tables.make_on(server, tmp_path_factory.mktemp("tables"))
        yield server


@pytest.fixture(scope="session")
def _postgres_url(postgres: postgresql.Server) -> str:
    """The database that tests share, one after the other."""
    return postgres.fresh()


#: To truncate a table takes far longer than to see that it is empty, as most are after most tests.
EMPTY = """
DO $$ DECLARE one text; used boolean; names text; BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR one IN SELECT quote_ident(tablename) FROM pg_tables
        WHERE schemaname = 'public' AND tablename NOT LIKE '%migration%' LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || one || ')' INTO used;
        IF used THEN names := concat_ws(', ', names, one); END IF;
    END LOOP;
    IF names IS NOT NULL THEN EXECUTE 'TRUNCATE ' || names || ' CASCADE'; END IF;
    PERFORM setval(format('public.%I', sequencename)::regclass, start_value, false) FROM pg_sequences
    WHERE schemaname = 'public' AND last_value IS NOT NULL AND sequencename NOT LIKE '%migration%';
END $$
"""


def empty(url: str) -> str:
    """Empty a PostgreSQL database, which nobody else may use now; return its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(EMPTY)
    return url


def empty_database(request: pytest.FixtureRequest, kind: str = "") -> dict[str, str]:
    """Return the setting of an empty database of a kind, by default that of the parameter; none for SQLite."""
    if (kind or request.param) == "sqlite":
        return {}
    return {"database": empty(request.getfixturevalue("_postgres_url"))}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, make_config: MakeConfig) -> Iterator[Config]:
    """The installation of `config` on each database in turn, empty and connected until the test ends.

    Processes that the test starts open it by `db.open_database`.
    """
    settings = make_config(**empty_database(request))
    opened = db.connect(settings)
    yield settings
    opened.close()

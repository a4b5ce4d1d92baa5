"""A database that grows within one session is known to its query planner without a person."""

from __future__ import annotations

from threading import Thread

import pytest

from appliance import db
from appliance.config import Config
from appliance.queue.supervisor import Supervisor
from appliance.running.host import HostMaintenance
from tests import growth
from tests.query_plans import filled

#: Without statistics SQLite reads all approved comments for this, by another index.
COMMENTS = "SELECT id FROM comment WHERE status = 'approved' AND entry_id IN (?, ?, ?) ORDER BY created_at, id"


def _plan() -> str:
    return " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {COMMENTS}", [1, 2, 3]).fetchall())


def _is_known(config: Config) -> bool:
    if growth.is_server(config):
        return bool(db.execute("SELECT reltuples > 1000 FROM pg_class WHERE relname = 'comment'").fetchone()[0])
    return "comment_list " not in _plan()


def _flush(config: Config) -> None:
    if growth.is_server(config):  # which counts new rows with some delay
        db.execute("SELECT pg_stat_force_next_flush()")
        db.execute("SELECT 1")


def test_a_supervisor_has_statistics_taken_when_the_database_has_grown(database: Config) -> None:
    assert growth.is_server(database) or not db.analyze_if_grown(), "it is short"
    filled.fill(4000, analyze=False)
    assert not _is_known(database)
    _flush(database)
    HostMaintenance(database, "draining").run_due(Supervisor({}))
    assert _is_known(database)
    _flush(database)
    assert not db.analyze_if_grown(), "it has not grown since"


@pytest.mark.usefixtures("config")
def test_other_connections_learn_of_them() -> None:
    filled.fill(4000, analyze=False)
    assert "comment_list " in _plan()

    def analyze() -> None:
        db.analyze_if_grown()
        db.disconnect()

    thread = Thread(target=analyze)
    thread.start()
    thread.join()
    db.execute("SELECT COUNT(*) FROM site").fetchone()  # EXPLAIN itself does not look whether the tables have changed
    assert "comment_list " not in _plan()

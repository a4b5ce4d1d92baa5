"""Tables as long as they get in years, and the cost of statements on them, counted instead of timed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from appliance import db
from appliance.config import Config

_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
_JOBS = f"""
INSERT INTO job (kind, key, scope, priority, rank, state, outcome, every, run_at, created_at, finished_at, worker,
                 attempt, failures, triggers, reason, answer)
{_NUMBERS}
SELECT 'publish', 'posts/' || i || '/index.html', 'blog', 10, i, 'done', 'changed', 0, i, i, i, 'h:1', 1,
       0, 1, 'entry edited', 'added' FROM n
"""
_PUBLICATIONS = f"""
INSERT INTO publication (path, op, version, digest, size, origin, at)
{_NUMBERS}
SELECT 'posts/' || (i % ?) || '/index.html', 'put', i, 'd', 1, 'here', i FROM n
"""
#: More paths than publications.
_OWN = 10**9


def finished_jobs(first: int, last: int) -> None:
    """Insert jobs with these numbers that were done long ago."""
    _fill(_JOBS, first, last)


def failed_jobs(first: int, last: int) -> None:
    """Insert jobs with these numbers that failed long ago."""
    _fill(_JOBS.replace("'done', 'changed'", "'failed', NULL"), first, last)


def publications(first: int, last: int, paths: int = _OWN) -> None:
    """Insert publications with these numbers by the host `here`, each with its own path or cycling through `paths`."""
    _fill(_PUBLICATIONS, first, last, paths)


def _fill(statement: str, *values: int) -> None:
    with db.write():
        db.execute(statement, values)
    if _is_server():
        db.execute("ANALYZE")  # as its autovacuum does by itself


class _Undo(Exception):  # noqa: N818 - no error
    """Rolls back a trial."""


def undone(body: Callable[[], Any]) -> None:
    """Run something and roll it back."""
    with suppress(_Undo), db.write():
        body()
        raise _Undo


def steps(body: Callable[[], Any]) -> int:
    """Count the steps of SQLite's virtual machine, in hundreds; not for PostgreSQL."""
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    connection = db.database.connection()
    connection.set_progress_handler(step, 100)
    try:
        body()
    finally:
        connection.set_progress_handler(None, 100)
    return taken


def rows_read(monkeypatch: pytest.MonkeyPatch, body: Callable[[], Any]) -> int:
    """Count the rows that the statements of `body` read from tables, including rows that they discard."""
    found = [json.loads(plan) for plan in plans(monkeypatch, body, "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON)")]
    return sum(_read(plan) for plan in found)


def _read(node: Any) -> int:
    if isinstance(node, list):
        return sum(map(_read, node))
    if not isinstance(node, dict):
        return 0
    kept, thrown = node.get("Actual Rows", 0), node.get("Rows Removed by Filter", 0)
    here = (kept + thrown) * node.get("Actual Loops", 1) if "Scan" in node.get("Node Type", "") else 0
    return int(here) + sum(map(_read, node.values()))


def plans(
    monkeypatch: pytest.MonkeyPatch, body: Callable[[], Any], explain: str = "EXPLAIN (FORMAT JSON)"
) -> list[str]:
    """Return the query plan of each statement of `body` as text."""
    ran: list[tuple[str, Sequence[Any]]] = []
    execute = db.execute
    with monkeypatch.context() as patch:

        def noted(sql: str, parameters: Sequence[Any] = ()) -> Any:
            ran.append((sql, list(parameters)))
            return execute(sql, parameters)

        patch.setattr(db, "execute", noted)
        body()
    explained = [(sql, p) for sql, p in ran if sql.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE"))]
    assert explained
    return [_plan(execute, explain, sql, parameters) for sql, parameters in explained]


def _plan(execute: Callable[..., Any], explain: str, sql: str, parameters: Sequence[Any]) -> str:
    if _is_server():
        ((found,),) = execute(f"{explain} {sql}", parameters).fetchall()
        return json.dumps(found)
    return "\n".join(row[3] for row in execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall())


def walks(plan: str, table: str) -> bool:
    """Return whether a plan scans all rows of a table, or of an index that contains all of them."""
    if plan.startswith("["):
        return _scans(json.loads(plan), table)
    names = [line.split() for line in plan.splitlines() if line.startswith("SCAN")]
    return any(words[1] in (table, table[0]) and "INDEX" not in words for words in names)


def _scans(node: Any, table: str) -> bool:
    if isinstance(node, list):
        return any(_scans(one, table) for one in node)
    if not isinstance(node, dict):
        return False
    here = node.get("Node Type") == "Seq Scan" and node.get("Relation Name") == table
    return here or any(_scans(value, table) for value in node.values())


def _is_server() -> bool:
    return "Postgres" in type(db.backend()).__name__


def is_server(config: Config) -> bool:
    """Return whether the installation's database is PostgreSQL."""
    return bool(config.database_url)

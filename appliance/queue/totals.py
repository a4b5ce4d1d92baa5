"""The queue in a few numbers: what waits and for how long, what runs and where, and what failed.

Guarantees that only jobs that wait, run or have failed are read, so that the finished ones, however many, cost nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.db import NOW, keyset
from appliance.db.keyset import Condition
from appliance.paging import Count
from appliance.queue.job_groups import waiting_groups


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of jobs at one moment."""

    pending: int
    #: Those of them that are due only later, such as retries.
    later: int
    #: When the oldest was enqueued of the jobs that are due and next in turn, one of each site and priority, in seconds
    #: since the epoch; None without any.
    oldest_at: float | None
    running: int
    #: The hosts on which they run.
    hosts: int
    #: Counted up to a bound.
    failed: Count


_PENDING: Final = "SELECT COUNT(*) FROM job WHERE state = 'pending'"
# The conditions are those of an index, literally.
_LATER: Final = f"SELECT COUNT(*) FROM job WHERE state = 'pending' AND run_at > created_at AND run_at > {NOW}"
_FIRST: Final = "SELECT created_at, run_at FROM job WHERE {} ORDER BY rank, id LIMIT {}"
_RUNNING: Final = "SELECT COUNT(*), worker FROM job WHERE state = 'running'"
_FAILED: Final = "SELECT COUNT(*) FROM (SELECT 1 FROM job WHERE state = 'failed' {} LIMIT ?) AS found"


def read(scopes: Collection[str] | None = None) -> Totals:
    """Count the jobs of some sites; None for all jobs, also those of no site."""
    among, values = "", list[str]()
    if scopes is not None:
        among, values = f"AND scope IN ({db.placeholders(len(scopes)) or 'NULL'})", list(scopes)
    (pending,), (later,) = (db.execute(f"{counting} {among}", values).fetchone() for counting in (_PENDING, _LATER))
    running = db.execute(f"{_RUNNING} {among} GROUP BY worker", values).fetchall()
    (failed,) = db.execute(_FAILED.format(among), [*values, keyset.CAP + 1]).fetchone()
    return Totals(
        int(pending),
        int(later),
        _oldest_at(scopes, among, values) if pending else None,
        sum(number for number, _ in running),
        len({worker.rpartition(":")[0] for _, worker in running if worker}),
        Count(min(int(failed), keyset.CAP), failed > keyset.CAP),
    )


def _oldest_at(scopes: Collection[str] | None, among: str, values: list[str]) -> float | None:
    """When the oldest job that is due was enqueued: of one site and priority, the oldest is the first in turn."""
    groups = waiting_groups(list(scopes or ()))
    parts = [Condition(f"state = 'pending' {among}", tuple(values))] if groups is None else list(groups.values())
    if not parts:
        return None
    firsts = [f"SELECT * FROM ({_FIRST.format(part.sql, keyset.REACH)}) AS part_{n}" for n, part in enumerate(parts)]
    # One after the other, each only until a job is found that is due.
    dues = [f"SELECT * FROM (SELECT created_at FROM ({first}) AS due_{n} WHERE run_at <= {NOW} LIMIT 1) AS one_{n}"
            for n, first in enumerate(firsts)]  # fmt: skip
    (oldest,) = db.execute(
        f"SELECT MIN(created_at) FROM ({' UNION ALL '.join(dues)}) AS oldest",
        [v for part in parts for v in part.values],
    ).fetchone()
    return None if oldest is None else float(oldest)

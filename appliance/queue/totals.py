"""The queue in a few numbers: what waits and for how long, what runs and where, and what failed.

Guarantees that only jobs that wait, run or have failed are read, so that the finished ones, however many, cost nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.db import NOW, keyset
from appliance.paging import Count


@dataclass(frozen=True, slots=True)
class Totals:
    """Numbers of jobs at one moment."""

    pending: int
    #: Those of them that are due only later, such as retries.
    later: int
    #: When the oldest job that is due was enqueued, in seconds since the epoch; None without any.
    oldest_at: float | None
    running: int
    #: The hosts on which they run.
    hosts: int
    #: Counted up to a bound.
    failed: Count


_PENDING: Final = f"""
SELECT COUNT(*), COALESCE(SUM(CASE WHEN run_at > {NOW} THEN 1 ELSE 0 END), 0),
       MIN(CASE WHEN run_at <= {NOW} THEN created_at END)
FROM job WHERE state = 'pending'
"""
_RUNNING: Final = "SELECT COUNT(*), worker FROM job WHERE state = 'running'"
_FAILED: Final = "SELECT COUNT(*) FROM (SELECT 1 FROM job WHERE state = 'failed' {} LIMIT ?) AS found"


def read(scopes: Collection[str] | None = None) -> Totals:
    """Count the jobs of some sites; None for all jobs, also those of no site."""
    among, values = "", list[str]()
    if scopes is not None:
        among, values = f"AND scope IN ({db.placeholders(len(scopes)) or 'NULL'})", list(scopes)
    pending, later, oldest_at = db.execute(f"{_PENDING} {among}", values).fetchone()
    running = db.execute(f"{_RUNNING} {among} GROUP BY worker", values).fetchall()
    (failed,) = db.execute(_FAILED.format(among), [*values, keyset.CAP + 1]).fetchone()
    return Totals(
        int(pending),
        int(later),
        oldest_at,
        sum(number for number, _ in running),
        len({worker.rpartition(":")[0] for _, worker in running if worker}),
        Count(min(int(failed), keyset.CAP), failed > keyset.CAP),
    )

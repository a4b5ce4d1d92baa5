"""The last runs of periodic tasks: kept by result, few of each, and those that failed the longest."""

from __future__ import annotations

import pytest

from appliance import db
from appliance.config import Config
from appliance.errors import ContentError, QueueError
from appliance.queue import periodic_history
from appliance.queue.periodic import PeriodicTask, Schedule
from appliance.queue.periodic_history import KEPT, KEPT_FAILURES
from appliance.queue.recurrence import Every


def scheduled(results: list[str]) -> Schedule:
    """A schedule with one task, which ends with these results in turn; those that begin with `!` are errors."""

    def run() -> str:
        result = results.pop(0)
        if result.startswith("!"):
            raise ContentError(result[1:])
        return result

    return Schedule([PeriodicTask("feed", run, Every(3600))], "here:7")


def run_again(schedule: Schedule, times: int = 1) -> None:
    for _ in range(times):
        schedule.request_run("feed")
        assert [ran.name for ran in schedule.run_due()] == ["feed"]


@pytest.mark.usefixtures("database")
def test_runs_in_a_row_with_the_same_result_are_one_row() -> None:
    schedule = scheduled(["", "", "!no file", "!no file", "took 3"])
    run_again(schedule, 5)
    rows = schedule.runs_of("feed")
    assert [(row.times, row.did, row.error) for row in rows] == [(1, "took 3", ""), (2, "", "no file"), (2, "", "")]
    assert {row.host for row in rows} == {"here:7"}
    for row in rows:
        assert row.first_at <= row.started_at <= row.ended_at <= db.now()


@pytest.mark.usefixtures("database")
def test_few_rows_are_kept_and_failures_among_them() -> None:
    schedule = scheduled(["!the disk is full", *(f"took {number}" for number in range(KEPT + 5))])
    run_again(schedule, KEPT + 6)
    rows = schedule.runs_of("feed")
    assert len(rows) == KEPT + 1
    assert (rows[0].did, rows[-1].error) == (f"took {KEPT + 4}", "the disk is full")
    with db.write():
        for number in range(KEPT + KEPT_FAILURES + 9):
            periodic_history.record("other", db.now(), "here:7", error=f"error {number}")
    assert len(periodic_history.read("other")) == KEPT
    assert len(schedule.runs_of("feed")) == KEPT + 1, "the history of another task is left alone"


def test_a_task_that_there_is_not_has_no_history(database: Config) -> None:
    with pytest.raises(QueueError, match="there is no periodic task “nothing”"):
        scheduled([]).runs_of("nothing")
    assert scheduled([]).runs_of("feed") == []

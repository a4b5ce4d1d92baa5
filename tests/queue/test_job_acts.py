"""Acts on several jobs while others act and jobs run: what was seen or counted changes, once, and can come back."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import clock, db
from appliance.actor import Actor, acting
from appliance.config import Config
from appliance.errors import JobsChanged, UndoRefused
from appliance.queue import administration, job_acts, store, undeletion
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.job_acts import ACTED_ON, Act, Result, Seen
from appliance.queue.job_filter import ANY_JOB, JobFilter
from appliance.queue.job_queries import JobRow
from appliance.queue.models import ActedJob, Job, JobAct, JobTrigger
from tests.queue.test_administration import AGEING, fill, jobs

ADA, BOB = Actor("ada", "browser"), Actor("bob", "browser")
quiet = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
acts = st.sampled_from(sorted(ACTED_ON))


def ask_for(*keys: str, reason: str = "edited", priority: int = 5) -> None:
    enqueue("k", [JobRequest(key, priority, "blog") for key in keys], ageing=AGEING, causes=[Cause(reason, "ines")])


def fail(*keys: str) -> None:
    """Have the waiting jobs of these keys fail for good."""
    for claim in store.claim("w:1", ["k"], 100, 30.0, keys=keys):
        store.fail(claim, store.FailureDetails("E", "wrong", ""), retry_after=None)


def everything() -> list[JobRow]:
    return administration.find(ANY_JOB, "id", 1000)


def seen(rows: list[JobRow]) -> list[Seen]:
    return [Seen(row.id, row.state, row.attempt, row.triggers, row.priority) for row in rows]


def act_on(act: Act, rows: list[JobRow], form: str = "1", who: Actor = ADA, **more: Any) -> Result:
    with acting(who):
        return job_acts.act_on_seen(act, seen(rows), ANY_JOB, ANY_JOB, form, ageing=AGEING, **more)


def states() -> dict[str, str]:
    return {row.key: row.state for row in everything()}


def forget() -> None:
    for table in (ActedJob, JobAct):
        table.delete().execute()


@quiet
@given(made=jobs, act=acts)
def test_an_act_changes_what_is_in_a_state_for_it_and_nothing_else(
    database: Config, made: list[dict[str, Any]], act: Act
) -> None:
    forget()
    before = fill(made)
    result = act_on(act, before, priority=7)
    changed = [old.id for old, new in zip(before, everything(), strict=True) if old != new]
    in_state = [row.id for row in before if row.state in ACTED_ON[act]]
    assert set(changed) <= set(in_state)
    assert result.number + result.superseded == len(in_state)
    assert {left.id for left in result.left} == {row.id for row in before} - set(in_state)
    assert result.number_left == len(before) - len(in_state)
    assert [row for row in everything() if row.state == "running"] == [row for row in before if row.state == "running"]


@quiet
@given(made=jobs)
def test_undoing_at_once_leaves_everything_as_it_was(database: Config, made: list[dict[str, Any]]) -> None:
    forget()
    fill([one | {"age": one["age"] + 1} for one in made])  # nothing was built since
    before = list(Job.select().order_by(Job.id).dicts())
    result = act_on("delete", everything())
    done = undeletion.undo(result.id, ANY_JOB)
    assert list(Job.select().order_by(Job.id).dicts()) == before
    assert done == undeletion.Undone(result.number, 0, 0)


def test_what_changed_since_it_was_seen_is_left_alone_and_told(database: Config) -> None:
    ask_for("claimed", "again", "deleted", "same", "raised")
    rows = everything()
    store.claim("pub1:7", ["k"], 1, 30.0, keys=["claimed"])
    ask_for("again", reason="edited once more")
    ask_for("raised", priority=9)
    (gone,) = [row for row in rows if row.key == "deleted"]
    act_on("delete", [gone], "of bob", BOB)
    result = act_on("delete", rows)
    assert (result.number, result.number_left, result.expected) == (1, 4, 5)
    told = {left.key: left for left in result.left}
    assert (told["claimed"].state, told["claimed"].worker) == ("running", "pub1:7")
    assert (told["again"].state, told["again"].is_asked_again) == ("pending", True)
    assert (told["deleted"].state, told["deleted"].act, told["deleted"].actor) == ("cancelled", "delete", "bob")
    assert states() == {
        "claimed": "running", "again": "pending", "deleted": "cancelled", "same": "cancelled", "raised": "pending",
    }  # fmt: skip


def test_a_priority_that_somebody_else_gave_meanwhile_stays(database: Config) -> None:
    ask_for("a", "b")
    rows = everything()
    act_on("prioritise", rows[:1], "of bob", BOB, priority=8)
    result = act_on("prioritise", rows, priority=2)
    assert {row.key: row.priority for row in everything()} == {"a": 8, "b": 2}
    (left,) = result.left
    assert (left.priority, left.act, left.actor, result.priority) == (8, "prioritise", "bob", 2)


def test_a_form_that_is_sent_twice_acts_once(database: Config) -> None:
    ask_for("a")
    rows = everything()
    first = act_on("prioritise", rows, priority=9)
    again = act_on("prioritise", everything(), priority=1)
    assert again == first
    assert everything()[0].priority == 9
    (audited,) = db.execute("SELECT COUNT(*) FROM audit WHERE action = 'job.prioritise'").fetchone()
    assert audited == 1


def test_two_people_at_once_do_nothing_twice(database: Config) -> None:
    """Both delete, or retry, all that failed: each job is changed by one of them, and the other is told."""
    for act in ("retry", "delete"):
        keys = [f"{act} {n}" for n in range(30)]
        ask_for(*keys)
        fail(*keys)
        rows = [row for row in everything() if row.key in keys]
        results: list[Result] = []
        gate = threading.Barrier(2)

        def click(who: Actor, act: Act = act, rows: list[JobRow] = rows, gate: threading.Barrier = gate) -> None:  # type: ignore[assignment]
            gate.wait()
            results.append(act_on(act, rows, f"{act} of {who.name}", who))  # noqa: B023
            db.disconnect()

        people = [threading.Thread(target=click, args=(who,)) for who in (ADA, BOB)]
        for one in people:
            one.start()
        for one in people:
            one.join()
        assert sorted(result.number for result in results) == [0, 30]
        told = {(left.act, left.actor) for result in results for left in result.left}
        (done,) = [result for result in results if result.number]
        assert told == {(act, done.actor)}


@pytest.mark.parametrize("act", ACTED_ON)
def test_all_that_match_are_those_of_the_moment_of_the_question(database: Config, act: Act) -> None:
    ask_for("a", "b", "claimed", "again")
    if act == "retry":
        fail("a", "b", "claimed", "again")
    question = job_acts.ask(act, JobFilter(kinds=["k"]))
    assert question.expected == 4
    if act == "retry":
        administration.retry(JobFilter(ids=[row.id for row in everything() if row.key == "claimed"]))
        act_on("retry", [row for row in everything() if row.key == "again"], "of bob", BOB)
        ask_for("new")
        fail("new")
    else:
        store.claim("w:1", ["k"], 1, 30.0, keys=["claimed"])
        ask_for("again", "new")
    result = job_acts.act_on_all(act, question, "1", priority=7, ageing=AGEING)
    assert (result.number, result.expected, result.number_left) == (2, 4, 2)
    rows = db.execute("SELECT j.key FROM acted_job a JOIN job j ON j.id = a.job WHERE a.act_id = ?", [result.id])
    assert {key for (key,) in rows.fetchall()} == {"a", "b"}


def test_ages_are_those_of_the_moment_of_the_question(database: Config) -> None:
    ask_for("old", "young")
    now = db.now()
    db.execute("UPDATE job SET created_at = ? WHERE key = 'old'", [now - 700])
    db.execute("UPDATE job SET created_at = ? WHERE key = 'young'", [now - 599])
    db.execute("UPDATE job_trigger SET first_at = 0, last_at = 0")
    question = job_acts.ask("delete", JobFilter(older=600.0))
    db.backend().now_at(60.0)
    assert administration.count(JobFilter(older=600.0)) == {"pending": 2}
    assert job_acts.act_on_all("delete", question, "1").number == 1
    assert states() == {"old": "cancelled", "young": "pending"}


def test_more_than_were_counted_are_not_touched(database: Config) -> None:
    ask_for("a", "b")
    question = replace(job_acts.ask("delete", ANY_JOB), expected=1)
    with pytest.raises(JobsChanged, match="2 jobs match now and not 1"):
        job_acts.act_on_all("delete", question, "1")
    assert states() == {"a": "pending", "b": "pending"}
    assert JobAct.select().count() == 0


def test_what_one_may_not_act_on_is_left_alone_and_what_one_may_not_see_is_not_told(database: Config) -> None:
    for site in ("blog", "news", "secret"):
        enqueue("k", [JobRequest(site, 5, site)], ageing=AGEING)
    allowed, visible = JobFilter(scopes=["blog"]), JobFilter(scopes=["blog", "news"])
    result = job_acts.act_on_seen("delete", seen(everything()), allowed, visible, "1")
    assert states() == {"blog": "cancelled", "news": "pending", "secret": "pending"}
    assert [(left.key, left.scope) for left in result.left] == [("news", "news")]


def test_running_now_comes_before_all_others_and_waits_for_nothing(database: Config) -> None:
    ask_for("first", priority=10)
    enqueue("k", [JobRequest("held", 0, "blog", every=3600.0)], ageing=AGEING)
    (claim,) = store.claim("w:1", ["k"], 1, 30.0, keys=["held"])
    store.complete({claim: "changed"})
    enqueue("k", [JobRequest("held", 0, "blog", every=3600.0)], ageing=AGEING)
    assert store.claim("w:1", ["k"], 1, 30.0, keys=["held"]) == []
    act_on("run", [row for row in everything() if row.key == "held" and row.state == "pending"])
    assert [one.key for one in store.claim("w:1", ["k"], 2, 30.0)] == ["held", "first"]


def reasons(job: int) -> dict[str, int]:
    return {one.reason: one.times for one in JobTrigger.select().where(JobTrigger.job == job)}


def test_undoing_folds_into_a_newer_request(database: Config) -> None:
    ask_for("a", reason="edited", priority=9)
    result = act_on("delete", everything())
    ask_for("a", reason="edited", priority=3)
    ask_for("a", reason="commented", priority=3)
    assert undeletion.undo(result.id, ANY_JOB) == undeletion.Undone(0, 1, 0)
    old, new = everything()
    assert (old.state, new.state, new.priority, new.triggers) == ("superseded", "pending", 9, 3)
    assert reasons(new.id) == {"edited": 2, "commented": 1}
    (rank,) = db.execute("SELECT rank FROM job WHERE id = ?", [new.id]).fetchone()
    assert rank == old.created_at - 9 * AGEING


def test_undoing_a_failed_job_that_was_built_since_leaves_nothing_failed(database: Config) -> None:
    ask_for("mended", "broken")
    fail("mended", "broken")
    result = act_on("delete", everything())
    ask_for("mended")
    (claim,) = store.claim("w:1", ["k"], 1, 30.0, keys=["mended"])
    store.complete({claim: "changed"})
    assert undeletion.undo(result.id, ANY_JOB) == undeletion.Undone(1, 0, 1)
    assert Counter(row.state for row in everything()) == {"superseded": 1, "failed": 1, "done": 1}


def test_a_deletion_is_undone_once_and_within_a_minute(database: Config) -> None:
    ask_for("a")
    result = act_on("delete", everything())
    undeletion.undo(result.id, ANY_JOB)
    with pytest.raises(UndoRefused, match="undone already"):
        undeletion.undo(result.id, ANY_JOB)
    late = act_on("delete", everything(), "2")
    db.backend().now_at(undeletion.LIMIT + 1)
    with pytest.raises(UndoRefused, match="within a minute"):
        undeletion.undo(late.id, ANY_JOB)
    assert states() == {"a": "cancelled"}
    for other in (act_on("run", [], "3").id, 10**9):
        with pytest.raises(UndoRefused):
            undeletion.undo(other, ANY_JOB)


def test_undoing_brings_back_what_one_may_delete(database: Config) -> None:
    for site in ("blog", "news"):
        enqueue("k", [JobRequest(site, 5, site)], ageing=AGEING)
    result = act_on("delete", everything())
    undeletion.undo(result.id, JobFilter(scopes=["news"]))
    assert states() == {"blog": "cancelled", "news": "pending"}


def test_undoing_while_others_ask_for_the_same(database: Config) -> None:
    """Whatever comes first, one job of each key waits, and no request is lost."""
    keys = [f"{n}" for n in range(100)]
    ask_for(*keys)
    result = act_on("delete", everything())
    gate = threading.Barrier(2)

    def edit() -> None:
        gate.wait()
        for key in keys:
            ask_for(key, reason="later")
        db.disconnect()

    other = threading.Thread(target=edit)
    other.start()
    gate.wait()
    undeletion.undo(result.id, ANY_JOB)
    other.join()
    waiting = [row for row in everything() if row.state == "pending"]
    assert sorted(row.key for row in waiting) == sorted(keys)
    assert {row.triggers for row in waiting} == {2}
    assert all(reasons(row.id) == {"edited": 1, "later": 1} for row in waiting)


def test_results_are_kept_and_pruned(database: Config) -> None:
    from appliance.queue import pruning

    ask_for("a")
    result = act_on("delete", everything())
    assert job_acts.find_result(result.id) == result
    assert asdict(result)["actor"] == "ada"
    clock_ahead = pruning.ACTS_KEPT + 1
    db.backend().now_at(clock_ahead)
    pruning.prune(10 * clock_ahead)
    assert job_acts.find_result(result.id) is None
    assert ActedJob.select().count() == 0
    assert clock.now() < db.now() - pruning.ACTS_KEPT

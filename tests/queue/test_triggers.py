"""Why jobs were enqueued: kept once for many jobs, and read as one list for each."""

from __future__ import annotations

from appliance import db
from appliance.config import Config
from appliance.queue import administration, job_acts, pruning, store, undeletion
from appliance.queue.enqueue import Cause, JobRequest, enqueue, enqueue_from_select
from appliance.queue.job_filter import ANY_JOB, JobFilter, SubjectFilter, TextFilter

AGEING = 60.0
ASKED = [Cause("theme edited", "ada", 7), Cause("comment added", "ben", 9, times=3)]


def ask_for_many(*keys: str, causes: list[Cause] = ASKED) -> None:
    one = "SELECT CAST(? AS TEXT) AS key, 'blog' AS scope, 0 AS priority, 0.0 AS every, '' AS t"
    enqueue_from_select("k", " UNION ALL ".join([one] * len(keys)), keys, ageing=AGEING, causes=causes)


def chain(key: str) -> list[tuple[str, str, int | None, int]]:
    (job,) = db.execute("SELECT MAX(id) FROM job WHERE key = ?", [key]).fetchone()
    details = administration.show(job)
    assert details
    return [(t.reason, t.actor, t.change_id, t.times) for t in details.chain]


def rows() -> list[int]:
    return [
        int(db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])
        for table in ("trigger_set", "shared_trigger", "job_trigger")
    ]


def test_what_many_jobs_are_asked_for_is_kept_once(database: Config) -> None:
    keys = [f"{n:03}" for n in range(300)]
    ask_for_many(*keys)
    assert rows() == [1, 2, 0]
    assert chain("007") == [("theme edited", "ada", 7, 1), ("comment added", "ben", 9, 3)]
    assert db.execute("SELECT MIN(triggers), MAX(triggers) FROM job").fetchone() == (4, 4)


def test_later_requests_are_told_with_the_shared_ones(database: Config) -> None:
    ask_for_many("a", "b")
    db.backend().now_at(10.0)
    ask_for_many("b", causes=[Cause("theme edited", "ada", 12)])
    enqueue("k", [JobRequest("b")], ageing=AGEING, causes=[Cause("asked for", "cy")])
    assert chain("a") == [("theme edited", "ada", 7, 1), ("comment added", "ben", 9, 3)]
    assert sorted(chain("b")) == [
        ("asked for", "cy", None, 1), ("comment added", "ben", 9, 3), ("theme edited", "ada", 12, 2),
    ]  # fmt: skip
    (job,) = db.execute("SELECT id FROM job WHERE key = 'b'").fetchone()
    details = administration.show(job)
    assert details
    assert {t.reason: round(t.last_at - t.first_at) for t in details.chain}["theme edited"] == 10


def test_jobs_are_found_by_what_they_share(database: Config) -> None:
    ask_for_many("a", "b")
    enqueue("k", [JobRequest("c")], ageing=AGEING, causes=[Cause("asked for", "ben")])
    enqueue("k", [JobRequest("d")], ageing=AGEING, causes=[Cause("asked for", "ada")])
    found = administration.find(JobFilter(texts=[SubjectFilter("trigger", [TextFilter("has", "ben")])]))
    assert sorted(job.key for job in found) == ["a", "b", "c"]


def test_an_undone_deletion_gives_shared_reasons_to_the_newer_request(database: Config) -> None:
    ask_for_many("a")
    question = job_acts.ask("delete", ANY_JOB)
    result = job_acts.act_on_all("delete", question, "1", ageing=AGEING)
    ask_for_many("a", causes=[Cause("theme edited", "ada", 12)])
    assert undeletion.undo(result.id, ANY_JOB) == undeletion.Undone(0, 1, 0)
    assert sorted(chain("a")) == [("comment added", "ben", 9, 3), ("theme edited", "ada", 12, 2)]


def test_reasons_go_with_the_last_job_that_shares_them(database: Config) -> None:
    ask_for_many("a", "b")
    (claim,) = store.claim("w:1", ["k"], 1, 30.0, keys=["a"])
    store.complete({claim: "changed"})
    db.backend().now_at(8000.0)
    pruning.prune(7000.0)
    assert (rows()[:2], chain("b")) == ([1, 2], [("theme edited", "ada", 7, 1), ("comment added", "ben", 9, 3)])
    (claim,) = store.claim("w:1", ["k"], 1, 30.0, keys=["b"])
    store.complete({claim: "changed"})
    db.backend().now_at(16000.0)
    pruning.prune(7000.0)
    assert rows() == [0, 0, 0]

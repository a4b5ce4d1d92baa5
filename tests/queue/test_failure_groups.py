"""Failed jobs grouped by what is wrong."""

from __future__ import annotations

import time

import pytest

from appliance import db
from appliance.config import Config
from appliance.errors import SourceExcerpt
from appliance.queue import failure_groups, failures, job_acts, store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.failures import FailureDetails, brief


def template_failure(path: str, line: int = 12) -> FailureDetails:
    message = f"/themes/x/archive.html, line {line}: the template failed: 'foo' is undefined; “{path}” was built."
    return FailureDetails(
        "TemplateFailure", message, "", "archive.html", SourceExcerpt("archive.html", line, line, ("",))
    )


def fail(*keys: str, scope: str = "blog", kind: str = "publish", **options: int) -> None:
    enqueue(kind, [JobRequest(key, scope=scope) for key in keys], ageing=60.0)
    for claim in store.claim("host:1", [kind], len(keys), 30.0):
        store.fail(claim, template_failure(claim.key, **options), retry_after=None)


def test_one_fault_is_one_group_whatever_it_failed(database: Config) -> None:
    fail("2025/index.html", "2026/index.html", "2026/11/index.html")
    fail("news/index.html", scope="news")
    fail("2024/index.html", line=14)
    groups, more = failure_groups.list_groups()
    assert not more
    assert [(g.scope, g.number.number, g.about, g.place) for g in groups] == [
        ("blog", 1, "archive.html", "archive.html:14"),
        ("news", 1, "archive.html", "archive.html:12"),
        ("blog", 3, "archive.html", "archive.html:12"),
    ]
    assert groups[2].first_at <= groups[2].last_at
    assert groups[2].sentence == "archive.html, line 12: the template failed: 'foo' is undefined"
    assert [g.scope for g in failure_groups.list_groups(["news"])[0]] == ["news"]
    assert failure_groups.find_group(groups[2].name) == groups[2]
    assert failure_groups.find_group("") is None


def test_a_group_is_retried_as_a_whole_and_gone(database: Config) -> None:
    fail("a.html", "b.html")
    fail("c.html", line=14)
    group = next(one for one in failure_groups.list_groups()[0] if one.place.endswith(":12"))
    question = job_acts.ask("retry", failure_groups.jobs_of(group))
    assert question.expected == 2
    assert job_acts.act_on_all("retry", question, "form").number == 2
    assert failure_groups.find_group(group.name) is None
    assert len(failure_groups.list_groups()[0]) == 1


def test_what_all_jobs_of_a_group_have_is_found_in_each() -> None:
    for path in ("2025/index.html", 'odd "quoted".html', "a.html"):
        for line in (3, 12_345):
            failure = template_failure(path, line)
            part = failures.same_in_all(failure.message, path)
            assert part == failures.same_in_all(template_failure("b/c.html", 7).message, "b/c.html")
            assert len(part) > 20
            assert part in failure.message
            assert '"' not in part
    assert failures.same_in_all("2026", "x") == ""


def test_jobs_that_an_older_release_failed_are_grouped_later(database: Config) -> None:
    fail("a.html", "b.html")
    db.execute("UPDATE job SET fault = NULL")
    db.execute("DELETE FROM job_attempt")
    assert failure_groups.list_groups()[0] == []
    assert failure_groups.group_others() == 2
    assert failure_groups.group_others() == 0
    (group,) = failure_groups.list_groups()[0]
    assert (group.number.number, group.about, group.place) == (2, "", "")


def test_a_hundred_thousand_failures_cost_as_little_as_a_few(database: Config) -> None:
    def spent() -> float:
        began = time.process_time()
        for _ in range(20):
            failure_groups.list_groups()
        return time.process_time() - began

    fail("a.html", "b.html", "c.html")
    few = spent()
    with db.write():
        db.execute(
            """WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
               INSERT INTO job (kind, key, scope, priority, rank, state, every, run_at, created_at, finished_at,
                                attempt, failures, triggers, reason, answer, fault)
               SELECT 'publish', 'p' || i, 'blog', 0, 0, 'failed', 0, 0, 0, i, 1, 1, 1, '', 'added',
                      (SELECT MIN(fault) FROM job) FROM n"""
        )
    (group,) = failure_groups.list_groups()[0]
    assert (group.number.number, group.number.is_capped) == (10_000, True)
    many = spent()
    # Of one group no more than 10,000 are counted, by an index alone.
    assert many < few + 20 * 0.02, (few, many)


@pytest.mark.parametrize("number", [failure_groups.MOST + 5])
def test_groups_that_are_not_shown_are_told(database: Config, number: int) -> None:
    with db.write():
        fail(*(f"{n}.html" for n in range(number)))
        db.execute("UPDATE job SET fault = 'f' || id")
    groups, more = failure_groups.list_groups()
    assert (len(groups), more) == (failure_groups.MOST, True)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("/srv/x y/archive.html, line 3: it failed; correct it", "archive.html, line 3: it failed"),
        ("one.jpg: the picture is broken; upload it again\nmore", "one.jpg: the picture is broken"),
        ("/srv/docroot is read-only", "/srv/docroot is read-only"),
        ("", ""),
    ],
)
def test_a_failure_is_told_in_one_line(message: str, told: str) -> None:
    assert brief(message) == told

"""The tasks about jobs, typed as people type them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from appliance import config as settings
from appliance.errors import SourceExcerpt
from appliance.installation import open_installation
from appliance.queue import store
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.tasks import job_output
from appliance.tasks.program import split_arguments
from tests.tasks.conftest import Typed

SETTINGS = """\
docroot = "{folder}/www"
[[sites]]
name = "blog"
title = "A Blog"
url = "https://blog.example/"
[[sites]]
name = "news"
title = "News"
url = "https://news.example/"
folder = "news"
"""


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Six jobs: 1 done, 2 failed, 3 running, 4 to 6 waiting."""
    file = tmp_path / "appliance.toml"
    file.write_text(SETTINGS.format(folder=tmp_path))
    monkeypatch.setenv("APPLIANCE_CONFIG", str(file))
    monkeypatch.setenv("COLUMNS", "100")
    with open_installation(settings.load()):
        causes = [Cause("entry edited", "ada", 7), Cause("comment added", "reader", 9, 2)]
        for key, priority in {"a.html": 10, "b.html": 9, "c.html": 8}.items():
            enqueue("publish", [JobRequest(key, priority, "blog")], ageing=60.0, causes=causes)
        done, failed, _ = store.claim("here:1", ["publish"], 3, 30.0)
        store.complete({done: "changed"})
        excerpt = SourceExcerpt("entry.html", 3, 2, ("<p>", "{{ no }}"))
        fault = store.FailureDetails(
            "TemplateFailure", "entry.html, line 3: no.", "Traceback\n  deep in it", "entry.html", excerpt
        )
        store.fail(failed, fault, retry_after=None)
        for key, priority in {"news/d.xml": 5, "news/e.html": 4, "news/f.html": 3}.items():
            enqueue("publish", [JobRequest(key, priority, "news")], ageing=60.0, causes=causes)
    yield


@pytest.fixture
def typed(queue: None, command_line: Typed) -> Typed:
    """Runs a command line; returns what it printed; its exit status must be that expected."""
    return command_line


def listed(typed: Typed, options: str) -> list[str]:
    return [job["key"] for job in json.loads(typed(f"jobs.list --json {options}"))["jobs"]]


def states(typed: Typed) -> dict[int, str]:
    return {job["id"]: job["state"] for job in json.loads(typed("jobs.list --json"))["jobs"]}


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ("", ["c.html", "news/d.xml", "news/e.html", "news/f.html", "b.html", "a.html"]),
        ("--state failed --state done --sort path", ["a.html", "b.html"]),
        ("--site news --sort -path --limit 2", ["news/f.html", "news/e.html"]),
        ("--priority 9", ["b.html"]),
        ("--priority ..4 --sort id", ["news/e.html", "news/f.html"]),
        ("--priority 4..5 --sort id", ["news/d.xml", "news/e.html"]),
        ("--path *.xml", ["news/d.xml"]),
        ("--path /news/*.html --not-path e", ["news/f.html"][:0]),
        ("--not-path news --sort id", ["a.html", "b.html", "c.html"]),
        ("--error TemplateFailure", ["b.html"]),
        ("--worker here:1 --sort id", ["a.html", "b.html", "c.html"]),
        ("--older 1h", []),
        ("--within 1h --kind publish --sort id 2 3", ["b.html", "c.html"]),
        ("4,#5 --sort id", ["news/d.xml", "news/e.html"]),
    ],
)
def test_filters(typed: Typed, options: str, keys: list[str]) -> None:
    assert listed(typed, options) == keys


def test_a_list_for_people(typed: Typed) -> None:
    lines = typed("jobs.list").splitlines()
    assert lines[0].split() == ["job", "state", "priority", "site", "path", "age"]
    assert lines[1].split()[:6] == ["3", "running", "8", "blog", "c.html", "0"]
    assert "here:1, for 0 s" in lines[1]
    assert lines[5].endswith("entry.html, line 3: no.")
    assert lines[-1] == "3 pending · 1 running · 1 done · 1 failed"
    assert typed("jobs.list --limit 1").splitlines()[-1] == "Only the first 1 are shown; --limit 0 shows all."
    assert typed("jobs.list --kind mail").splitlines() == ["no jobs"]


def test_a_list_on_a_narrow_terminal(queue: None, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=60, highlight=False, soft_wrap=True)
    monkeypatch.setattr(job_output, "console", lambda: terminal)
    monkeypatch.setattr(job_output, "is_terminal", lambda: True)
    typed("jobs.list")
    lines = terminal.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 7  # one a job: nothing is wrapped
    assert "…" in lines[5]
    assert "\x1b[1;31mfailed" in lines[5]


def test_all_there_is_to_say_of_a_job(typed: Typed) -> None:
    told = typed("jobs.show 2 3")
    assert "attempt   1: failed (TemplateFailure) on here:1, begun " in told
    assert "  >    3  {{ no }}\n" in told
    for part in (
        "job 2  failed  b.html",
        "1, 1 of them failed, the last by here:1",
        "entry edited by ada (change 7), 0 s ago",
        "comment added by reader (change 9), 2 times",
        "TemplateFailure: entry.html, line 3: no.",
        "deep in it",
        "job 3  running  c.html",
        "here:1, for 0 s",
    ):
        assert part in told
    (job,) = json.loads(typed("jobs.show 2 --json"))
    assert (job["state"], job["attempt"], job["trace"]) == ("failed", 1, "Traceback\n  deep in it")
    assert [(t["reason"], t["times"]) for t in job["chain"]] == [("entry edited", 1), ("comment added", 2)]
    assert "77: there is no job with this id." in typed("jobs.show 77", status=1)


def test_deleting(typed: Typed) -> None:
    told = typed("jobs.delete 1 2 3 4", status=1)
    assert told.splitlines() == [
        "1 failed: now cancelled",
        "1 pending: now cancelled",
        "1 done: left alone",
        "1 running: left alone",
    ]
    assert states(typed) == {1: "done", 2: "cancelled", 3: "running", 4: "cancelled", 5: "pending", 6: "pending"}


def test_deleting_what_a_filter_matches(typed: Typed) -> None:
    before = states(typed)
    typed("jobs.delete", status=3)
    typed("jobs.delete --all-matching", status=3)
    assert "Add --all-matching" in typed("jobs.delete --site news", status=3)
    assert typed("jobs.delete --site news --all-matching --dry-run") == "3 pending: would become cancelled\n"
    assert states(typed) == before
    done = json.loads(typed("jobs.delete --path news/*.html --all-matching --json"))
    assert done == {
        "dry_run": False,
        "changed": [{"from": "pending", "to": "cancelled", "jobs": 2}],
        "left": {},
        "missing": [],
    }
    assert typed("jobs.delete --site moon --all-matching") == "No job matches.\n"


def test_trying_again(typed: Typed) -> None:
    assert typed("jobs.retry --state failed --all-matching") == "1 failed: now pending\n"
    assert states(typed)[2] == "pending"
    assert typed("jobs.retry 2", status=1) == "1 pending: left alone\n"


def test_putting_first(typed: Typed) -> None:
    assert "Give the new priority" in typed("jobs.prioritise 6", status=3)
    assert typed("jobs.prioritise 6 --to 30 --dry-run") == "1 pending: would become priority 30\n"
    assert typed("jobs.prioritise 6 --to 30") == "1 pending: now priority 30\n"
    assert listed(typed, "--state pending") == ["news/f.html", "news/d.xml", "news/e.html"]
    assert typed("jobs.prioritise --priority 30 --all-matching --to=-1") == "1 pending: now priority -1\n"
    assert listed(typed, "--state pending") == ["news/d.xml", "news/e.html", "news/f.html"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("jobs.list twelve", "“twelve” is not a job id"),
        ("jobs.list --state stuck", "“stuck” is not a state; use pending, running,"),
        ("jobs.list --sort size", "“size” is not an order"),
        ("jobs.list --priority 3-5", "write 9, 5.., ..5 or 3..7"),
        ("jobs.list --priority ..", "is not a priority"),
        ("jobs.list --older soon", "--older: “soon” is no length of time"),
        ("jobs.show", "Give the ids of the jobs"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(typed: Typed, line: str, sentence: str) -> None:
    told = typed(line, status=3)
    assert sentence in told
    assert len(told.splitlines()) == 1


def test_an_option_that_may_be_repeated_is_one_word_each(typed: Typed) -> None:
    assert "there is no site “moon”" in typed("publish --site moon", status=3)
    assert typed("publish --site blog --site news").splitlines()[1].startswith("news: ")


def test_words_are_told_from_values() -> None:
    line = ["jobs.list", "12", "--state", "failed", "13", "--limit=3", "--sort", "-age", "14"]
    assert split_arguments(line) == (
        ["jobs.list", "--state", "failed", "--limit=3", "--sort", "-age"],
        ["12", "13", "14"],
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (59.4, "59 s"), (90, "2 min"), (7200, "2 h"), (86400 * 9, "9 d")]
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert job_output.format_duration(seconds) == words


def test_counts_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    values: dict[str, Any] = {"pending": 1204, "failed": 2}
    job_output.print_counts(values)
    job_output.print_counts({})
    assert capsys.readouterr().out == "1,204 pending · 2 failed\nno jobs\n"

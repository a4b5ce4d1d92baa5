"""Commands about jobs print the same and leave the same audit rows on the host and by the API."""

from __future__ import annotations

import re

import pytest

from appliance.queue import store
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from tests.api_client.comparison import acts
from tests.api_client.conftest import Installation, Make, Told

pytestmark = pytest.mark.slow

#: Commands in the order in which people give them. See `fill` for the jobs.
LINES = (
    "jobs.list",
    "jobs.list --json",
    "jobs.list --site=news --sort=-path --limit=2",
    "jobs.list --site=nosuch",
    "jobs.list --sort=priority --limit=0",
    "jobs.list --sort=nosuch",
    "jobs.list --state=failed --state=done --json",
    "jobs.list --priority=4..5 --sort=id",
    "jobs.list --priority=..-1",
    "jobs.list --path=news/*.html --not-path=f",
    "jobs.list --error=entry.html --kind=publish --worker=here:1",
    "jobs.list --older=1d",
    "jobs.list --within=1h --sort=-error",
    "jobs.list 1 4 999999999999999999999999",
    "jobs.show 2",
    "jobs.show 2 --json",
    "jobs.show 7 99 3",
    "jobs.show",
    "jobs.retry 2 --dry-run",
    "jobs.retry 2 1",
    "jobs.retry 2 99",
    "jobs.retry --state=failed --all-matching",
    "jobs.retry --state=failed",
    "jobs.prioritise 4 5 --to=77",
    "jobs.prioritise --path=news/* --not-path=xml --all-matching --to=-3 --json",
    "jobs.prioritise 4 --to=soon",
    "jobs.prioritise 4",
    "jobs.delete 3",
    "jobs.delete 4 99 --json",
    "jobs.delete --site=news --priority=..10 --all-matching --dry-run",
    "jobs.delete --site=news --priority=..10 --all-matching",
    "jobs.delete --site=nosuch --all-matching",
    "jobs.delete",
    "jobs.list --sort=id",
)
_AGE = re.compile(r'\b\d+ s\b|("\w+_at": )[\d.]+|("run_at": )[\d.]+')


def fill(one: Installation) -> None:
    """Make seven jobs: 1 done, 2 failed, 3 running, 4 to 7 waiting, and the last is of no site."""
    with one.opened():
        causes = [Cause("entry edited", "ada", 7), Cause("comment added", "reader", 9, 2)]
        for key, priority in {"a.html": 10, "b.html": 9, "c.html": 8}.items():
            enqueue("publish", [JobRequest(key, priority, "blog")], ageing=60.0, causes=causes)
        done, failed, _ = store.claim("here:1", ["publish"], 3, 3000.0)
        store.complete({done: "changed"})
        fault = store.FailureDetails("TemplateFailure", "entry.html, line 3: no.", "Traceback\n  deep in it")
        store.fail(failed, fault, retry_after=None)
        for key, priority in {"news/d.xml": 5, "news/e.html": 4, "news/f.html": 3}.items():
            enqueue("publish", [JobRequest(key, priority, "news", payload="{}")], ageing=60.0, causes=causes)
        enqueue("verify target", [JobRequest("front1", 1)], ageing=60.0)


def settled(told: Told) -> tuple[str, str, int]:
    return _AGE.sub(r"\1\2", told.out), told.error, told.status


def test_jobs_are_seen_and_acted_on_as_on_the_host(make: Make) -> None:
    host, elsewhere = make("blog", "news"), make("blog", "news")
    fill(host)
    fill(elsewhere)
    for line in LINES:
        assert settled(elsewhere.remote(line)) == settled(host.local(line)), line
    assert acts(elsewhere) == acts(host)
    assert {row.via for row in elsewhere.audit() if row.actor == "ada"} == {"api"}
    assert [row["action"] for row in acts(host)].count("job.prioritise") == 2


def test_only_jobs_of_sites_with_a_role_are_there(make: Make) -> None:
    one = make("blog", "news")
    fill(one)
    editor = one.make_token("eve", blog="editor", news="viewer")
    assert [line.split()[0] for line in one.remote("jobs.list --sort=id", token=editor).out.splitlines()[1:-1]] == list(
        "123456"
    )
    news = one.make_token("ned", news="editor")
    assert one.remote("jobs.list 1 2 7", token=news).out == "no jobs\n"
    assert one.remote("jobs.show 2", token=news) == Told("", "2: there is no job with this id.\n", 1)
    assert one.remote("jobs.retry 2 --json", token=news).status == 1
    assert one.remote("jobs.list --site=blog", token=news).out == "no jobs\n"
    one.remote("jobs.prioritise --priority=-9.. --all-matching --to=50", token=news)
    found = one.local("jobs.list --priority=50 --sort=id --json").out
    assert re.findall(r'"id": (\d)', found) == ["4", "5", "6"]
    for line in ("jobs.delete 4", "jobs.prioritise 5 --to=9", "jobs.retry --site=news --all-matching"):
        refused = one.remote(line, token=editor)
        assert (refused.out, refused.status) == ("", 1), line
        assert "allow" in refused.error
    viewer = one.make_token("vic", everywhere="viewer")
    shown = one.remote("jobs.show 2 4 --json", token=viewer).out
    assert re.findall(r'"(?:trace|payload)": (.*),', shown) == ["null"] * 4

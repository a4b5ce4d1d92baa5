"""The page of a job and the failures, as a client without scripts sees them, on each database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import html5lib
import pytest
from werkzeug.test import TestResponse

from appliance import audit, db, editorial
from appliance.accounts import sessions, users
from appliance.building import comparison_job, comparisons
from appliance.queue import administration, failure_groups, job_search, store
from appliance.queue.attempts import Attempt
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.failures import FailureDetails
from appliance.web.admin.app import create_app
from appliance.web.admin.dashboard.attempt_chart import attempt_chart
from appliance.web.admin.dashboard.search_links import link_to_group
from tests.conftest import empty_database
from tests.local_site import LocalSite, archive, index, local_site
from tests.statements import count_statements

URL = "https://admin.example"
SITES = [
    {"name": name, "title": name.title(), "url": f"https://{name}.example/", "folder": name}
    for name in ("blog", "news")
]
MANIFEST = index("index.html") + archive("entry", "{slug}.html")
BROKEN = "<h1>\n{{ entry.titel }}\n</h1>\n"


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalSite]:
    settings: dict[str, Any] = {"admin": {"url": URL}}
    settings |= empty_database(request)
    with local_site(tmp_path, MANIFEST, sites=SITES, **settings) as made:
        yield made


@dataclass
class Person:
    """Somebody who has signed in, with a browser without scripts."""

    shop: LocalSite
    name: str
    roles: dict[str, Any]

    def __post_init__(self) -> None:
        user = users.add_user(self.name, f"{self.name}@example.org", roles=self.roles)
        secret, _ = sessions.start(user, "192.0.2.1", factors=["password", "totp"])
        app = create_app(self.shop.config)
        app.testing = False
        self.client = app.test_client()
        self.client.set_cookie("__Host-appliance", secret, domain="admin.example", secure=True)

    def get(self, path: str, region: str = "", tag: str = "") -> TestResponse:
        """Fetch a page, which must be valid."""
        headers = {"HX-Region": region, "If-None-Match": tag}
        found = self.client.get(path, base_url=URL, headers={k: v for k, v in headers.items() if v})
        if found.text and not region:
            html5lib.HTMLParser(strict=True).parse(found.text)
        return found

    def post(self, path: str, **fields: Any) -> TestResponse:
        """Send a form, and return the page that it leads to."""
        sent = self.client.post(path, data=fields, base_url=URL, headers={"Sec-Fetch-Site": "same-origin"})
        return self.get(sent.headers["Location"]) if sent.status_code == 303 else sent

    def act(self, path: str, button: str, **more: Any) -> TestResponse:
        """Use a button of a page, with what its form sends, and return the page that it leads to."""
        hidden = re.findall(r'<input type="hidden"(?: form="act")? name="(\w+)" value="([^"]*)">', self.get(path).text)
        return self.post(button, **{**dict(hidden), **more})


@pytest.fixture
def ada(shop: LocalSite) -> Person:
    return Person(shop, "ada", {"*": "admin"})


def break_template(shop: LocalSite, *titles: str) -> list[int]:
    """Publish entries by a template that fails; return the failed jobs, the first one first."""
    (shop.folder / "theme" / "entry.html").write_text(BROKEN, "utf-8")
    for title in titles:
        editorial.add_entry(shop.config, "blog", title, status="published", later=True)
    shop.publish()
    shop.drain()
    rows = db.execute("SELECT id FROM job WHERE state = 'failed' ORDER BY key").fetchall()
    return [job for (job,) in rows]


def test_a_failed_job_says_why_it_exists_and_which_line_of_the_theme_failed(shop: LocalSite, ada: Person) -> None:
    (job,) = break_template(shop, "Fog")
    text = ada.get(f"/jobs/{job}").text
    for part in (
        "blog/fog.html", "Failed", "<code>{{ entry.titel }}</code>", "line 2", "entry.html", "TemplateFailure",
        "Stack trace", "Entry added", "Fog", "What changed", "/audit/", "Retry", "What it depends on", "not yet",
    ):  # fmt: skip
        assert part in text, part
    assert '<li class="fault" aria-current="true"><code>{{ entry.titel }}</code></li>' in text


def test_the_lines_and_the_trace_are_for_those_who_may_retry(shop: LocalSite) -> None:
    (job,) = break_template(shop, "Fog")
    shown = Person(shop, "vera", {"blog": "viewer"}).get(f"/jobs/{job}").text
    assert "TemplateFailure" in shown
    for part in ("Stack trace", "entry.titel", "Traceback", "/retry", "/compare"):
        assert part not in shown, part
    edited = Person(shop, "ines", {"blog": "editor"}).get(f"/jobs/{job}").text
    assert "Traceback" in edited
    assert "/delete" not in edited
    stranger = Person(shop, "nils", {"news": "admin"})
    assert stranger.get(f"/jobs/{job}").status_code == 404
    assert stranger.post(f"/jobs/{job}/retry").status_code == 404
    assert stranger.get("/failures").text.count("<tr>") == 0


def test_retry_after_the_template_is_mended_publishes(shop: LocalSite, ada: Person) -> None:
    (job,) = break_template(shop, "Fog")
    (shop.folder / "theme" / "entry.html").write_text("{{ entry.title }}!\n", "utf-8")
    bob = Person(shop, "bob", {"*": "admin"})
    seen = dict(
        re.findall(r'<input type="hidden" form="act" name="(job)" value="([^"]*)">', bob.get(f"/jobs/{job}").text)
    )
    assert "1 job waits again" in ada.act(f"/jobs/{job}", f"/jobs/{job}/retry").text
    stale = bob.post(f"/jobs/{job}/retry", form="of bob", **seen).text
    assert "1 job was left alone" in stale
    assert "by ada" in stale
    shop.drain()
    assert shop.text("blog/fog.html") == "Fog!"
    text = ada.get(f"/jobs/{job}").text
    assert "the file changed" in text
    assert text.count('<th scope="row">') >= 2, "both attempts"
    assert "<dt>Templates</dt><dd><code>entry.html</code></dd>" in text
    assert 'Fog <span class="soft">entry' in text
    assert [row.subject_id for row in audit.list_audit(audit.AuditFilter(action="job.retry")).rows] == [str(job)]


def test_priority_of_a_waiting_job(shop: LocalSite, ada: Person) -> None:
    enqueue("publish", [JobRequest("blog/a.html", 5, "blog")], ageing=60.0, causes=[Cause("entry edited", "ines")])
    (job,) = db.execute("SELECT id FROM job WHERE key = 'blog/a.html'").fetchone()
    page, prioritise = f"/jobs/{job}", f"/jobs/{job}/prioritise"
    assert "1 job has priority -30 now" in ada.act(page, prioritise, priority="-30").text
    assert db.execute("SELECT priority FROM job WHERE id = ?", [job]).fetchone()[0] == -30
    for wrong in ("", "x", "1.5", "99999", "--1"):
        assert "whole number" in ada.act(page, prioritise, priority=wrong).text
    assert "by ines" in ada.get(page).text


def test_a_waiting_job_is_run_now_and_a_deleted_one_comes_back(shop: LocalSite, ada: Person) -> None:
    enqueue("publish", [JobRequest("blog/a.html", 5, "blog")], ageing=60.0, delay=3600.0)
    (job,) = db.execute("SELECT id FROM job WHERE key = 'blog/a.html'").fetchone()
    page = f"/jobs/{job}"
    assert "Waits, and is due" in ada.get(page).text
    assert "1 job is next in the queue" in ada.act(page, f"{page}/run").text
    assert "Waits for a worker" in ada.get(page).text
    deleted = ada.act(page, f"{page}/delete").text
    assert "1 job is deleted" in deleted
    (undo,) = re.findall(r'action="(/jobs/undo/\d+)"', deleted)
    assert db.execute("SELECT state FROM job WHERE id = ?", [job]).fetchone()[0] == "cancelled"
    assert "The deletion is undone" in ada.post(undo, q=f"id:{job}").text
    assert db.execute("SELECT state FROM job WHERE id = ?", [job]).fetchone()[0] == "pending"
    assert "1 job is deleted" in ada.act(page, f"{page}/delete").text, "the same once more is another form"


def test_a_comparison_is_built_by_a_worker_and_shown_without_scripts(shop: LocalSite, ada: Person) -> None:
    editorial.add_entry(shop.config, "blog", "Fog", status="published", later=True)
    shop.publish()
    shop.drain()
    (job,) = db.execute("SELECT id FROM job WHERE key = 'blog/fog.html'").fetchone()
    (shop.folder / "theme" / "entry.html").write_text("<b>{{ entry.title }}</b>\n", "utf-8")
    waiting = ada.post(f"/jobs/{job}/compare").text
    assert "A worker builds the file" in waiting
    assert 'id="comparison" data-live="1"' in waiting
    tag = ada.get(f"/jobs/{job}", region="comparison").headers["ETag"]
    comparisons.save("blog/fog.html", comparison_job.compare(shop.config, "blog/fog.html"))
    region = ada.get(f"/jobs/{job}", region="comparison", tag=tag)
    assert region.status_code == 200
    assert "<html" not in region.text
    text = ada.get(f"/jobs/{job}").text
    assert "<ins>&lt;b&gt;Fog&lt;/b&gt;</ins>" in text
    assert "<del>Fog|" in text
    assert "data-live" not in text.partition('id="comparison"')[2].partition(">")[0]
    (plan,) = db.execute("SELECT id FROM job WHERE kind <> 'publish' AND kind <> 'compare' LIMIT 1").fetchone() or (0,)
    if plan:
        assert "nothing to compare" in ada.post(f"/jobs/{plan}/compare").text


def test_a_poll_says_nothing_when_nothing_has_changed_and_is_cheap(shop: LocalSite, ada: Person) -> None:
    (job,) = break_template(shop, "Fog")
    first = ada.get(f"/jobs/{job}", region="job")
    again = ada.get(f"/jobs/{job}", region="job", tag=first.headers["ETag"])
    assert (again.status_code, again.text) == (304, "")
    polled = count_statements(lambda: ada.get(f"/jobs/{job}", region="job"))
    whole = count_statements(lambda: ada.get(f"/jobs/{job}"))
    assert polled <= 20
    assert whole <= 55
    for _ in range(5):
        enqueue("publish", [JobRequest(f"blog/{_}.html", scope="blog")], ageing=60.0)
    assert count_statements(lambda: ada.get(f"/jobs/{job}")) == whole


def test_failures_are_grouped_linked_and_retried_after_a_question(shop: LocalSite, ada: Person) -> None:
    break_template(shop, "Fog", "Gulls", "Tide")
    text = ada.get("/failures").text
    assert text.count("Retry all") == 1
    assert "3<span" in text
    assert "entry.html:2" in text
    assert "/jobs?q=state%3Afailed+site%3Ablog+kind%3Apublish+template%3Aentry.html" in text
    (name,) = db.execute("SELECT DISTINCT fault FROM job WHERE state = 'failed'").fetchone()
    assert "Retry all 3" in ada.get(f"/failures/{name}/retry").text
    page = f"/failures/{name}/retry"
    more = ada.act(page, page, expected="2")
    assert (more.status_code, "nothing was done" in more.text) == (409, True)
    assert "3 jobs wait again" in ada.act(page, page).text
    assert "No job is failed" in ada.get("/failures").text
    assert "is failed any more" in ada.post(page, expected="3").text
    assert ada.get("/failures?act=1").status_code == 200


def test_the_link_of_a_group_selects_its_jobs(shop: LocalSite, ada: Person) -> None:
    break_template(shop, "Fog", "Gulls 2", 'A "quoted" tide')
    enqueue("mail", [JobRequest("a/1", scope="news"), JobRequest("b/2", scope="news")], ageing=60.0)
    for claim in store.claim("host:1", ["mail"], 2, 30.0):
        odd = f'mail.example:25: "{claim.key}" -refused: state:done, it said, after 12 s\nsecond line'
        store.fail(claim, FailureDetails("OSError", odd, ""), retry_after=None)
    groups, _ = failure_groups.list_groups()
    assert [group.number.number for group in groups] == [2, 3]
    for group in groups:
        (text,) = parse_qs(urlsplit(link_to_group(group)).query)["q"]
        search = job_search.parse(text, ["blog", "news"])
        assert search.problems == ()
        assert administration.count(search.filter)["failed"] == group.number.number


def test_failures_cost_the_same_queries_for_any_number(shop: LocalSite, ada: Person) -> None:
    def fail(*keys: str) -> None:
        enqueue("mail", [JobRequest(key, scope="blog") for key in keys], ageing=60.0)
        for claim in store.claim("host:1", ["mail"], len(keys), 30.0):
            store.fail(claim, FailureDetails("OSError", f"error {'x' * len(claim.key)}", ""), retry_after=None)

    fail("a")
    few = count_statements(lambda: ada.get("/failures"))
    fail(*("b" * length for length in range(2, 30)))
    assert ada.get("/failures").text.count("Retry all") == 29
    assert count_statements(lambda: ada.get("/failures")) == few <= 20


def test_jobs_of_no_site_are_for_roles_on_all_sites(shop: LocalSite, ada: Person) -> None:
    enqueue("purge", [JobRequest("cdn")], ageing=60.0)
    (claim,) = store.claim("host:1", ["purge"], 1, 30.0)
    store.fail(claim, FailureDetails("OSError", "The cache is away.", ""), retry_after=None)
    assert "The cache is away." in ada.get("/failures").text
    assert ada.get(f"/jobs/{claim.id}").status_code == 200
    of_one = Person(shop, "ines", {"blog": "admin"})
    assert "The cache is away." not in of_one.get("/failures").text
    assert of_one.get(f"/jobs/{claim.id}").status_code == 404


def test_other_jobs_with_the_same_key_are_shown_of_ones_own_sites_alone(shop: LocalSite, ada: Person) -> None:
    """A file can have belonged to another site, whose folder was another then."""
    (job,) = break_template(shop, "Fog")
    enqueue("publish", [JobRequest("blog/fog.html", scope="news")], ageing=60.0)
    db.execute("UPDATE job SET reason = 'secret of the news' WHERE scope = 'news'")
    assert "secret of the news" in ada.get(f"/jobs/{job}").text
    shown = Person(shop, "ines", {"blog": "editor"}).get(f"/jobs/{job}").text
    assert "Fog" in shown
    assert "secret of the news" not in shown


def test_attempts_are_drawn_on_a_line_of_time() -> None:
    def attempt(number: int, due: float, started: float, ended: float | None, result: str) -> Attempt:
        return Attempt(number, 1, "here:1", due, started, ended, result)

    attempts = [
        attempt(1, 100, 100, 110, "failed"),
        attempt(2, 120, 150, 160, "lost"),
        attempt(3, 180, 200, None, "running"),
    ]
    assert attempt_chart(attempts[:1], 300) is None, "the table is enough"
    chart = attempt_chart(attempts, 300)
    assert chart is not None
    assert [bar.mark for bar in chart.bars] == ["bad", "bad", "busy"]
    assert [(bar.waits_from, bar.waits, bar.runs_from, bar.runs) for bar in chart.bars] == [
        (0, 0, 0, 50), (100, 150, 250, 50), (400, 100, 500, 500),
    ]  # fmt: skip
    assert chart.sentence == "3 attempts in 3 min, 2 of which failed."
    at_once = attempt_chart([attempt(number, 5, 5, 5, "changed") for number in range(90)], 5)
    assert at_once is not None
    assert len(at_once.bars) == 20
    assert all(bar.runs_from >= 0 and bar.runs > 0 and bar.runs_from + bar.runs <= 1000 for bar in at_once.bars)


def test_the_drawing_is_told_to_those_who_cannot_see_it(shop: LocalSite, ada: Person) -> None:
    (job,) = break_template(shop, "Fog")
    assert "<svg" not in ada.get(f"/jobs/{job}").text
    db.execute(
        "INSERT INTO job_attempt (job_id, number, times, worker, due_at, started_at, ended_at, result, error_class,"
        " error_message, about) VALUES (?, 0, 1, 'here:1', 5, 6, 7, 'failed', 'X', '', '')", [job],
    )  # fmt: skip
    assert re.search(
        r'<svg [^>]*role="img" aria-label="2 attempts in [^"]*, 2 of which failed."', ada.get(f"/jobs/{job}").text
    )

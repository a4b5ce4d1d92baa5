"""The list of jobs as clients without scripts use it, on each database."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import html5lib
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from appliance import audit, db
from appliance.accounts import sessions, users
from appliance.audit import AuditFilter
from appliance.config import Config
from appliance.content import sites
from appliance.queue import administration, store, undeletion
from appliance.queue.administration import JobFilter
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.failures import FailureDetails
from appliance.web.admin.app import create_app
from tests import growth
from tests.conftest import MakeConfig, empty_database
from tests.statements import count_statements

URL = "https://admin.example"
SITES = [
    {"name": name, "title": name.title(), "url": f"https://{name}.example/", "folder": name}
    for name in ("blog", "news")
]
AGEING = 60.0


@pytest.fixture(params=["sqlite", "postgresql"])
def config(request: pytest.FixtureRequest, make_config: MakeConfig) -> Iterator[Config]:
    settings: dict[str, Any] = {"sites": SITES, "admin": {"url": URL}}
    settings |= empty_database(request)
    made = make_config(**settings)
    opened = db.connect(made)
    sites.sync(made)
    db.execute("DELETE FROM job")
    yield made
    opened.close()


@dataclass
class Person:
    """Somebody who has signed in, with a browser without scripts."""

    app: Flask
    name: str
    roles: dict[str, Any]

    def __post_init__(self) -> None:
        user = users.add_user(self.name, f"{self.name}@example.org", roles=self.roles)
        secret, _ = sessions.start(user, "192.0.2.1", factors=["password", "totp"])
        self.client = self.app.test_client()
        self.client.set_cookie("__Host-appliance", secret, domain="admin.example", secure=True)

    def get(self, path: str, status: int = 200, **headers: str) -> str:
        """Fetch a page, which must be valid."""
        return self._checked(self.client.get(path, base_url=URL, headers=headers), status)

    def post(self, path: str, fields: Any, status: int = 303) -> TestResponse:
        """Send a form of ours."""
        headers = {"Sec-Fetch-Site": "same-origin"}
        sent = self.client.post(path, data=fields, base_url=URL, headers=headers)
        self._checked(sent, status)
        return sent

    def send(self, page: str, button: str, ids: list[int], **more: str) -> str:
        """Select jobs in a page that was fetched, use a button, and return the page that follows."""
        tokens = [found for found in re.findall(r'name="job" value="([^"]+)"', page) if int(found.split(".")[0]) in ids]
        form = {name: field(page, name) for name in ("form", "q", "order", "after") if field(page, name)}
        return self.get(self.post(button, {**form, **more, "job": tokens}).headers["Location"])

    @staticmethod
    def _checked(response: TestResponse, status: int) -> str:
        assert response.status_code == status, response.text
        if response.mimetype == "text/html" and response.text:
            text = response.text
            whole = text if text.startswith("<!") else f"<!DOCTYPE html><title>x</title>{text}"
            html5lib.HTMLParser(strict=True).parse(whole)
        return response.text


def field(page: str, name: str) -> str:
    """The value of a hidden field, the last one of that name: those of the list."""
    found = re.findall(rf'<input type="hidden" name="{name}" value="([^"]*)"', page)
    return unescape(found[-1]) if found else ""


def words(page: str) -> str:
    """The text of a page without its markup."""
    text = re.sub(r"<(script|style|dialog).*?</\1>", " ", page, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def shown(page: str) -> list[str]:
    """The paths of the rows of a list."""
    return re.findall(r'<tr id="job-\d+">.*?class="path">([^<]*)<', page, flags=re.S)


@pytest.fixture
def app(config: Config) -> Flask:
    made = create_app(config)
    made.testing = False
    return made


@pytest.fixture
def ada(app: Flask) -> Person:
    return Person(app, "ada", {"*": "admin"})


def ask_for(*keys: str, site: str = "blog", priority: int = 5, template: str = "entry.html") -> list[int]:
    """Enqueue jobs; return their ids."""
    requests = [JobRequest(key, priority, site, template=template) for key in keys]
    enqueue("publish", requests, ageing=AGEING, causes=[Cause("entry edited", "ines")])
    rows = {row.key: row.id for row in administration.find(JobFilter(states=["pending"]), limit=1000)}
    return [rows[key] for key in keys]


def fail(*keys: str, error: str = "TemplateError", message: str = "no filter named shout") -> None:
    for claim in store.claim("pub1:7", ["publish"], 1000, 30.0, keys=keys):
        store.fail(claim, FailureDetails(error, message, ""), retry_after=None)


def states() -> dict[str, str]:
    return {row.key: row.state for row in administration.find(JobFilter(), "id", 1000)}


def test_tabs_search_and_columns(ada: Person) -> None:
    ask_for("blog/a/index.html", "blog/b/index.html")
    ask_for("news/feed.xml", site="news", priority=9, template="feed.xml")
    fail("blog/a/index.html")
    page = ada.get("/jobs")
    assert shown(page) == ["news/feed.xml", "blog/b/index.html", "blog/a/index.html"]
    assert "All 3 Pending 2 Running 0 Done 0 Failed 1" in words(page)
    failed = ada.get("/jobs?q=state%3Afailed+error%3A%22filter+named%22")
    assert shown(failed) == ["blog/a/index.html"]
    assert "Jobs for which: the state is failed; the error contains “filter named”." in words(failed)
    assert "no filter named shout" in words(failed) and "TemplateError: no filter named shout" in failed
    assert "pub1:7" in words(failed)
    assert shown(ada.get("/jobs?q=template%3Afeed.xml")) == ["news/feed.xml"]
    assert shown(ada.get("/jobs?q=-site%3Anews&order=-path")) == ["blog/b/index.html", "blog/a/index.html"]
    assert "No job matches." in ada.get("/jobs?q=nowhere")
    assert ada.get("/jobs?q=state%3Afailed").count('aria-current="page"') >= 2


def test_a_search_with_a_mistake_shows_nothing_and_says_why(ada: Person) -> None:
    ask_for("a")
    page = ada.get("/jobs?q=state%3Afialed", 422)
    assert "Do you mean “failed”?" in words(page)
    assert shown(page) == []
    asked = ada.get("/jobs/all/delete?q=state%3Afialed", 422)
    assert "No job to delete" in words(asked)


def test_the_whole_view_is_in_the_address(ada: Person) -> None:
    ask_for(*(f"p/{n:03}" for n in range(120)))
    first = ada.get("/jobs?q=path%3Ap%2F+state%3Apending&order=path")
    following = unescape(re.findall(r'href="([^"]+)" rel="next"', first)[0])
    assert dict(parse_qsl(urlsplit(following).query)).keys() == {"q", "order", "after"}
    assert shown(ada.get(following))[0] == "p/050"
    sort = unescape(re.findall(r'href="([^"]+order=priority)"', ada.get(following))[0])
    assert dict(parse_qsl(urlsplit(sort).query)) == {"q": "path:p/ state:pending", "order": "priority"}


def test_a_deletion_is_told_and_undone(ada: Person) -> None:
    ids = ask_for("a", "b", "c")
    page = ada.get("/jobs?q=state%3Apending")
    told = ada.send(page, "/jobs/delete", ids[:2])
    assert "2 jobs are deleted." in words(told)
    assert shown(told) == ["c"]
    (address,) = re.findall(r'action="(/jobs/undo/\d+)"', told)
    back = ada.get(ada.post(address, {"q": "state:pending"}).headers["Location"])
    assert "The deletion is undone." in words(back)
    assert shown(back) == ["a", "b", "c"]
    assert ada.post(address, {}).headers["Location"] == "/jobs?done=undone-before"
    assert [row.action for row in audit.list_audit(AuditFilter(actor="ada")).rows][:2] == ["job.undelete", "job.delete"]


def test_an_undo_that_comes_too_late_is_refused(ada: Person) -> None:
    ids = ask_for("a")
    told = ada.send(ada.get("/jobs"), "/jobs/delete", ids)
    (address,) = re.findall(r'action="(/jobs/undo/\d+)"', told)
    db.execute("UPDATE job_act SET at = at - ?", [undeletion.LIMIT + 1])
    assert ada.post(address, {}).headers["Location"] == "/jobs?done=undo-late"
    assert states() == {"a": "cancelled"}


def test_retry_run_now_and_priority(ada: Person) -> None:
    first, second = ask_for("a", "b")
    fail("a")
    told = ada.send(ada.get("/jobs"), "/jobs/retry", [first])
    assert "1 job waits again." in words(told)
    told = ada.send(ada.get("/jobs"), "/jobs/prioritise", [first, second], priority="9")
    assert "2 jobs have priority 9 now." in words(told)
    assert {row.priority for row in administration.find(JobFilter())} == {9}
    told = ada.send(ada.get("/jobs"), "/jobs/run", [second])
    assert "1 job is next in the queue." in words(told)
    assert shown(told) == ["b", "a"]
    page = ada.get("/jobs")
    sent = ada.post("/jobs/prioritise", {"form": field(page, "form"), "priority": "high", "job": "1.pending.0.1.5"})
    assert sent.headers["Location"] == "/jobs?done=no-priority"


def test_one_job_has_buttons_of_its_own(ada: Person) -> None:
    ask_for("a", "b")
    page = ada.get("/jobs")
    (only, *_) = re.findall(r'name="only" value="([^"]+)" formaction="/jobs/run"', page)
    sent = ada.post("/jobs/run", {"form": field(page, "form"), "only": only, "job": ["999.pending.0.1.5"]})
    assert "1 job is next in the queue." in words(ada.get(sent.headers["Location"]))


def test_two_people_at_once(app: Flask, ada: Person) -> None:
    """What changed since the page was shown is left alone, and each is told what the other did."""
    bob = Person(app, "bob", {"*": "admin"})
    ids = ask_for("a", "b", "c", "d")
    hers, his = ada.get("/jobs"), bob.get("/jobs")
    bob.send(his, "/jobs/delete", ids[:2])
    store.claim("pub1:7", ["publish"], 1, 30.0, keys=["c"])
    told = words(ada.send(hers, "/jobs/delete", ids))
    assert "1 job is deleted. 3 jobs were left alone:" in told
    assert re.search(r"a was deleted by bob, (now|[\d.]+ m?s ago)", told)
    assert "c runs on pub1:7 by now" in told
    again = words(bob.send(his, "/jobs/delete", ids[3:]))
    assert "1 job was left alone: d was deleted by ada" in again
    assert states() == {"a": "cancelled", "b": "cancelled", "c": "running", "d": "cancelled"}


def test_a_form_that_is_sent_twice_acts_once_and_another_selection_acts(ada: Person) -> None:
    ids = ask_for("a", "b")
    page = ada.get("/jobs")
    assert "1 job is deleted." in words(ada.send(page, "/jobs/delete", ids[:1]))
    ids += ask_for("a")
    assert "1 job is deleted." in words(ada.send(page, "/jobs/delete", ids[:1]))
    assert "1 job is deleted." in words(ada.send(page, "/jobs/delete", ids[1:2]))
    assert sorted(states().values()) == ["cancelled", "pending"] or states() == {"a": "pending", "b": "cancelled"}
    assert "No job was selected" in words(ada.send(page, "/jobs/delete", []))


def answer(page: str, **more: str) -> dict[str, str]:
    names = ("form", "q", "expected", "newest", "at")
    return {name: field(page, name) for name in names} | more


def test_all_that_match_are_asked_about_before(ada: Person) -> None:
    ask_for(*(f"p/{n}" for n in range(70)))
    ask_for("other")
    page = ada.get("/jobs?q=path%3Ap%2F")
    (address,) = re.findall(r'href="(/jobs/all/delete[^"]*)"', page)
    asked = ada.get(unescape(address))
    assert "Delete 70 jobs?" in words(asked)
    assert "the path contains “p/”" in words(asked)
    ask_for("p/new")
    ask_for("p/7")
    told = words(ada.get(ada.post("/jobs/all/delete", answer(asked)).headers["Location"]))
    assert "69 jobs are deleted. 1 job changed after you were asked, and was left alone." in told
    assert {key for key, state in states().items() if state == "pending"} == {"other", "p/new", "p/7"}


def test_the_priority_of_all_that_match(ada: Person) -> None:
    ask_for("a", "b")
    asked = ada.get("/jobs/all/prioritise?q=state%3Apending")
    assert "Change the priority of 2 jobs?" in words(asked)
    refused = ada.post("/jobs/all/prioritise", answer(asked, priority="x"), 422).text
    assert "The priority is a whole number" in words(refused)
    told = words(ada.get(ada.post("/jobs/all/prioritise", answer(refused, priority="7")).headers["Location"]))
    assert "2 jobs have priority 7 now." in told


def test_when_more_match_than_were_counted_the_question_is_asked_again(ada: Person) -> None:
    ask_for("a", "b")
    asked = ada.get("/jobs/all/delete")
    again = ada.post("/jobs/all/delete", answer(asked, expected="1"), 422).text
    assert "2 jobs match now and not 1" in words(again)
    assert "Delete 2 jobs?" in words(again)
    assert states() == {"a": "pending", "b": "pending"}
    assert ada.post("/jobs/all/delete", answer(asked, at="soon"), 400)


def test_people_see_and_change_what_their_roles_allow(app: Flask, ada: Person) -> None:
    blog, news = ask_for("b"), ask_for("n", site="news")
    enqueue("mail", [JobRequest("no site")], ageing=AGEING)
    editor = Person(app, "ines", {"blog": "editor", "news": "viewer"})
    page = editor.get("/jobs")
    assert sorted(shown(page)) == ["b", "n"]
    assert 'formaction="/jobs/delete"' not in page
    assert page.count('name="job"') == 1
    sent = {"form": "1", "job": [f"{job}.pending.0.1.5" for job in (*blog, *news, 10**6)]}
    told = words(editor.get(editor.post("/jobs/run", sent).headers["Location"]))
    assert "1 job is next in the queue. 2 jobs were left alone: n is of news, where it is not for you" in told
    assert editor.post("/jobs/delete", sent, 403)
    stranger = Person(app, "viktor", {"news": "viewer"})
    assert shown(stranger.get("/jobs")) == ["n"]
    assert "“blog” is no site of yours." in words(stranger.get("/jobs?q=site%3Ablog", 422))
    assert "is next in the queue" not in stranger.get("/jobs?act=1")
    assert "“blog” is no" not in ada.get("/jobs?q=site%3Ablog")


def test_help_completes_and_explains(ada: Person) -> None:
    ask_for("a", template="archive.html")
    options = re.compile(r'<option value="([^"]*)"')
    assert options.findall(ada.get("/jobs/search-help?q=sta")) == ["state:"]
    assert options.findall(ada.get("/jobs/search-help?q=kind%3Apublish+-state%3Af")) == ["kind:publish -state:failed"]
    assert options.findall(ada.get("/jobs/search-help?q=template%3A")) == ["template:archive.html"]
    assert options.findall(ada.get("/jobs/search-help?q=site%3Ablog%2Cn")) == ["site:blog,news"]
    assert "the state is failed" in ada.get("/jobs/search-help?q=state%3Afailed")
    assert "is no state" in ada.get("/jobs/search-help?q=state%3Af")


def test_regions_answer_alone_and_only_what_is_new(ada: Person) -> None:
    ask_for("a")
    tabs = ada.get("/jobs", **{"HX-Region": "job-tabs"})
    assert "<h1>" not in tabs
    assert "Pending" in tabs
    answer = ada.client.get("/jobs", base_url=URL, headers={"HX-Region": "job-list"})
    tag = answer.headers["ETag"]
    again = ada.client.get("/jobs", base_url=URL, headers={"HX-Region": "job-list", "If-None-Match": tag})
    assert again.status_code == 304
    ask_for("b")
    later = ada.client.get("/jobs", base_url=URL, headers={"HX-Region": "job-list", "If-None-Match": tag})
    assert later.status_code == 200


VIEWS = ("", "state:pending", "state:failed", "state:done", "nowhere", "site:blog trigger:edited -kind:mail")


def test_a_page_takes_a_bounded_number_of_queries_and_little_time(config: Config, ada: Person) -> None:
    ask_for(*(f"p/{n}" for n in range(60)))
    fail(*(f"p/{n}" for n in range(30)))
    growth.finished_jobs(1000, 3000)

    def count(path: str) -> int:
        ada.get(path)
        return count_statements(lambda: ada.get(path))

    paths = [
        f"/jobs?{urlencode({'q': q, 'order': order})}" for q in VIEWS for order in ("", "path", "-age", "priority")
    ]
    few = {path: count(path) for path in paths}
    assert max(few.values()) <= 60
    ask_for(*(f"q/{n}" for n in range(200)))
    growth.finished_jobs(3001, 40_000)
    assert {path: (few[path], n) for path in paths if (n := count(path)) > few[path] + 2} == {}
    if not growth.is_server(config):
        begun = time.process_time()
        for path in paths:
            ada.get(path)
        assert (time.process_time() - begun) / len(paths) < 0.5

"""The public application as nginx sees it: the routes that exist, what every answer has, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import html5lib
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from appliance.config import WebSettings
from appliance.errors import IntakeUnavailable
from appliance.intake.messages import (
    Answer,
    CommentAnswer,
    DeleteAnswer,
    ErrorAnswer,
    FormAnswer,
    NoticeAnswer,
    PreviewAnswer,
    Problem,
    ReadyAnswer,
    Request,
    SearchAnswer,
    SearchResult,
    SiteAnswer,
)
from appliance.web.public import create_app, pages

SITE = SiteAnswer(name="blog", title="A <Blog>", url="https://blog.example/j/", root="/j/", language="en")
FORM = FormAnswer(site=SITE, title="The <harbour>", page="/j/harbour/", token="new-token", notices=True)
SNIPPET = (("The <b>", False), ("tide", True), ("</b> & more", False))
FOUND = SearchResult(title="<b>Tide</b>", page="/j/tide/", date="2026-11-02T00:00:00+00:00", snippet=SNIPPET)
POST = {"entry": "1", "name": "Ada", "text": "A comment."}
COMMENTS = "/-/blog/comments"


class Intake:
    """Answers as it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answers: dict[str, Answer | Exception] = {
            "form": FORM,
            "preview": PreviewAnswer(form=FORM, html="<p>Shown</p>"),
            "comment": self.comment("accepted", visible=True),
            "status": self.comment("accepted"),
            "delete": DeleteAnswer(site=SITE, page="/j/harbour/", outcome="possible", html="<p>Mine</p>"),
            "notice": NoticeAnswer(site=SITE, page="/j/harbour/", outcome="possible", title="The <harbour>"),
            "search": SearchAnswer(site=SITE, query="tide", results=(FOUND,), page=1, total=25),
            "site": SITE,
            "ready": ReadyAnswer(),
        }

    @staticmethod
    def comment(outcome: Any, **more: Any) -> CommentAnswer:
        """What became of a comment."""
        return CommentAnswer(outcome=outcome, site=SITE, page="/j/harbour/#comment-7", **{"receipt": "R&", **more})

    def ask(self, request: Request) -> Answer:
        """Answer."""
        self.asked.append(request)
        answer = self.answers[request.op]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
def client(intake: Intake) -> Iterator[FlaskClient]:
    yield create_app(WebSettings(path="/-/"), intake).test_client()


def post(
    client: FlaskClient, path: str = COMMENTS, headers: dict[str, str] | None = None, **fields: str
) -> TestResponse:
    return client.post(path, data={**POST, **fields}, headers=headers or {})


def test_the_intake_learns_who_asks(client: FlaskClient, intake: Intake) -> None:
    for path in ("comments?entry=1", "comments/form?entry=1", "comments/status?receipt=x", "comments/delete?receipt=x",
                 "notices/confirm?token=x", "notices/unsubscribe?token=x", "search", "search?q=x",
                 "opensearch.xml"):  # fmt: skip
        client.get(f"/-/blog/{path}", environ_base={"REMOTE_ADDR": "192.0.2.9"})
    post(client)
    assert len(intake.asked) == 10
    assert {asked.sender.address for asked in intake.asked[:-1]} == {"192.0.2.9"}  # type: ignore[union-attr]


def test_a_form_that_is_to_be_confirmed_is_shown_as_it_was_checked(client: FlaskClient, intake: Intake) -> None:
    intake.answers["comment"] = intake.comment("confirm", form=FORM, html="<p>Checked</p>")
    page = post(client).get_data(as_text=True)
    assert [asked.op for asked in intake.asked] == ["comment"]
    assert "<p>Checked</p>" in page
    assert "new-token" in page


def test_only_the_routes_of_the_contract_exist(client: FlaskClient) -> None:
    routes = {
        (rule.rule, frozenset((rule.methods or set()) - {"HEAD"})) for rule in client.application.url_map.iter_rules()
    }
    get, both = frozenset({"GET"}), frozenset({"GET", "POST"})
    comments = "/-/<site:site>/comments"
    assert routes == {
        (comments, get), (comments, frozenset({"POST"})), (f"{comments}/form", get), (f"{comments}/status", get),
        (f"{comments}/delete", both), ("/-/<site:site>/notices/confirm", both),
        ("/-/<site:site>/notices/unsubscribe", both), ("/-/<site:site>/search", get),
        ("/-/<site:site>/opensearch.xml", get), ("/-/static/<filename>", get),
        ("/healthz", get), ("/readyz", get), ("/metrics", get),
    }  # fmt: skip


PAGES = {
    "form": ("GET", f"{COMMENTS}?entry=1&parent=2", 200), "preview": ("POST", COMMENTS, 200),
    "status": ("GET", f"{COMMENTS}/status?receipt=R", 200), "delete": ("GET", f"{COMMENTS}/delete?receipt=R", 200),
    "notice": ("GET", "/-/blog/notices/unsubscribe?token=t", 200), "search": ("GET", "/-/blog/search?q=tide", 200),
    "nothing asked": ("GET", "/-/blog/search", 200), "missing": ("GET", "/-/blog/none", 404),
    "method": ("PUT", "/-/blog/search", 405), "no entry": ("GET", COMMENTS, 404),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_valid_and_closed_to_everything_else(client: FlaskClient, name: str) -> None:
    method, path, status = PAGES[name]
    answer = client.open(path, method=method, data={**POST, "action": "preview"} if method == "POST" else None)
    assert answer.status_code == status
    parser = html5lib.HTMLParser(strict=True)
    parser.parse(answer.get_data())
    text = answer.get_data(as_text=True)
    assert text.count("<h1") == 1
    assert "<Blog>" not in text
    assert "<harbour>" not in text
    assert "<b>Tide" not in text
    assert "<script" not in text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "Set-Cookie" not in answer.headers


def test_an_accepted_comment_leads_to_its_place_with_its_receipt(client: FlaskClient, intake: Intake) -> None:
    answer = post(client, token="T", topic="", notify="1")
    assert (answer.status_code, answer.location) == (303, "/j/harbour/?receipt=R%26#comment-7")
    (asked,) = intake.asked
    assert asked.model_dump(include={"op", "site", "token", "trap"}) == {
        "op": "comment", "site": "blog", "token": "T", "trap": "",
    }  # fmt: skip


def test_a_comment_that_is_not_shown_yet_is_looked_for_a_bounded_number_of_times(
    client: FlaskClient, intake: Intake
) -> None:
    intake.answers["comment"] = intake.comment("accepted")
    path = str(post(client).location)
    assert path == f"{COMMENTS}/status?receipt=R%26"
    for looks in range(1, 100):
        answer = client.get(path)
        if "Refresh" not in answer.headers:
            break
        path = answer.headers["Refresh"].partition("url=")[2]
        assert f"look={looks + 1}" in path
    assert 10 < looks < 60
    intake.answers["status"] = intake.comment("accepted", visible=True)
    assert client.get(path).location == "/j/harbour/?receipt=R%26#comment-7"


def test_a_held_comment_and_a_discarded_one_look_alike(client: FlaskClient, intake: Intake) -> None:
    pages = []
    for outcome in ("held", "discarded"):
        intake.answers["comment"] = intake.answers["status"] = intake.comment(outcome, delete_minutes=30)
        pages.append(client.get(post(client).location).get_data())
    assert pages[0] == pages[1]
    assert b"waits for approval" in pages[0]


@pytest.mark.parametrize("page", ["//evil.example/", "https://evil.example/", "/\\evil.example/"])
def test_no_redirect_leads_to_another_host(client: FlaskClient, intake: Intake, page: str) -> None:
    intake.answers["comment"] = CommentAnswer(outcome="accepted", site=SITE, page=page, visible=True, receipt="R")
    assert post(client).status_code == 404


def test_what_was_written_comes_back_with_what_is_wrong(client: FlaskClient, intake: Intake) -> None:
    problem = Problem(field="email", sentence="No “<address>”.")
    intake.answers["comment"] = intake.comment("refused", form=FORM, problems=(problem,))
    answer = post(client, name="<i>A</i>", email="no", text="\n</textarea><script>")
    assert answer.status_code == 422
    tree = html5lib.parse(answer.get_data(), namespaceHTMLElements=False)
    fields = {f.get("name"): f for f in tree.iter() if f.tag in ("input", "textarea")}
    assert fields["name"].get("value") == "<i>A</i>"
    assert fields["email"].get("aria-invalid") == "true"
    assert fields["text"].text == "\n</textarea><script>"
    assert fields["token"].get("value") == "new-token"
    assert [s.text for s in tree.iterfind(".//span[@class='problem']")] == ["No “<address>”."]


@pytest.mark.parametrize(
    ("answer", "status", "after"),
    [
        (IntakeUnavailable.__new__(IntakeUnavailable), 503, "10"),
        (ErrorAnswer(reason="busy", sentence=""), 429, "2"),
        (ErrorAnswer(reason="limited", sentence="", retry_after=33), 429, "33"),
    ],
)
def test_what_cannot_be_saved_now_is_kept(
    client: FlaskClient, intake: Intake, answer: Answer | Exception, status: int, after: str
) -> None:
    intake.answers["comment"] = answer
    got = post(client, text="Kept <words>", token="T")
    assert (got.status_code, got.headers["Retry-After"]) == (status, after)
    assert b"Kept &lt;words&gt;</textarea>" in got.get_data()
    assert b'name="token" value="T"' in got.get_data()


def test_an_outage_is_logged_once_a_minute_however_many_ask(
    client: FlaskClient, intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake.answers["comment"] = IntakeUnavailable.__new__(IntakeUnavailable)
    now, logged = 1000.0, list[int]()
    monkeypatch.setattr(pages.clock, "monotonic", lambda: now)
    monkeypatch.setattr(pages.log, "warning", lambda _event, error, others: logged.append(others))
    for _ in range(9):
        assert post(client).status_code == 503
    now += 61
    post(client)
    assert logged == [0, 8]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://localhost"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Referer": "https://evil.example/x"}, 403),
    ],
)
def test_forms_of_other_sites_are_refused(
    client: FlaskClient, intake: Intake, headers: dict[str, str], status: int
) -> None:
    assert post(client, headers=headers).status_code == status
    assert bool(intake.asked) == (status == 303)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"entry=1&text=x&text=y", "application/x-www-form-urlencoded", 400),
        (b"entry=1&text=%ff", "application/x-www-form-urlencoded", 400),
        (b"entry=1&text=" + b"x" * 70_000, "application/x-www-form-urlencoded", 413),
        (b"entry=1&" + b"&".join(b"f%d=" % n for n in range(40)), "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
        (b"entry=0&text=x", "application/x-www-form-urlencoded", 404),
        (b"entry=1&name=" + b"x" * 2001, "application/x-www-form-urlencoded", 413),
    ],
)
def test_a_body_that_is_no_form_of_ours_reaches_nobody(
    client: FlaskClient, intake: Intake, body: bytes, kind: str, status: int
) -> None:
    assert client.post(COMMENTS, data=body, content_type=kind).status_code == status
    assert intake.asked == []


def test_only_a_trusted_proxy_says_who_asks_and_only_its_last_word_counts(client: FlaskClient, intake: Intake) -> None:
    forwarded = {"X-Forwarded-For": "198.51.100.9, 203.0.113.7", "X-Appliance-Front-End": "www1"}
    post(client, headers=forwarded)
    client.post(COMMENTS, data=POST, headers=forwarded, environ_overrides={"REMOTE_ADDR": "192.0.2.66"})
    senders = [(asked.sender.address, asked.sender.front_end) for asked in intake.asked]  # type: ignore[union-attr]
    assert senders == [("203.0.113.7", "www1"), ("192.0.2.66", "")]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_is_for_this_host_is_not_passed_on(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200
    assert client.get(path, headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 404


def test_it_is_not_ready_without_the_intake(client: FlaskClient, intake: Intake) -> None:
    intake.answers["ready"] = ErrorAnswer(reason="unavailable", sentence="")
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_a_script_gets_a_token(client: FlaskClient, intake: Intake) -> None:
    assert json.loads(client.get(f"{COMMENTS}/form?entry=1").data) == {"token": "new-token", "closed": ""}
    intake.answers["form"] = ErrorAnswer(reason="missing", sentence="")
    assert client.get(f"{COMMENTS}/form?entry=1").status_code == 404


def test_opening_a_link_changes_nothing_and_a_mail_program_may_end_notices(client: FlaskClient, intake: Intake) -> None:
    for path in (f"{COMMENTS}/delete?receipt=R", "/-/blog/notices/unsubscribe?token=t"):
        client.get(path)
    client.post("/-/blog/notices/unsubscribe?token=t", data={"List-Unsubscribe": "One-Click"},
                content_type="multipart/form-data")  # fmt: skip
    client.post(f"{COMMENTS}/delete", data={"receipt": "R"})
    assert [asked.confirmed for asked in intake.asked] == [False, False, True, True]  # type: ignore[union-attr]


def searched(intake: Intake, *found: SearchResult, **more: Any) -> None:
    """Let the intake answer searches with this."""
    intake.answers["search"] = SearchAnswer(site=SITE, query="tide", results=found, **more)


def test_results_show_their_words_and_no_markup(client: FlaskClient) -> None:
    shown = client.get("/-/blog/search?q=tide").text
    assert '<h2><a href="/j/tide/">&lt;b&gt;Tide&lt;/b&gt;</a></h2>' in shown
    assert '<p class="summary">The &lt;b&gt;<mark>tide</mark>&lt;/b&gt; &amp; more</p>' in shown
    assert '<time datetime="2026-11-02T00:00:00+00:00">2 November 2026</time>' in shown
    assert "25 results" in shown


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        ("a%20%20b%0D%0Ac", "a b c"), ("%00tide%00", "tide"), ("a%E2%80%AEb", "a b"), ("%22a%20b%22", '"a b"'),
        ("%FF", "%FF"), ("%E2%80%8Dx", "\u200dx"), ("x" * 900, "x" * 500),
    ],
)  # fmt: skip
def test_odd_queries_are_asked_in_one_line(client: FlaskClient, intake: Intake, asked: str, taken: str) -> None:
    assert client.get(f"/-/blog/search?q={asked}").status_code == 200
    assert [request.query for request in intake.asked] == [taken]  # type: ignore[union-attr]


@pytest.mark.parametrize("asked", ["", "?q=", "?q=%20%00", "?page=2", "?q=&q=tide"])
def test_without_a_word_nothing_is_searched(client: FlaskClient, intake: Intake, asked: str) -> None:
    assert "Write one or more words." in client.get(f"/-/blog/search{asked}").text
    assert [request.op for request in intake.asked] == ["site"]


@pytest.mark.parametrize("reason", ["busy", "limited", "unavailable"])
def test_a_query_that_is_refused_can_be_sent_again(client: FlaskClient, intake: Intake, reason: Any) -> None:
    intake.answers["search"] = ErrorAnswer(reason=reason, sentence="", retry_after=7)
    answer = client.get("/-/blog/search?q=tide")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503 if reason == "unavailable" else 429, "7")
    assert 'value="tide" required' in answer.text
    assert "results" not in answer.text


@pytest.mark.parametrize(
    ("page", "found", "pages", "said"),
    [
        ("1", {"total": 25}, [2], "25 results"), ("2", {"total": 25}, [1, 3], "25 results, page 2"),
        ("3", {"total": 25}, [2], "25 results, page 3"), ("1", {"total": 1}, [], "1 result<"),
        ("1", {"total": 10}, [], "10 results"), ("1", {"total": 1000, "more": True}, [2], "More than 1000 results"),
        ("50", {"total": 1000, "more": True}, [49], "Only the first 500 results"),
        ("50", {"total": 500}, [49], "500 results, page 50<"), ("x", {"total": 25}, [2], "25 results<"),
        ("99999", {"total": 1000}, [49], "Only the first 500 results"),
    ],
)  # fmt: skip
def test_results_are_paged(
    client: FlaskClient, intake: Intake, page: str, found: dict[str, Any], pages: list[int], said: str
) -> None:
    searched(intake, FOUND, page=min(int(page), 50) if page.isdigit() else 1, **found)
    shown = client.get(f"/-/blog/search?q=tide&page={page}").text
    assert [int(number) for number in re.findall(r'href="/-/blog/search\?q=tide&amp;page=(\d+)"', shown)] == pages
    assert said in shown
    assert ("first 500" in shown) == ("first 500" in said)


def test_a_page_beyond_the_last_leads_back(client: FlaskClient, intake: Intake) -> None:
    searched(intake, total=25, page=9)
    shown = client.get("/-/blog/search?q=tide&page=9").text
    assert "There are no more results." in shown
    assert 'href="/-/blog/search?q=tide&amp;page=3" rel="prev"' in shown


def test_nothing_found_is_said_with_the_query(client: FlaskClient, intake: Intake) -> None:
    searched(intake, total=0, page=1)
    shown = client.get("/-/blog/search?q=%3Cb%3E{site}").text
    assert "Nothing was found for “&lt;b&gt;{site}”." in shown
    assert 'value="&lt;b&gt;{site}"' in shown


def test_browsers_learn_to_search(client: FlaskClient) -> None:
    described = client.get("/-/blog/opensearch.xml")
    assert described.content_type == "application/opensearchdescription+xml; charset=utf-8"
    tree = ElementTree.fromstring(described.data)
    names = "{http://a9.com/-/spec/opensearch/1.1/}"
    assert [tree.findtext(names + name) for name in ("ShortName", "LongName", "Description")] == ["A <Blog>"] * 3
    addresses = {url.get("type"): url.get("template") for url in tree.findall(f"{names}Url")}
    assert addresses == {
        "text/html": "https://blog.example/-/blog/search?q={searchTerms}",
        "application/opensearchdescription+xml": "https://blog.example/-/blog/opensearch.xml",
    }

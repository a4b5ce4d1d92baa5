"""The pages of comments as a client without scripts sees them, on each database."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from appliance import audit, db
from appliance.config import Config
from appliance.content import comments
from appliance.content.comment_models import CommentBan, CommentDecision, CommentOrigin
from appliance.content.entries import EntryData, save
from appliance.content.models import Comment, Entry, Site
from appliance.editorial import decisions
from tests.statements import statements
from tests.web.test_admin_pages import (  # noqa: F401 - fixtures
    URL,
    Visitor,
    app,
    config,
    location,
    person,
    quick_hashes,
)


@pytest.fixture
def entries(config: Config) -> dict[str, Entry]:  # noqa: F811
    """An entry on each site."""
    return {
        name: save(Site.get(Site.name == name), EntryData(title=f"Tides of {name}", slug="tides", published_at=1))[0]
        for name in ("blog", "news")
    }


def comment(entry: Entry, author: str = "Ida", text: str = "", **more: Any) -> Comment:
    """A comment that a reader sent."""
    email = more.pop("email", f"{author.lower()}@r.example")
    address, network = more.pop("address", "192.0.2.7"), more.pop("network", "192.0.2.0/24")
    given = {"status": "pending", **more}
    made = comments.add(entry, author, text or f"{author} was here.", email=email, **given)
    CommentOrigin.create(
        comment=made, address=address, network=network, reason="3 links", judged="doubtful", created_at=made.created_at
    )
    return made


def moderator(app: Flask, name: str = "mona", **roles: str) -> Visitor:  # noqa: F811
    """Somebody who has signed in."""
    person(name, **(roles or {"blog": "moderator", "news": "moderator"}))
    visitor = Visitor(app)
    location(visitor.sign_in(name))
    return visitor


def shown(response: TestResponse) -> list[int]:
    """The ids of the comments that a page lists."""
    return [int(number) for number in re.findall(r'<li id="c-(\d+)"', response.text)]


def hidden(text: str, comment: int) -> str:
    """What the form of a comment sends about it."""
    found = re.search(rf'name="comment" value="({comment}:[0-9a-f]+)"', text)
    assert found is not None, text
    return found[1]


def status(made: Comment) -> str:
    found = Comment.get_or_none(Comment.id == made.id)
    return str(found.status) if found else "deleted"


def test_held_comments_come_first_with_tabs_and_counts(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    held = [comment(entries["blog"], "Ida"), comment(entries["news"], "Bo")]
    approved, spam = comment(entries["blog"], "Cy", status="approved"), comment(entries["blog"], "Di", status="spam")
    visitor = moderator(app)
    page = visitor.get("/comments")
    assert set(shown(page)) == {one.id for one in held}
    tabs = re.findall(r'<a href="(/comments[^"]*)"[^>]*>(\w+) <b class="count">(\d+)', page.text)
    assert tabs == [
        ("/comments", "Held", "2"), ("/comments?status=approved", "Approved", "1"),
        ("/comments?status=spam", "Spam", "1"),
    ]  # fmt: skip
    assert shown(visitor.get("/comments?status=approved")) == [approved.id]
    assert shown(visitor.get("/comments?status=spam")) == [spam.id]
    assert len(shown(visitor.get("/comments?status=all"))) == 4
    assert '<a href="/comments" data-key="g c" aria-current="page">Comments</a>' in page.text


def test_each_row_has_its_context(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    first = comment(entries["blog"], "Bo", "The harbour froze.", status="approved")
    comment(entries["blog"], "Isa", email="IDA@r.example", status="approved", created_at=1_000_000)
    comment(entries["news"], "Ida", status="spam")
    gone = comment(entries["news"], "Ida", status="approved")
    decisions.decide(app.config["APPLIANCE"], "news", {gone.id: None}, "deleted")
    held = comment(entries["blog"], "Ida", "So it did.", parent=first, url="https://ida.example/")
    page = moderator(app).get("/comments").text
    for text in (
        "Tides of blog", "Bo: The harbour froze.", "So it did.", "3 links", "spam check: doubtful", "ida@r.example",
        "192.0.2.7", "https://ida.example/", "by this e-mail address: 1 approved, 1 held, 1 spam, 1 deleted",
        "first seen", "also as Isa", f'href="/sites/blog/comments/{held.id}"',
    ):  # fmt: skip
        assert text in page, text
    without = moderator(app, "vera", blog="viewer").get("/comments").text
    assert "So it did." in without
    assert "3 links" in without
    for text in (
        "r.example",
        "192.0.2",
        "e-mail address",
        "also as",
        ">Approve<",
        "/edit",
        "/ban",
        '<input type="check',
    ):
        assert text not in without, text


def test_the_history_of_a_busy_sender_says_that_there_is_more(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    with db.write():
        for number in range(30):
            comment(entries["blog"], "Ida", f"Text {number}", status="approved", created_at=1000 + number)
            comment(entries["blog"], f"N{number}", email="", network="10.0.0.0/24", status="spam")
        held = comment(entries["blog"], "Ida", created_at=2000)
        comment(entries["blog"], "Nobody", email="", network="10.0.0.0/24")
    visitor = moderator(app)
    page = visitor.get("/comments").text
    assert "by this e-mail address: 25+ approved, 1 held" in page
    assert re.search(r"by this network: (1\+ held, )?2\d\+ spam", page)
    assert "by this e-mail address: 30 approved, 1 held" in visitor.get(f"/sites/blog/comments/{held.id}").text


def test_who_may_not_see_senders_cannot_search_them(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    here, there = comment(entries["blog"], "Ida"), comment(entries["news"], "Ida")
    visitor = moderator(app, blog="moderator", news="viewer")
    for sender in ("IDA@r.example", "@r.exam", "192.0.2.9", "192.0.2.0/24"):
        assert shown(visitor.get(f"/comments?sender={sender}")) == [here.id], sender
    assert set(shown(visitor.get("/comments?sender=ida"))) == {here.id, there.id}
    page = visitor.get("/comments").text
    assert "nothing else by this e-mail address" in page, "comments of the other site do not count"


def test_a_search_by_text_entry_site_and_age(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    now = int(db.now())
    old = comment(entries["blog"], "Ida", "Fog and gulls", created_at=now - 10 * 86_400)
    new = comment(entries["news"], "Bo", "Gulls alone", created_at=now - 60)
    visitor = moderator(app)
    for query, found in {
        "text=GULLS": [new, old], "text=fog": [old], "text=nothing": [], "site=news": [new], "age=<1d": [new],
        "age=>1w": [old], f"entry={entries['blog'].id}": [old], "entry=tides&site=news": [new], "sender=bo": [new],
        "order=oldest": [old, new], "text=gulls&status=spam": [],
    }.items():  # fmt: skip
        assert shown(visitor.get(f"/comments?{query}")) == [one.id for one in found], query
    for query in ("age=soon", "entry=nowhere", "site=secret"):
        refused = visitor.get(f"/comments?{query}")
        assert (refused.status_code, shown(refused)) == (422, []), query
        assert "There is no" in refused.text or "is no age" in refused.text


def test_pages_follow_one_another(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    with db.write():
        made = [comment(entries["blog"], f"R{number}", created_at=1000 + number) for number in range(60)]
    visitor = moderator(app)
    first = visitor.get("/comments")
    following = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert following is not None
    second = visitor.get(following[1].replace("&amp;", "&"))
    assert [*shown(first), *shown(second)] == [one.id for one in reversed(made)]


def test_each_button_is_a_form_and_leads_on_to_the_next(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    made, following = comment(entries["blog"], created_at=2000), comment(entries["blog"], "Bo", created_at=1000)
    visitor = moderator(app)
    page = visitor.get("/comments?order=newest").text
    assert f'name="next" value="{following.id}"' in page
    for decision in ("approved", "spam", "pending", "deleted"):
        chosen = hidden(visitor.get("/comments?status=all").text, made.id)
        answer = visitor.post(
            "/comments/act", act=decision, comment=chosen, back="/comments?status=all", next=following.id
        )
        to = urlsplit(location(answer))
        assert (to.path, to.fragment) == ("/comments", f"c-{following.id}")
        assert status(made) == decision
        told = visitor.get(location(answer)).text
        words = {"pending": "held", "spam": "marked as spam"}.get(decision, decision)
        assert f"1 comment {words}." in told
        assert "Undo" in told
    undone = visitor.post("/comments/undo", act=parse_qs(to.query)["act"][0], back="/comments")
    assert location(undone) == "/comments?done=comments-undone"
    assert status(made) == "pending"
    again = visitor.post("/comments/undo", act=parse_qs(to.query)["act"][0], back="/comments")
    assert again.status_code == 422
    assert "nothing of yours to undo" in again.text


def test_nobody_learns_of_the_undoing_of_others(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    made = comment(entries["blog"])
    visitor, other = moderator(app), moderator(app, "otto")
    answer = visitor.post("/comments/act", act="spam", comment=hidden(visitor.get("/comments").text, made.id))
    assert "Undo" not in other.get(location(answer)).text
    key = parse_qs(urlsplit(location(answer)).query)["act"][0]
    assert other.post("/comments/undo", act=key).status_code == 422
    assert status(made) == "spam"


def test_the_second_of_two_is_told_what_the_first_did(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    made, gone, free = (comment(entries["blog"], name) for name in ("Ida", "Bo", "Cy"))
    visitor, other = moderator(app), moderator(app, "otto")
    page = visitor.get("/comments").text
    seen = [hidden(page, one.id) for one in (made, gone, free)]
    other.post("/comments/act", act="spam", comment=seen[0])
    other.post("/comments/act", act="deleted", comment=seen[1])
    answer = visitor.post("/comments/act", act="approved", comment=seen, back="/comments")
    assert [status(one) for one in (made, gone, free)] == ["spam", "deleted", "approved"]
    told = visitor.get(location(answer)).text
    assert "1 comment approved." in told
    assert re.search(rf"Comment {made.id}: otto marked as spam this comment .*, so nothing was done.", told)
    assert re.search(rf"Comment {gone.id}: otto deleted this comment .*, so nothing was done.", told)
    in_place = htmx(visitor, "/comments/act", act="approved", comment=seen[0])
    assert in_place.status_code == 409
    assert "otto marked as spam this comment" in in_place.text
    assert shown(in_place) == [made.id]
    missing = htmx(visitor, "/comments/act", act="approved", comment=seen[1])
    assert (missing.status_code, shown(missing)) == (409, [gone.id])
    assert "otto deleted this comment" in missing.text
    rows = audit.list_audit(audit.AuditFilter(subject="comment")).rows
    assert sorted((row.actor, row.action) for row in rows) == [
        ("mona", "comment.moderate"), ("otto", "comment.delete"), ("otto", "comment.moderate"),
    ]  # fmt: skip


def htmx(visitor: Visitor, path: str, **fields: Any) -> TestResponse:
    """Send a form as the script does."""
    headers = {"Sec-Fetch-Site": "same-origin", "HX-Request": "true"}
    return visitor.client.post(path, data=fields, base_url=URL, headers=headers)


def test_the_script_gets_the_row_alone(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    made = comment(entries["blog"])
    visitor = moderator(app)
    chosen = hidden(visitor.get("/comments").text, made.id)
    answer = htmx(visitor, "/comments/act", act="deleted", comment=chosen, back="/comments")
    assert (answer.status_code, shown(answer)) == (200, [made.id])
    assert "data-done" in answer.text
    assert "<html" not in answer.text
    assert 'id="done"' in answer.text
    key = re.search(r'name="act" value="([^"]+)"', answer.text)
    assert key is not None
    back = htmx(visitor, "/comments/undo", act=key[1], comment=made.id, back="/comments")
    assert (back.status_code, shown(back)) == (200, [made.id])
    assert "data-done" not in back.text
    assert "Undone." in back.text
    late = htmx(visitor, "/comments/undo", act=key[1], comment=made.id, back="/comments")
    assert (late.status_code, shown(late)) == (409, [made.id])
    assert "nothing of yours to undo" in late.text


def test_all_that_match_are_counted_asked_and_frozen(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    matching = [comment(entries[site], f"R{number}", "Buy pills") for site in entries for number in range(3)]
    other = comment(entries["blog"], "Ida")
    visitor = moderator(app)
    asked = visitor.get("/comments/all?act=spam&text=pills")
    assert "Mark 6 comments as spam?" in asked.text
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', asked.text))
    late = comment(entries["blog"], "R9", "Buy pills")
    decisions.decide(app.config["APPLIANCE"], "blog", {matching[0].id: None}, "approved")
    held_again = decisions.decide(app.config["APPLIANCE"], "blog", {matching[0].id: None}, "pending")
    assert held_again.changed
    answer = visitor.post("/comments/all", **{name: value for name, value in sent.items() if name != "return"})
    told = visitor.get(location(answer)).text
    assert "5 comments marked as spam." in told
    assert [status(one) for one in matching] == ["pending"] + ["spam"] * 5
    assert (status(other), status(late)) == ("pending", "pending")
    key = parse_qs(urlsplit(location(answer)).query)["act"][0]
    visitor.post("/comments/undo", act=key)
    assert {status(one) for one in matching} == {"pending"}
    sent["expected"] = "1"
    assert visitor.post("/comments/all", **sent).status_code == 400


def test_more_comments_than_one_decision_takes_are_said_to_be_more(
    app: Flask,  # noqa: F811
    entries: dict[str, Entry],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from appliance.editorial.queries import moderation

    monkeypatch.setattr(moderation, "MOST", 2)
    for number in range(3):
        comment(entries["blog"], f"R{number}")
    page = moderator(app).get("/comments/all?act=deleted").text
    assert "Delete 2 comments?" in page
    assert "there are more" in page


def test_an_edit_meets_the_edit_of_somebody_else(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    made = comment(entries["blog"], text="Old.")
    visitor, other = moderator(app), moderator(app, "otto")
    path = f"/sites/blog/comments/{made.id}/edit"
    fields = {"author": "Ida", "email": "ida@r.example", "url": "", "back": "/comments?status=all"}
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', visitor.get(path).text))
    answer = other.post(path, **fields, text="Theirs.", version=form["version"])
    assert location(answer) == f"/comments?status=all&done=comment-edited#c-{made.id}"
    refused = visitor.post(path, **fields, text="Mine.", version=form["version"])
    assert refused.status_code == 409
    for text in ("tto edited this comment just now", "Theirs.", "Mine."):
        assert text in refused.text
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', refused.text))
    location(visitor.post(path, **fields, text="Mine.", version=form["version"]))
    assert Comment.get_by_id(made.id).text == "Mine."
    wrong = visitor.post(path, **{**fields, "url": "javascript:1"}, text="x", version="")
    assert wrong.status_code in (409, 422)


def test_a_comment_shows_its_thread(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    top = comment(entries["blog"], "Ida", status="approved")
    middle = comment(entries["blog"], "Bo", status="approved", parent=top)
    comment(entries["blog"], "Cy", status="approved", parent=middle)
    comment(entries["blog"], "Elsewhere", status="approved")
    visitor = moderator(app)
    path = f"/sites/blog/comments/{middle.id}"
    thread = visitor.client.get(path, base_url=URL, headers={"HX-Region": "thread"}).text
    assert re.findall(r'class="(deep-\d)[^"]*"[^>]*>\s*<p class="by"><strong>(\w+)', thread) == [
        ("deep-0", "Ida"), ("deep-1", "Bo"), ("deep-2", "Cy"),
    ]  # fmt: skip
    assert thread in visitor.get(path).text.replace("\r", "") or "Cy was here." in visitor.get(path).text
    assert visitor.get(f"/sites/news/comments/{middle.id}").status_code == 404
    alone = comment(entries["blog"], "Solo")
    assert "Nobody has answered this comment" in visitor.get(f"/sites/blog/comments/{alone.id}").text


def test_bans_by_comment_by_hand_and_lifted(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    made = comment(entries["blog"])
    visitor = moderator(app)
    path = f"/sites/blog/comments/{made.id}/ban"
    asked = visitor.get(path).text
    assert "ida@r.example" in asked
    assert "192.0.2.0/24" in asked
    assert visitor.post(path, who="0.0.0.0/0").status_code == 422
    assert location(visitor.post(path, who=["ida@r.example"], reason="rude")) == "/comments?done=banned"
    assert [(row.kind, row.value, row.reason, row.created_by) for row in CommentBan.select()] == [
        ("email", "ida@r.example", "rude", "mona")
    ]
    for wrong in ("0.0.0.0/0", "::/0", "128.0.0.0/7", "2000::/18", "nobody"):
        refused = visitor.post("/sites/blog/bans", who=wrong)
        assert refused.status_code == 422, wrong
    for right in ("10.0.0.0/8", "2001:2000::/19", "198.51.100.7"):
        location(visitor.post("/sites/blog/bans", who=right))
    listed = visitor.get("/comments/bans").text
    for value in ("ida@r.example", "10.0.0.0/8", "198.51.100.0/24", "rude"):
        assert value in listed
    assert location(visitor.post("/sites/blog/bans/lift", who="ida@r.example")).endswith("done=ban-lifted")
    assert location(visitor.post("/sites/blog/bans/lift", who="ida@r.example")).endswith("done=ban-gone")
    assert moderator(app, "vera", blog="viewer").get("/comments/bans").status_code == 403


def test_the_counts_change_by_themselves_and_say_what_came(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    comment(entries["blog"])
    visitor = moderator(app)
    page = visitor.get("/comments").text
    source = re.search(r'data-source="([^"]+)"', page)
    assert source is not None
    address, headers = source[1].replace("&amp;", "&"), {"HX-Region": "counts"}
    same = visitor.client.get(address, base_url=URL, headers=headers)
    unchanged = visitor.client.get(address, base_url=URL, headers={**headers, "If-None-Match": same.headers["ETag"]})
    assert (unchanged.status_code, "new comment" in same.text) == (304, False)
    comment(entries["news"], "Bo")
    changed = visitor.client.get(address, base_url=URL, headers={**headers, "If-None-Match": same.headers["ETag"]})
    assert changed.status_code == 200
    assert "1 new comment<" in changed.text


def test_questions_to_the_database_do_not_grow_with_the_rows(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    visitor = moderator(app)
    counts = []
    for number in (1, 40):
        with db.write():
            parent = comment(entries["blog"], status="approved")
            for each in range(number):
                comment(entries[("blog", "news")[each % 2]], f"R{number}-{each}")
                comment(entries["blog"], f"N{number}-{each}", email="", network=f"10.{each}.0.0/24", parent=parent)
        with statements() as sent:
            visitor.get("/comments")
        counts.append(len(sent))
    assert counts[0] == counts[1] <= 30, counts


def test_none_of_the_pages_takes_a_tenth_of_a_second(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    """With many comments; the processor of the server alone counts, which on SQLite is that of the database too."""
    many(entries["blog"], 20_000)
    visitor = moderator(app)
    for path in ("/comments", "/comments?status=approved", "/comments?text=number", "/comments?sender=r7@r.example"):
        assert least(lambda path=path: visitor.client.get(path, base_url=URL)) < 0.1, path  # type: ignore[misc]


def least(body: Callable[[], Any]) -> float:
    """The least processor time of several tries, in seconds."""
    tries = []
    for _ in range(4):
        began = time.process_time()
        body()
        tries.append(time.process_time() - began)
    return min(tries)


_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ?) "


def many(entry: Entry, number: int) -> None:
    """So many comments by a tenth as many senders, a fifth of them held."""
    with db.write():
        db.execute(
            f"""INSERT INTO comment (entry_id, status, author_name, author_email, author_url, text, html, created_at)
                {_NUMBERS} SELECT ?, CASE WHEN i % 5 = 0 THEN 'pending' WHEN i % 5 = 1 THEN 'spam' ELSE 'approved' END,
                'R' || i, 'r' || (i % 997) || '@r.example', '', 'Comment number ' || i, '', i FROM n""",
            [1, number, entry.id],
        )
    db.analyze() if db.opened_config() and not db.opened_config().database_url else db.execute("ANALYZE")  # type: ignore[union-attr]


def test_decisions_of_other_sites_are_refused(app: Flask, entries: dict[str, Entry]) -> None:  # noqa: F811
    made = comment(entries["news"])
    chosen = hidden(moderator(app).get("/comments").text, made.id)
    other = moderator(app, "otto", blog="moderator")
    assert shown(other.get("/comments")) == []
    assert other.post("/comments/act", act="spam", comment=chosen).status_code == 404
    assert moderator(app, "vera", blog="moderator", news="viewer").post(
        "/comments/act", act="spam", comment=chosen
    ).status_code == 403  # fmt: skip
    assert status(made) == "pending"
    assert CommentDecision.select().count() == 0
    visitor = Visitor(app)
    assert visitor.post("/comments/act", act="spam", comment=chosen).status_code == 401

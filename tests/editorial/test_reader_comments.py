"""Readers' comments: the rules of a site, in batches of which a bad comment stops only itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from appliance import db
from appliance.config import Config, validate
from appliance.content import comments, sites
from appliance.content.comment_models import CommentBan, CommentOrigin, ReplyNotice
from appliance.content.entries import EntryData
from appliance.content.entries import save as save_entry
from appliance.content.models import Change, Comment, Entry, Site
from appliance.editorial import reader_comments
from appliance.editorial.reader_comments import Submission, Verdict
from appliance.plan_job import PLAN


def with_rules(config: Config, **rules: Any) -> Config:
    raw = config.model_dump(exclude={"path"})
    raw["sites"][0]["comments"] = {"moderation": "none", "least_seconds": 0.0, **rules}
    return validate(raw, config.path)


@pytest.fixture
def open_site(database: Config) -> Iterator[Config]:
    """An installation whose site takes comments without moderation."""
    sites.sync(database)
    yield with_rules(database)


@pytest.fixture
def entry(open_site: Config) -> Entry:
    return save_entry(Site.get(), EntryData(title="Tides", slug="tides", published_at=int(db.now()) - 86_400))[0]


def submission(entry: Entry, text: str = "I saw it too.", **more: Any) -> Submission:
    given = {"name": "Ida", "email": "ida@r.example", "address": "192.0.2.7", "user_agent": "Firefox"}
    return Submission(entry.site, entry.id, text, **{**given, **more})


def post(config: Config, entry: Entry, text: str = "I saw it too.", **more: Any) -> Verdict:
    return reader_comments.save(config, [submission(entry, text, **more)])[0]


def sentences(verdict: Verdict) -> list[tuple[str, str]]:
    return [(problem.field, problem.sentence) for problem in verdict.problems]


def test_an_accepted_comment_is_saved_with_its_origin_and_gets_planned(open_site: Config, entry: Entry) -> None:
    db.execute("DELETE FROM job")
    verdict = post(open_site, entry, "I *saw* it.", nonce="n1", website="https://ida.example/", referrer="x\r\ny")
    assert verdict.outcome == "accepted"
    comment, origin = Comment.get(), CommentOrigin.get()
    assert verdict.comment == comment
    assert (comment.status, comment.author_name, comment.author_url) == ("approved", "Ida", "https://ida.example/")
    assert "<em>saw</em>" in comment.html
    assert (origin.address, origin.network, origin.user_agent, origin.referrer) == (
        "192.0.2.7", "192.0.2.0/24", "Firefox", "x y",
    )  # fmt: skip
    assert db.execute("SELECT kind, key FROM job").fetchall() == [(PLAN, "blog")]


def test_a_form_sent_twice_makes_one_comment(open_site: Config, entry: Entry) -> None:
    first, again = reader_comments.save(open_site, [submission(entry, nonce="n"), submission(entry, nonce="n")])
    later = post(open_site, entry, nonce="n")
    assert (first.repeated, again.repeated, later.repeated) == (False, True, True)
    assert {one.outcome for one in (first, again, later)} == {"accepted"}
    assert {one.comment.id for one in (first, again, later) if one.comment} == {Comment.get().id}
    assert Comment.select().count() == 1


def test_a_form_sent_twice_at_one_moment_makes_one_comment(open_site: Config, entry: Entry) -> None:
    found: list[Verdict] = []
    barrier = threading.Barrier(4)

    def send() -> None:
        barrier.wait()
        found.extend(reader_comments.save(open_site, [submission(entry, nonce="n")]))
        db.disconnect()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [one.outcome for one in found] == ["accepted"] * 4
    assert sorted(one.repeated for one in found) == [False, True, True, True]
    assert Comment.select().count() == 1


def test_a_bad_submission_stops_only_itself(open_site: Config, entry: Entry) -> None:
    verdicts = reader_comments.save(
        open_site,
        [
            submission(entry, "One.", nonce="1"),
            submission(entry, "", nonce="2"),
            submission(entry, "Three.", nonce="3", name="\u202eIda"),
            submission(entry, "Four.", nonce="4", email="nobody"),
            submission(entry, "Five.", nonce="5", website="javascript:alert(1)"),
            submission(entry, "Six.", nonce="6", parent=4711),
            Submission(entry.site, 4711, "Seven.", name="Ida"),
            submission(entry, "Eight.", nonce="8"),
        ],
    )
    assert [one.outcome for one in verdicts] == ["accepted", *["refused"] * 6, "accepted"]
    assert [one.problems[0].field for one in verdicts[1:7]] == ["text", "name", "email", "website", "parent", ""]
    assert [row.text for row in Comment.select().order_by(Comment.id)] == ["One.", "Eight."]


def test_a_reply_needs_an_approved_comment_of_the_same_entry(open_site: Config, entry: Entry) -> None:
    other = save_entry(Site.get(), EntryData(title="Winds", slug="winds", published_at=1))[0]
    there = comments.add(other, "Bo", "Elsewhere.")
    held = comments.add(entry, "Bo", "Held.", status="pending")
    fine = comments.add(entry, "Bo", "Fine.")
    outcomes = [post(open_site, entry, f"To {one.id}", parent=one.id).outcome for one in (there, held, fine)]
    assert outcomes == ["refused", "refused", "accepted"]


@pytest.mark.parametrize("why", ["draft", "closed", "old", "elsewhere"])
def test_a_closed_entry_takes_none(open_site: Config, entry: Entry, why: str) -> None:
    config = open_site
    if why == "draft":
        Entry.update(status="draft").execute()
    elif why == "closed":
        Entry.update(allow_comments=False).execute()
    elif why == "old":
        config = with_rules(open_site, close_after=1)
        Entry.update(published_at=int(db.now()) - 2 * 86_400).execute()
        assert not reader_comments.closed(open_site, entry.site, Entry.get())
    else:
        Entry.update(site=Site.create(name="other", title="Other", url="https://other.example/")).execute()
    assert sentences(post(config, entry))[0][0] == ""
    assert Comment.select().count() == 0
    if why != "elsewhere":
        assert reader_comments.closed(config, entry.site, Entry.get())


def test_moderation_of_the_first_comment(open_site: Config, entry: Entry) -> None:
    config = with_rules(open_site, moderation="first")
    first = post(config, entry, "First.")
    assert (first.outcome, first.reason) == ("held", "the first by this address")
    assert post(config, entry, "Second.").outcome == "held"
    assert first.comment
    comments.set_status(first.comment, "approved")
    assert post(config, entry, "Third.", email="IDA@r.example").outcome == "accepted"
    assert post(config, entry, "Fourth.", email="").outcome == "held"
    assert post(with_rules(open_site, moderation="all"), entry, "Fifth.").outcome == "held"
    assert CommentOrigin.get(CommentOrigin.comment == first.comment.id).reason == "the first by this address"


def test_a_held_comment_changes_no_page_but_is_recorded(open_site: Config, entry: Entry) -> None:
    Change.delete().execute()
    post(with_rules(open_site, moderation="all"), entry)
    change = Change.get()
    assert (change.event, int(change.aspects), bool(change.notified)) == ("comment held", 0, False)


def test_many_links_wait_and_spam_is_not_told(open_site: Config, entry: Entry) -> None:
    links = "Look at https://a.example and https://b.example and https://c.example, all of them about tides."
    assert post(open_site, entry, links).outcome == "held"
    spam = post(open_site, entry, "[url=http://x.example]x[/url]", name="cheap.example.com")
    assert (spam.outcome, spam.comment.status if spam.comment else "") == ("discarded", "spam")
    assert not Change.select().where(Change.event.contains("spam")).exists()


def test_the_same_text_is_refused_from_one_and_suspected_from_many(open_site: Config, entry: Entry) -> None:
    text = "This is what I always say about everything here."
    assert post(open_site, entry, text).outcome == "accepted"
    again = post(open_site, entry, text)
    assert (again.outcome, again.problems[0].field) == ("refused", "text")
    outcomes = [post(open_site, entry, text, email=f"n{n}@r.example").outcome for n in range(3)]
    assert outcomes == ["held", "held", "discarded"]


@pytest.mark.parametrize(
    ("kind", "value"), [("network", "192.0.2.0/24"), ("network", "192.0.2.0/30"), ("email", "ida@r.example")]
)
def test_who_is_banned_is_refused(open_site: Config, entry: Entry, kind: str, value: str) -> None:
    CommentBan.create(site=entry.site, kind=kind, value=value, created_at=1)
    sent = {"address": "::ffff:192.0.2.1", "email": "Ida@r.example"}
    assert post(open_site, entry, **sent).outcome == "refused"
    assert post(open_site, entry, "Else.", address="198.51.100.1", email="bo@r.example").outcome == "accepted"


def test_only_so_many_may_wait(open_site: Config, entry: Entry) -> None:
    config = with_rules(open_site, moderation="all", waiting=3)
    batch = [submission(entry, f"Number {n}.", nonce=str(n)) for n in range(5)]
    assert [one.outcome for one in reader_comments.save(config, batch)] == ["held"] * 3 + ["refused"] * 2
    assert post(config, entry, "Later.").outcome == "refused"
    assert post(with_rules(open_site, waiting=3), entry, "Not held.").outcome == "accepted"


def test_what_rolls_back_leaves_nothing(open_site: Config, entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(reader_comments, "_request_notice", broken)
    with pytest.raises(RuntimeError):
        post(open_site, entry)
    assert (Comment.select().count(), CommentOrigin.select().count()) == (0, 0)


def test_a_wish_for_replies_is_recorded_if_mail_can_be_sent(open_site: Config, entry: Entry) -> None:
    assert post(open_site, entry, "No mail.", notify=True).notice is None
    raw = open_site.model_dump(exclude={"path"})
    raw["web"]["path"] = "/-/"
    raw["mail"] |= {"host": "localhost", "security": "none", "sender": "blog@blog.example"}
    config = validate(raw, open_site.path)
    assert post(config, entry, "Mail.", notify=True).notice == ReplyNotice.get().id
    assert post(config, entry, "Not asked.").notice is None
    spam = post(
        config, entry, "[url=http://x.example]x[/url]", name="cheap.example.com", email="x@x.example", notify=True
    )
    assert (spam.outcome, spam.notice, ReplyNotice.select().count()) == ("discarded", None, 1)


def test_a_preview_shows_it_and_saves_nothing(open_site: Config, entry: Entry) -> None:
    checked = reader_comments.check(open_site, submission(entry, "I *saw* it. <script>alert(1)</script>"))
    assert "<em>saw</em>" in checked.html
    assert "<script" not in checked.html
    assert checked.problems == ()
    Entry.update(allow_comments=False).execute()
    assert [one.field for one in reader_comments.check(open_site, submission(entry, "")).problems] == ["", "text"]
    assert Comment.select().count() == 0

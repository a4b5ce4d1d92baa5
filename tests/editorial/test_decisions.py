"""Decisions about comments: nothing done twice, whoever comes second told what was done, and all of it undone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appliance import audit, db
from appliance.actor import Actor
from appliance.config import Config
from appliance.content import comments, sites
from appliance.content.comment_models import CommentDecision, CommentOrigin, ReplyNotice
from appliance.content.entries import EntryData, save
from appliance.content.models import Change, Comment, Entry, Site
from appliance.content.versions import version_of
from appliance.editorial import decisions, senders
from appliance.editorial.decisions import Decision
from appliance.errors import ContentError
from tests.statements import statements

ADA, BEN = Actor("ada", "browser"), Actor("ben", "browser")


@pytest.fixture
def entry(database: Config) -> Entry:
    sites.sync(database)
    return save(Site.get(), EntryData(title="Tides", slug="tides", published_at=1))[0]


def comment(entry: Entry, author: str = "Ida", **more: Any) -> Comment:
    """A reader's comment with an origin and a wish for mail."""
    made = comments.add(entry, author, "Text.", email=f"{author.lower()}@r.example", **more)
    CommentOrigin.create(
        comment=made, submission=f"n{made.id}", address="192.0.2.7", network="192.0.2.0/24", user_agent="Firefox",
        reason="3 links", judged="doubtful", created_at=made.created_at,
    )  # fmt: skip
    ReplyNotice.create(comment=made, email=made.author_email, created_at=made.created_at, confirmed_at=1)
    return made


def decide(
    config: Config, decision: Decision, *chosen: Comment, act: str = "act", actor: Actor = ADA
) -> decisions.Decided:
    versions = {one.id: version_of(one) for one in chosen}
    return decisions.decide(config, "blog", versions, decision, act=act, actor=actor).subject


def everything() -> list[Any]:
    """All there is of comments, apart from the ids of wishes for mail."""
    found = [list(model.select().order_by(model._meta.primary_key).dicts()) for model in (Comment, CommentOrigin)]
    wishes = [{**row, "id": 0} for row in ReplyNotice.select().order_by(ReplyNotice.comment).dicts()]
    return [*found, wishes]


def age(seconds: int) -> None:
    CommentDecision.update(made_at=CommentDecision.made_at - seconds).execute()


@pytest.mark.parametrize("decision", decisions.DECISIONS)
def test_whatever_is_decided_can_be_undone(database: Config, entry: Entry, decision: Decision) -> None:
    top = comment(entry, "Ida", status="approved")
    middle = comment(entry, "Bo", parent=top, status="approved")
    below = comment(entry, "Cy", parent=middle, status="approved")
    held = comment(entry, "Di", status="pending")
    comments.add(entry, "Ed", "Text.", parent=below)
    before = everything()
    done = decide(database, decision, middle, top, held)
    assert set(done.done) == {one.id for one in (top, middle, held) if one.status != decision}
    assert done.left == ()
    assert everything() != before
    undone = decisions.undo(database, "act", ["blog"], actor=ADA)
    assert (set(undone.done), undone.left) == (set(done.done), ())
    assert everything() == before
    with pytest.raises(ContentError, match="nothing of yours to undo"):
        decisions.undo(database, "act", ["blog"], actor=ADA)
    assert everything() == before


def test_what_is_undone_is_published_and_audited_but_nobody_is_told_twice(database: Config, entry: Entry) -> None:
    made = comment(entry, status="approved")
    decide(database, "deleted", made)
    Change.update(planned=True, notified=True).execute()
    decisions.undo(database, "act", ["blog"], actor=ADA)
    (change,) = Change.select().where(~Change.planned)
    assert (change.event, change.subject_id, change.entry_id, change.actor) == (
        "comment restored", made.id, entry.id, "ada",
    )  # fmt: skip
    rows = audit.list_audit(audit.AuditFilter(subject="comment")).rows
    assert [(row.action, row.actor, bool((row.after or {}).get("undone"))) for row in rows] == [
        ("comment.delete", "ada", True), ("comment.delete", "ada", False),
    ]  # fmt: skip


def test_of_two_moderators_only_the_first_does_anything(database: Config, entry: Entry) -> None:
    made, other = comment(entry, status="pending"), comment(entry, "Bo", status="pending")
    seen = {one.id: version_of(one) for one in (made, other)}
    assert decide(database, "spam", made, actor=BEN, act="ben").done == (made.id,)
    second = decisions.decide(database, "blog", seen, "approved", act="ada", actor=ADA).subject
    assert (second.done, second.left) == ((other.id,), (made.id,))
    assert Comment.get_by_id(made.id).status == "spam"
    last = decisions.last_acts([made.id])[made.id]
    assert (last.what, last.by) == ("spam", "ben")
    assert last.at > 0
    assert decisions.decide(database, "blog", {made.id: seen[made.id]}, "deleted", actor=ADA).subject.done == ()
    assert Comment.get_or_none(Comment.id == made.id) is not None
    decide(database, "deleted", Comment.get_by_id(made.id), actor=BEN)
    gone = decisions.decide(database, "blog", {made.id: seen[made.id]}, "approved", actor=ADA).subject
    assert (gone.done, gone.left) == ((), (made.id,))
    assert decisions.last_acts([made.id])[made.id].what == "deleted"


def test_an_edit_is_told_as_well(database: Config, entry: Entry) -> None:
    made = comment(entry, status="pending")
    decide(database, "approved", made)
    age(100)
    comments.edit(made, text="Otherwise.", actor="ben")
    assert decisions.last_acts([made.id])[made.id].what == "edited"
    assert decisions.last_acts([made.id, 4711]).keys() == {made.id}


def test_undo_leaves_alone_what_somebody_has_decided_since(database: Config, entry: Entry) -> None:
    made, other = comment(entry, status="pending"), comment(entry, "Bo", status="pending")
    decide(database, "approved", made, other)
    decide(database, "spam", Comment.get_by_id(made.id), actor=BEN, act="ben")
    undone = decisions.undo(database, "act", ["blog"], actor=ADA)
    assert (undone.done, undone.left) == ((other.id,), (made.id,))
    assert [row.status for row in Comment.select().order_by(Comment.id)] == ["spam", "pending"]


def test_only_who_decided_can_undo_and_only_for_a_minute(database: Config, entry: Entry) -> None:
    made = comment(entry, status="pending")
    decide(database, "deleted", made)
    with pytest.raises(ContentError):
        decisions.undo(database, "act", ["blog"], actor=BEN)
    with pytest.raises(ContentError):
        decisions.undo(database, "act", [], actor=ADA)
    assert decisions.find_act("act") is not None
    age(decisions.UNDO - 5)
    assert decisions.prune() == 0
    age(10)
    with pytest.raises(ContentError):
        decisions.undo(database, "act", ["blog"], actor=ADA)
    assert decisions.find_act("act") is None
    assert Comment.get_or_none() is None


def test_a_deleted_comment_is_forgotten_after_a_minute(database: Config, entry: Entry) -> None:
    decide(database, "deleted", comment(entry), comment(entry, "Bo"))
    decide(database, "spam", comment(entry, "Cy"), act="other")
    assert all(json.loads(row.content)["comment"]["text"] == "Text." for row in _deleted())
    age(decisions.UNDO + 1)
    assert decisions.prune() == 2
    assert [(row.content, row.author_email) for row in _deleted()] == [("", "ida@r.example"), ("", "bo@r.example")]
    age(86_400)
    assert decisions.prune() == 1
    assert {row.after for row in CommentDecision.select()} == {"deleted"}, "the history of the senders stays"


def test_erasing_a_sender_takes_deleted_comments_along(database: Config, entry: Entry) -> None:
    decide(database, "deleted", comment(entry), comment(entry, "Bo"))
    senders.erase(database, "blog", "IDA@r.example")
    assert [(row.author_email, row.network, bool(row.content)) for row in _deleted()] == [
        ("", "", False), ("bo@r.example", "192.0.2.0/24", True),
    ]  # fmt: skip
    undone = decisions.undo(database, "act", ["blog"], actor=ADA)
    assert (len(undone.done), len(undone.left)) == (1, 1)


def test_senders_of_deleted_comments_are_kept_for_a_month_at_most(database: Config, entry: Entry) -> None:
    decide(database, "deleted", comment(entry))
    age(29 * 86_400)
    senders.erase_due(database)
    assert _deleted()[0].author_email
    age(2 * 86_400)
    assert senders.erase_due(database)["senders of deleted comments"] == 2
    assert (_deleted()[0].author_email, _deleted()[0].network) == ("", "")


def test_a_form_that_was_sent_again_meanwhile_does_not_keep_its_comment_away(database: Config, entry: Entry) -> None:
    made = comment(entry)
    nonce = f"n{made.id}"
    decide(database, "deleted", made)
    again = comments.add(entry, "Ida", "Text.")
    CommentOrigin.create(comment=again, submission=nonce, created_at=1)
    assert decisions.undo(database, "act", ["blog"], actor=ADA).done == (made.id,)
    assert CommentOrigin.get(CommentOrigin.comment == made.id).submission is None


def test_comments_of_other_sites_are_not_touched(database: Config, entry: Entry) -> None:
    other = Site.create(name="other", title="Other", url="https://other.example/", folder="other")
    there = comment(save(other, EntryData(title="There", slug="there", published_at=1))[0], status="pending")
    done = decide(database, "approved", there)
    assert (done.done, done.left) == ((), (there.id,))
    assert Comment.get_by_id(there.id).status == "pending"


def test_many_comments_take_few_statements(database: Config, entry: Entry) -> None:
    with db.write():
        made = [comment(entry, f"R{number}", status="pending") for number in range(300)]
    before = everything()
    with statements() as sent:
        decisions.decide(database, "blog", {one.id: None for one in made}, "deleted", act="act", actor=ADA)
        decisions.undo(database, "act", ["blog"], actor=ADA)
    assert everything() == before
    assert len(sent) < 150


def _deleted() -> list[CommentDecision]:
    return list(CommentDecision.select().where(CommentDecision.after == "deleted").order_by(CommentDecision.id))

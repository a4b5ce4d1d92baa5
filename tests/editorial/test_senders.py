"""Bans, and erasing what identifies the senders of comments: when it is due, and when somebody asks."""

from __future__ import annotations

from typing import Any

import pytest

from appliance import db
from appliance.actor import Actor
from appliance.config import Config, validate
from appliance.content import comments, sites
from appliance.content.comment_models import CommentBan, CommentOrigin, ReplyNotice
from appliance.content.entries import EntryData, save
from appliance.content.models import Comment, Entry, Site
from appliance.editorial import senders
from appliance.errors import ContentError

DAY = 86_400


def with_rules(config: Config, **rules: Any) -> Config:
    raw = config.model_dump(exclude={"path"})
    raw["sites"][0]["comments"] = rules
    return validate(raw, config.path)


@pytest.fixture
def entry(database: Config) -> Entry:
    sites.sync(database)
    return save(Site.get(), EntryData(title="Tides", slug="tides", published_at=1))[0]


def comment(entry: Entry, email: str = "ida@r.example", *, days: float = 0, **more: Any) -> Comment:
    """A reader's comment of some days ago, with a wish for mail."""
    at = int(db.now() - days * DAY)
    made = comments.add(entry, "Ida", "Text.", email=email, created_at=at, **more)
    CommentOrigin.create(
        comment=made, submission=f"n{made.id}", address="192.0.2.7", network="192.0.2.0/24", user_agent="Firefox",
        referrer="x", created_at=at,
    )  # fmt: skip
    if email:
        ReplyNotice.create(comment=made, email=email.lower(), created_at=at, confirmed_at=at)
    return made


def test_a_ban_is_for_a_network_an_address_or_a_sender(database: Config, entry: Entry) -> None:
    made = comment(entry, "Ida@r.example")
    ada = Actor("ada")
    assert [(one.kind, one.value) for one in senders.ban(database, "", "198.51.100.9", actor=ada)] == [
        ("network", "198.51.100.0/24")
    ]
    assert [one.value for one in senders.ban(database, "", str(made.id), reason="rude", actor=ada)] == [
        "192.0.2.0/24", "ida@r.example",
    ]  # fmt: skip
    assert senders.ban(database, "", "IDA@r.example", actor=ada) == []
    assert [one.value for one in senders.ban(database, "", "2001:db8:1::/64", actor=ada)] == ["2001:db8:1::/64"]
    listed = senders.list_bans(database, "")
    assert len(listed) == 4
    assert (listed[1].reason, listed[1].created_by) == ("rude", "ada")
    assert senders.unban(database, "", str(made.id)) == 2
    assert senders.unban(database, "", str(made.id)) == 0
    nameless = comments.add(entry, "Shell", "Text.")
    for wrong in ("nobody", "300.1.1.1", "a@b@c", str(nameless.id), "4711"):
        with pytest.raises(ContentError):
            senders.ban(database, "", wrong)


def test_nobody_bans_half_the_world_by_mistake(database: Config, entry: Entry) -> None:
    for large in ("0.0.0.0/0", "::/0", "128.0.0.0/1", "10.0.0.0/7", "2000::/18", "::ffff:0:0/96", "::ffff:0:0/103"):
        with pytest.raises(ContentError, match="too large to ban"):
            senders.ban(database, "", large)
    assert [one.value for one in senders.ban(database, "", "10.0.0.0/8")] == ["10.0.0.0/8"]
    assert [one.value for one in senders.ban(database, "", "2001:2000::/19")] == ["2001:2000::/19"]
    CommentBan.create(site=entry.site_id, kind="network", value="0.0.0.0/0", created_at=1)
    assert senders.unban(database, "", "0.0.0.0/0") == 1, "one of former days can still be lifted"


def test_erasing_takes_what_identifies_and_leaves_the_comment(database: Config, entry: Entry) -> None:
    own, again, other = comment(entry), comment(entry, "IDA@r.example"), comment(entry, "bo@r.example")
    before = db.execute("SELECT COUNT(*) FROM change").fetchone()
    assert senders.erase(database, "", "Ida@R.example") == 2
    assert senders.erase(database, "", "ida@r.example") == 0
    assert [row.author_email for row in Comment.select().order_by(Comment.id)] == ["", "", "bo@r.example"]
    for made in (own, again):
        origin = CommentOrigin.get(CommentOrigin.comment == made.id)
        assert (origin.address, origin.network, origin.user_agent, origin.referrer) == ("",) * 4
        assert origin.submission == f"n{made.id}", "else the form could be sent again"
    assert [row.comment_id for row in ReplyNotice.select()] == [other.id]
    assert CommentOrigin.get(CommentOrigin.comment == other.id).address == "192.0.2.7"
    assert db.execute("SELECT COUNT(*) FROM change").fetchone() == before, "no page shows any of it"


def test_what_is_due_is_erased_and_nothing_else(database: Config, entry: Entry, monkeypatch: Any) -> None:
    monkeypatch.setattr(senders, "_BATCH", 2)
    old = [comment(entry, f"old{n}@r.example", days=40) for n in range(5)]
    new = comment(entry, "new@r.example", days=20)
    spam = comment(entry, "spam@r.example", days=40, status="spam")
    fresh = comment(entry, "fresh@r.example", days=20, status="spam")
    ReplyNotice.update(ended_at=1).where(ReplyNotice.comment == old[0].id).execute()
    ReplyNotice.update(confirmed_at=None).where(ReplyNotice.comment == old[1].id).execute()
    assert senders.erase_due(with_rules(database)) == {
        "origins of comments": 6, "e-mail addresses": 0, "spam comments": 1, "ended notices": 2,
        "senders of deleted comments": 0,
    }  # fmt: skip
    assert not Comment.select().where(Comment.id == spam.id).exists()
    assert {row.comment_id for row in CommentOrigin.select().where(CommentOrigin.address != "")} == {new.id, fresh.id}
    assert ReplyNotice.select().where(ReplyNotice.comment.in_([one.id for one in old])).count() == 3
    found = senders.erase_due(with_rules(database, keep_emails=30, keep_spam=0, keep_origins=10))
    assert found == {
        "origins of comments": 2,
        "e-mail addresses": 5,
        "spam comments": 0,
        "ended notices": 0,
        "senders of deleted comments": 0,
    }
    assert {row.author_email for row in Comment.select()} == {"", "new@r.example", "fresh@r.example"}
    assert {row.comment_id for row in ReplyNotice.select()} == {new.id, fresh.id}

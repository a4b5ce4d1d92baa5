"""The links in mails about replies: asking changes nothing, confirming does, and only with a link of ours."""

from __future__ import annotations

from typing import Literal

import pytest

from appliance import db
from appliance.config import Config
from appliance.content import comments, sites
from appliance.content.comment_models import ReplyNotice
from appliance.content.entries import EntryData, save
from appliance.content.models import Site
from appliance.intake.messages import NoticeAnswer, NoticeRequest, SiteAnswer
from appliance.intake.notices import answer_notice
from appliance.signing import CONFIRMATION_AGE, load_signer

ROSA = "rosa@r.example"
ABOUT = SiteAnswer(name="blog", title="A Blog", url="https://blog.example/", root="/", language="en")


@pytest.fixture
def notice(database: Config) -> int:
    """A wish that is not confirmed yet."""
    sites.sync(database)
    entry = save(Site.get(), EntryData(title="Tides", slug="tides", published_at=1))[0]
    comment = comments.add(entry, "Rosa", "Lovely.", email=ROSA)
    return int(ReplyNotice.create(comment=comment, email=ROSA, created_at=int(db.now()), asked_at=1).id)


def ask(
    action: Literal["confirm", "unsubscribe"], token: str, *, confirmed: bool = False, everywhere: bool = False
) -> NoticeAnswer:
    request = NoticeRequest(site="blog", action=action, token=token, confirmed=confirmed, everywhere=everywhere)
    return answer_notice(load_signer(), Site.get(Site.name == "blog"), ABOUT, request)


def state() -> tuple[bool, bool]:
    row = ReplyNotice.get()
    return row.confirmed_at is not None, row.ended_at is not None


def test_asking_changes_nothing_and_confirming_does_it_once_or_twice(notice: int) -> None:
    token = load_signer().notice(notice, ROSA, "confirm", db.now())
    answer = ask("confirm", token)
    assert (answer.outcome, answer.title, answer.page, state()) == ("possible", "Tides", "/", (False, False))
    for _ in range(2):
        assert ask("confirm", token, confirmed=True).outcome == "done"
        assert state() == (True, False)


@pytest.mark.parametrize("everywhere", [False, True])
def test_an_end_takes_effect_and_lasts(notice: int, everywhere: bool) -> None:
    confirm, end = (load_signer().notice(notice, ROSA, action, db.now()) for action in ("confirm", "unsubscribe"))
    ask("confirm", confirm, confirmed=True)
    assert ask("unsubscribe", end).outcome == "possible"
    assert state() == (True, False)
    for _ in range(2):
        answer = ask("unsubscribe", end, confirmed=True, everywhere=everywhere)
        assert (answer.outcome, answer.everywhere) == ("done", everywhere)
        assert state() == (True, True)
    assert ask("confirm", confirm, confirmed=True).outcome == "expired"


def test_what_is_forged_or_old_or_of_another_site_does_nothing(notice: int) -> None:
    signer, now = load_signer(), db.now()
    good = signer.notice(notice, ROSA, "confirm", now)
    old = signer.notice(notice, ROSA, "confirm", now - CONFIRMATION_AGE - 1)
    for token in ("", "x", good + "x", "A" + good, old, signer.notice(notice + 1, ROSA, "confirm", now),
                  signer.notice(notice, "ida@r.example", "confirm", now),
                  signer.notice(notice, ROSA, "unsubscribe", now)):  # fmt: skip
        assert ask("confirm", token, confirmed=True).outcome == "expired"
    assert ask("unsubscribe", good, confirmed=True).outcome == "expired"
    other = Site.create(name="other", title="Other", url="https://other.example/")
    request = NoticeRequest(site="other", action="confirm", token=good, confirmed=True)
    assert answer_notice(signer, other, ABOUT, request).outcome == "expired"
    assert state() == (False, False)


def test_an_old_link_still_ends(notice: int) -> None:
    old = load_signer().notice(notice, ROSA, "unsubscribe", db.now() - 400 * 86_400)
    assert ask("unsubscribe", old, confirmed=True).outcome == "done"
    assert state() == (False, True)

"""The spam check of the installation goes by what moderators decided."""

from __future__ import annotations

import pytest

from appliance import db, editorial
from appliance.config import Config, validate
from appliance.content import sites
from appliance.content.comment_models import CommentOrigin
from appliance.content.entries import EntryData
from appliance.content.entries import save as save_entry
from appliance.content.models import CommentStatus, Entry, Site
from appliance.editorial import reader_comments
from appliance.editorial.reader_comments import Submission, Verdict

OFFER = "The very best prices for harbour cruises are found in my shop, have a look."
SEEN = "I saw the tide as well, right from the old bridge, and it was a sight."


@pytest.fixture
def site(database: Config) -> Config:
    sites.sync(database)
    raw = database.model_dump(exclude={"path"})
    raw["sites"][0]["comments"] = {"moderation": "none", "spam_check": "local"}
    return validate(raw, database.path)


@pytest.fixture
def entry(site: Config) -> Entry:
    return save_entry(Site.get(), EntryData(title="Tides", slug="tides", published_at=int(db.now()) - 86_400))[0]


def post(site: Config, entry: Entry, text: str, network: int = 1) -> Verdict:
    """Post as somebody new, from 192.0.`network`.7."""
    name = f"Ida {CommentOrigin.select().count()}"
    given = {"address": f"192.0.{network}.7", "user_agent": "Firefox"}
    (verdict,) = reader_comments.save(site, [Submission(entry.site, entry.id, text, name, **given)])
    return verdict


def decide(site: Config, verdict: Verdict, decision: CommentStatus) -> None:
    assert verdict.comment is not None
    assert editorial.moderate_comments(site, "", [verdict.comment.id], decision, later=True).changed


def test_a_text_that_a_moderator_marked_as_spam_is_spam_when_it_is_sent_again(site: Config, entry: Entry) -> None:
    first = post(site, entry, OFFER)
    assert first.outcome == "accepted"
    decide(site, first, "spam")
    again = post(site, entry, OFFER, network=2)
    assert (again.outcome, again.reason) == ("discarded", "a moderator marked the same text as spam")
    assert post(site, entry, SEEN, network=3).outcome == "accepted"
    decide(site, first, "approved")
    decide(site, again, "approved")
    assert post(site, entry, OFFER, network=4).outcome == "accepted", "the moderator has thought better of it"


def test_short_thanks_stay_possible_though_one_was_spam(site: Config, entry: Entry) -> None:
    decide(site, post(site, entry, "Thank you!"), "spam")
    assert post(site, entry, "Thank you!", network=2).outcome == "accepted"


def test_a_text_that_it_took_for_spam_and_a_moderator_did_not_is_no_spam_again(site: Config, entry: Entry) -> None:
    verdicts = [post(site, entry, SEEN, network=number) for number in range(5)]
    assert [verdict.outcome for verdict in verdicts] == ["accepted", "held", "held", "discarded", "discarded"]
    decide(site, verdicts[3], "approved")
    assert post(site, entry, SEEN, network=6).outcome == "accepted"


def test_a_network_is_judged_by_what_moderators_left_of_it(site: Config, entry: Entry) -> None:
    verdicts = [post(site, entry, f"{OFFER} No. {number}", network=9) for number in range(2)]
    assert {verdict.outcome for verdict in verdicts} == {"accepted"}
    for verdict in verdicts:
        decide(site, verdict, "spam")
    assert post(site, entry, SEEN, network=9).outcome == "held"
    assert post(site, entry, SEEN + " Truly.", network=8).outcome == "accepted"
    for verdict in verdicts:
        decide(site, verdict, "approved")
    assert post(site, entry, SEEN + " Really.", network=9).outcome == "accepted"

"""The check of comments by a service with Akismet's protocol, and reports to it of what a moderator decided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import db, editorial
from appliance.config import Config, QueueSettings, validate
from appliance.content import comments, sites
from appliance.content.comment_models import CommentOrigin
from appliance.content.entries import EntryData
from appliance.content.entries import save as save_entry
from appliance.content.models import Comment, CommentStatus, Entry, Site
from appliance.editorial import reader_comments
from appliance.editorial.reader_comments import Submission
from appliance.queue import store
from appliance.queue.handlers import registry
from appliance.queue.worker import Worker
from appliance.spam.akismet import Akismet
from appliance.spam.base import Candidate, Opinion
from tests.akismet_service import KEY, AkismetService, akismet_service


@pytest.fixture
def service() -> Iterator[AkismetService]:
    with akismet_service() as server:
        yield server


@pytest.fixture
def site(database: Config, service: AkismetService, tmp_path: Path) -> Config:
    sites.sync(database)
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n", "utf-8")
    raw = database.model_dump(exclude={"path"})
    raw["sites"][0]["comments"] = {
        "moderation": "none", "spam_check": "akismet", "akismet_key_file": str(key), "links": 1,
        "akismet_url": service.url,
    }  # fmt: skip
    return validate(raw, database.path)


@pytest.fixture
def entry(site: Config) -> Entry:
    return save_entry(Site.get(), EntryData(title="Tides", slug="tides", published_at=int(db.now()) - 86_400))[0]


class _NoWait:
    def wait(self, timeout: float) -> bool:
        return False


def post(site: Config, entry: Entry, name: str, text: str = "I saw it too.") -> int:
    given = {"email": "ida@r.example", "address": "192.0.2.7", "user_agent": "Firefox", "nonce": name}
    (verdict,) = reader_comments.save(site, [Submission(entry.site, entry.id, text, name, **given)])
    assert verdict.outcome == "held"
    assert verdict.comment is not None
    return int(verdict.comment.id)


def check(site: Config) -> None:
    """Run the checks and reports that are due."""
    kinds = [kind for kind in registry.kinds(site, slow=True) if kind.name.startswith("spam-")]
    worker = Worker("checker", kinds, QueueSettings(), _NoWait())
    while claims := store.claim(worker.name, list(worker.kinds), 50, 30.0):
        worker.run_batch(claims)


def status(number: int) -> tuple[str, str]:
    return Comment.get_by_id(number).status, CommentOrigin.get_by_id(number).reason


def test_a_comment_waits_until_the_service_has_judged_it(site: Config, service: AkismetService, entry: Entry) -> None:
    good, bad, certain = (post(site, entry, name) for name in ("Ida", "viagra-test-123", "Seller"))
    linked = post(site, entry, "Lin", "<https://a.example/> and <https://b.example/>")
    assert {status(n) for n in (good, bad, certain, linked)} == {("pending", "waits for the spam check")}
    assert service.asked == [], "nobody is asked inside a transaction"
    check(site)
    assert status(good) == ("approved", "")
    assert status(bad) == ("spam", "Akismet takes it for spam")
    assert status(certain)[0] == "spam"
    assert status(linked) == ("pending", "2 links")
    path, asked = service.asked[0]
    assert path == "/1.1/comment-check"
    assert {"blog", "user_ip", "user_agent", "comment_content", "comment_author_email"} <= asked.keys()
    assert (asked["user_ip"], asked["comment_type"]) == ("192.0.2.7", "comment")


def test_without_an_answer_a_comment_goes_on_waiting(site: Config, service: AkismetService, entry: Entry) -> None:
    number = post(site, entry, "down")
    check(site)
    assert len(service.asked) == 1
    assert status(number) == ("pending", "waits for the spam check")
    (state,) = db.execute("SELECT state FROM job WHERE kind = 'spam-check'").fetchone()
    assert state == "pending", "it is tried again"


def test_a_moderator_who_is_faster_counts(site: Config, service: AkismetService, entry: Entry) -> None:
    number = post(site, entry, "viagra-test-123")
    comments.set_status(Comment.get_by_id(number), "approved", "ada")
    check(site)
    assert status(number)[0] == "approved"
    assert service.asked == []


def test_what_a_moderator_holds_before_the_check_is_not_published_by_it(
    site: Config, service: AkismetService, entry: Entry
) -> None:
    number = post(site, entry, "Ida")
    editorial.moderate_comments(site, "", [number], "pending", later=True)
    check(site)
    assert status(number) == ("pending", "a moderator holds it")
    assert service.asked == []


def test_a_wrong_key_fails_for_a_person_to_see(site: Config, service: AkismetService, entry: Entry) -> None:
    Path(str(site.sites[0].comments.akismet_key_file)).write_text("999999999999\n", "utf-8")
    number = post(site, entry, "Ida")
    check(site)
    assert status(number)[0] == "pending"
    ((_, _, message),) = store.recent_failures()
    assert "check the key" in message


def decide(site: Config, number: int, decision: CommentStatus) -> None:
    result = editorial.moderate_comments(site, "", [number], decision, later=True)
    assert [comment.id for comment in result.subject] == [number]


def reported(service: AkismetService) -> list[tuple[str, str]]:
    return [(call, fields["comment_author"]) for call, fields in service.reports]


def test_the_service_is_told_where_a_moderator_decided_against_it(
    site: Config, service: AkismetService, entry: Entry
) -> None:
    good, other, bad, held = (post(site, entry, name) for name in ("Ida", "Ada", "viagra-test-123", "Seller"))
    check(site)
    decide(site, good, "spam")
    decide(site, bad, "approved")
    decide(site, other, "pending")
    decide(site, other, "approved")
    decide(site, held, "pending")
    assert service.reports == [], "nobody is asked inside a transaction"
    check(site)
    assert reported(service) == [("submit-spam", "Ida"), ("submit-ham", "viagra-test-123")]
    asked = {fields["comment_author"]: fields for path, fields in service.asked if path == "/1.1/comment-check"}
    for _, fields in service.reports:
        assert fields == asked[fields["comment_author"]], "the service finds what it judged by the same values"


def test_a_change_of_mind_is_reported_as_well(site: Config, service: AkismetService, entry: Entry) -> None:
    number = post(site, entry, "Ida")
    check(site)
    for decision in ("spam", "approved"):
        decide(site, number, decision)
    check(site)
    assert reported(service) == [], "it agrees with the service again"
    decide(site, number, "spam")
    check(site)
    decide(site, number, "approved")
    check(site)
    assert reported(service) == [("submit-spam", "Ida"), ("submit-ham", "Ida")]


def test_a_report_is_sent_again_until_the_service_takes_it(site: Config, service: AkismetService, entry: Entry) -> None:
    number = post(site, entry, "Ida")
    check(site)
    decide(site, number, "spam")
    service.status = 503
    for _ in range(3):
        check(site)
        db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")
    assert len(service.reports) == 3
    service.status = 200
    check(site)
    check(site)
    assert len(service.reports) == 4
    (state,) = db.execute("SELECT state FROM job WHERE kind = 'spam-report'").fetchone()
    assert state == "done"


def test_a_report_that_the_service_refuses_fails_for_a_person_to_see(
    site: Config, service: AkismetService, entry: Entry
) -> None:
    number = post(site, entry, "Ida")
    check(site)
    decide(site, number, "spam")
    service.thanks = "Missing required field: blog."
    check(site)
    ((_, _, message),) = store.recent_failures()
    assert "Missing required field: blog." in message and "then retry the job" in message


def test_what_the_service_did_not_judge_is_not_reported(site: Config, service: AkismetService, entry: Entry) -> None:
    faster, edited, erased = (post(site, entry, name) for name in ("Fay", "Edda", "Era"))
    decide(site, faster, "spam")
    check(site)
    comments.edit(Comment.get_by_id(edited), text="Other words.")
    decide(site, edited, "spam")
    decide(site, erased, "spam")
    CommentOrigin.update(address="").where(CommentOrigin.comment == erased).execute()
    check(site)
    assert service.reports == []
    assert status(edited)[0] == status(erased)[0] == "spam"


def test_a_decision_while_the_service_is_asked_counts_and_is_reported(
    site: Config, service: AkismetService, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, judge = post(site, entry, "Ida"), Akismet.judge

    def decide_meanwhile(self: Akismet, candidate: Candidate) -> Opinion:
        opinion = judge(self, candidate)
        if status(number)[0] == "pending":
            decide(site, number, "spam")
        return opinion

    monkeypatch.setattr(Akismet, "judge", decide_meanwhile)
    check(site)
    assert status(number)[0] == "spam"
    assert reported(service) == [("submit-spam", "Ida")]


def test_jobs_of_a_site_that_left_the_settings_end(site: Config, service: AkismetService, entry: Entry) -> None:
    """They failed after many tries, for nobody to mend."""
    number, judged = post(site, entry, "Ida"), post(site, entry, "Ada")
    check(site)
    late = post(site, entry, "Lin")
    editorial.moderate_comments(site, "", [number, judged], "spam", later=True)
    raw = site.model_dump(exclude={"path"})
    raw["sites"][0]["name"] = "another"
    asked = len(service.asked)
    check(validate(raw, site.path))
    assert db.execute("SELECT COUNT(*) FROM job WHERE kind LIKE 'spam-%' AND state <> 'done'").fetchone() == (0,)
    assert len(service.asked) == asked and service.reports == []
    assert status(late) == ("pending", "waits for the spam check"), "nothing is published unasked"

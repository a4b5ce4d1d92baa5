"""Readers search through the intake of a running daemon: what they find, and what it costs others."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance import db
from appliance.config import Config
from appliance.content import entries, entry_edits
from appliance.content.models import Entry
from appliance.intake import searching
from appliance.intake.client import IntakeClient
from appliance.intake.messages import Answer, CommentAnswer, ErrorAnswer, SearchAnswer, SearchRequest, Sender
from appliance.planning.permalinks import find_path
from tests.intake.test_server import answering, blog, entry, form, request
from tests.local_site import LocalSite
from tests.test_running import await_that

pytestmark = pytest.mark.slow

#: What people and programs write into a box: none may raise anything.
ODD = [
    '"', '""', '"a', "a\"b'c", "'", "\\", "%", "_", "a*", "*", "^a", "a:b", "title:a", "a AND", "AND", "OR NOT",
    "NEAR(a b)", "(a", "a)", "{a b}", "a & b", "a | !b", "a <-> b", "a:*", "<b>tide</b>", "{{ 7*7 }}",
    "; DROP TABLE entry; --", "\x00", "tide\x00s", "\ud7ff\ue000", "\U0010ffff", "é" * 500, "a" * 1000, "a " * 500,
    '"a" ' * 250, "😀", "👩\u200d👧", "潮", "潮汐", "น้ำขึ้น", "المد", "\u202etide", "the", "of the", "-", "- -",
    "tide -harbour", "\t\n", "1", "ﬁ", "İ", "ß",
]  # fmt: skip


@pytest.fixture
def site(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    """A site with a published entry, on each database."""
    sites = {"timezone": "Asia/Tokyo", "url": "https://blog.example/notes/", "folder": "notes"}
    with blog(tmp_path, site=sites, database=database.database) as made:
        yield made


@pytest.fixture
def intake(site: LocalSite) -> Iterator[IntakeClient]:
    with answering(site.config):
        client = IntakeClient(site.config.intake_socket)
        yield client
        client.close()


def ask(client: IntakeClient, query: str, page: int = 1, address: str = "192.0.2.7") -> SearchAnswer | ErrorAnswer:
    answer = client.ask(SearchRequest(site="blog", query=query, page=page, sender=Sender(address=address)))
    assert isinstance(answer, SearchAnswer | ErrorAnswer)
    return answer


def answered(client: IntakeClient, query: str, page: int = 1, address: str = "192.0.2.7") -> SearchAnswer:
    """The first answer of an intake that is not too busy."""
    answer = await_that(lambda: _unless_busy(ask(client, query, page, address)))
    assert isinstance(answer, SearchAnswer), answer
    return answer


def _unless_busy(answer: Answer) -> Answer | None:
    return None if isinstance(answer, ErrorAnswer) and answer.reason == "busy" else answer


def found(client: IntakeClient, query: str) -> list[str]:
    """The titles of what is found."""
    return [one.title for one in answered(client, query).results]


def await_pages(*slugs: str) -> None:
    """Wait until entries have their pages."""
    ids = [Entry.get(Entry.slug == slug).id for slug in slugs]
    await_that(lambda: all(find_path("entry", id_, built=True) for id_ in ids))


def test_a_result_says_what_where_and_when(site: LocalSite, intake: IntakeClient) -> None:
    site.save("Night & day", "2026-11-05T20:00", text="Lamps <on> the *quay*.", slug="night-and-day")
    await_pages("night-and-day")
    answer = answered(intake, "quay")
    assert (answer.query, answer.total, answer.more, answer.page, answer.site.name) == ("quay", 1, False, 1, "blog")
    (one,) = answer.results
    assert (one.title, one.page, one.date) == ("Night & day", "/notes/night-and-day/", "2026-11-06T05:00:00+09:00")
    assert [text for text, is_word in one.snippet if is_word] == ["quay"]
    assert "".join(text for text, _ in one.snippet).startswith("Lamps")


def test_what_is_published_is_found_at_once_and_what_is_not_no_longer(site: LocalSite, intake: IntakeClient) -> None:
    tides = Entry.get(Entry.slug == "tides")
    for number in range(5):
        hidden = site.save(f"Quay {number}", text="A draft about lanterns.", slug=f"quay-{number}", status="draft")
        assert found(intake, "lanterns") == []
        entry_edits.publish(hidden, "a test")
        await_pages(f"quay-{number}")
        assert found(intake, "lanterns") == [f"Quay {number}"]
        site.save(f"Quay {number}", text="Now about ropes.", slug=f"quay-{number}", entry=hidden)
        assert (found(intake, "lanterns"), found(intake, "ropes")) == ([], [f"Quay {number}"])
        entry_edits.unpublish(Entry.get_by_id(hidden.id), "a test")
        assert found(intake, "ropes") == []
    entries.delete(tides, "a test")
    assert found(intake, "tides") == []


def test_pages_of_results_follow_one_another(site: LocalSite, intake: IntakeClient) -> None:
    slugs = [f"ship-{number:02}" for number in range(23)]
    for number, slug in enumerate(slugs):
        site.save(f"Ship {number}", f"2026-10-{number + 1:02}", text="Rigging.", slug=slug)
    await_pages(*slugs)
    pages = [answered(intake, "rigging", page) for page in (1, 2, 3, 4)]
    titles = [[one.title for one in page.results] for page in pages]
    assert [title for page in titles for title in page] == [f"Ship {number}" for number in reversed(range(23))]
    assert [len(page) for page in titles] == [10, 10, 3, 0]
    assert {(page.total, page.more) for page in pages} == {(23, False)}


def test_odd_queries_get_an_answer(site: LocalSite, intake: IntakeClient) -> None:
    for number, query in enumerate(ODD):
        assert answered(intake, query, address=f"192.0.{number}.1").query == query
    assert found(intake, "tides") == ["Tides"]


def test_a_network_may_search_so_often(site: LocalSite, intake: IntakeClient) -> None:
    answers = [ask(intake, "tides", address=f"192.0.2.{number % 250}") for number in range(125)]
    assert [answer.kind for answer in answers] == ["search"] * 120 + ["error"] * 5
    assert isinstance(answers[-1], ErrorAnswer)
    assert (answers[-1].reason, 0 < answers[-1].retry_after <= 61) == ("limited", True)
    assert ask(intake, "tides", address="198.51.100.1").kind == "search"


@pytest.mark.parametrize("limit", [searching.LIMIT, 60.0])
def test_searches_that_hang_hold_up_no_comments(site: LocalSite, monkeypatch: pytest.MonkeyPatch, limit: float) -> None:
    """A lock makes every search wait, in the second case longer than anybody else does. SQLite has no such lock."""
    if not site.config.database_url:
        pytest.skip("readers of SQLite wait for nobody")
    monkeypatch.setattr(searching, "LIMIT", limit)  # the daemon is forked from this process
    with answering(site.config), ThreadPoolExecutor(60) as pool:
        client = IntakeClient(site.config.intake_socket)
        tokens, number = [form(client) for _ in range(20)], entry()

        def post(place: int) -> CommentAnswer:
            comment = request(f"Number {place}", tokens[place], number, wait=0.0)
            answer = await_that(lambda: _unless_busy(client.ask(comment)))
            assert isinstance(answer, CommentAnswer), answer
            return answer

        with db.write():
            db.execute("LOCK TABLE search_document IN ACCESS EXCLUSIVE MODE")
            searches = [pool.submit(ask, client, "tides", 1, f"192.0.{place}.1") for place in range(40)]
            assert {answer.outcome for answer in pool.map(post, range(20))} == {"accepted"}
            answers = [future.result() for future in searches]
            # The client would have given up on them later than that.
            assert [answer.reason for answer in answers if isinstance(answer, ErrorAnswer)] == ["busy"] * 40
            if limit < 60:  # their threads are free again, though the lock is still there
                waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                await_that(lambda: db.execute(waiting).fetchone()[0] == 0)
        assert found(client, "tides") == ["Tides"]
        client.close()

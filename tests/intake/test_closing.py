"""An intake that is told to end does so in time, whatever it waits for, and answers what it can."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from appliance import clock, db
from appliance.config import Config
from appliance.content.models import Comment, Entry
from appliance.editorial import reader_comments
from appliance.editorial.reader_comments import Submission, Verdict
from appliance.errors import IntakeUnavailable
from appliance.intake.client import IntakeClient
from appliance.intake.messages import Answer, CommentAnswer, FormAnswer, FormRequest
from appliance.intake.server import Intake
from appliance.intake.socket_file import listen
from tests.intake.test_server import blog, entry, request
from tests.local_site import LocalSite
from tests.test_running import await_that


@pytest.fixture
def site(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    """A published entry, on each database."""
    with blog(tmp_path, database=database.database) as made:
        yield made


@contextmanager
def serving(config: Config) -> Iterator[Intake]:
    """An intake in this process, without workers: nothing is published."""
    before, ended = set(threading.enumerate()), threading.Event()
    intake = Intake(config, listen(config.intake_socket, config.web), lambda: False)

    def accept() -> None:
        while not ended.is_set():
            with suppress(OSError, ValueError):  # it was closed
                intake.accept(0.1)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield intake
    finally:
        ended.set()
        thread.join()
        for left in set(threading.enumerate()) - before:
            left.join(20)


def close(intake: Intake) -> float:
    """Close an intake; returns how many seconds that took."""
    began = clock.monotonic()
    intake.close()
    return clock.monotonic() - began


def post(config: Config, number: int) -> Answer | None:
    """Post a comment and wait until it can be seen; None if there is no answer."""
    client = IntakeClient(config.intake_socket)
    form = client.ask(FormRequest(site="blog", entry=number))
    assert isinstance(form, FormAnswer)
    try:
        return client.ask(request("Hello", form.token, number, wait=5.0))
    except IntakeUnavailable:
        return None
    finally:
        client.close()


def test_who_waits_for_a_front_end_is_answered_at_once(site: LocalSite) -> None:
    with serving(site.config) as intake, ThreadPoolExecutor() as readers:
        answer = readers.submit(post, site.config, entry())
        await_that(lambda: Comment.select().count() == 1)
        assert close(intake) < 2
        told = answer.result()
        assert isinstance(told, CommentAnswer)
        assert (told.outcome, told.visible) == ("accepted", False)


def test_all_that_hangs_together_takes_no_longer_than_one(site: LocalSite, monkeypatch: pytest.MonkeyPatch) -> None:
    saving, save = threading.Event(), reader_comments.save

    def noted(config: Config, submissions: Sequence[Submission]) -> list[Verdict]:
        saving.set()
        return save(config, submissions)

    monkeypatch.setattr(reader_comments, "save", noted)
    number = entry()
    with serving(site.config) as intake, ThreadPoolExecutor() as readers:
        with db.write():
            Entry.update(text="held").where(Entry.id == number).execute()  # the comment waits for this transaction
            answer = readers.submit(post, site.config, number)
            assert saving.wait(20)
            assert close(intake) < 5, "three seconds for each part would be six"
        answer.result()

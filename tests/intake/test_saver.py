"""Comments are saved in batches, and what is wrong with one of them is not the others' fault."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from appliance import clock
from appliance.config import Config
from appliance.content import sites
from appliance.content.entries import EntryData, save
from appliance.content.models import Comment, Entry, Site
from appliance.editorial import reader_comments
from appliance.editorial.comment_submission import Prepared, prepare
from appliance.editorial.reader_comments import Submission, Verdict
from appliance.intake import saver as saving
from appliance.intake.saver import Saver
from tests.test_running import await_that


@pytest.fixture
def entry(database: Config) -> Entry:
    """A published entry that takes comments."""
    sites.sync(database)
    data = EntryData(title="Tides", slug="tides", published_at=1, status="published", allow_comments=True)
    return save(Site.get(), data)[0]


def submission(entry: Entry, text: str) -> Submission:
    return Submission(Site.get(), entry.id, text, "Ida", nonce=text)


def test_a_bad_one_in_a_batch_stops_only_itself(
    database: Config, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, go = list[int](), threading.Event()
    plain = reader_comments.save

    def noted(config: Config, submissions: Sequence[Submission]) -> list[Verdict]:
        batches.append(len(submissions))
        assert go.wait(20)
        return plain(config, submissions)

    def strict(submission: Submission) -> Prepared:
        if submission.text == "bad":
            raise ZeroDivisionError
        return prepare(submission)

    monkeypatch.setattr(saving, "_PATIENCE", 60.0)
    monkeypatch.setattr(reader_comments, "save", noted)
    monkeypatch.setattr(reader_comments, "prepare", strict)
    saver = Saver(database)
    with ThreadPoolExecutor() as readers:
        first: Any = readers.submit(saver.save, submission(entry, "first"))
        await_that(lambda: batches)
        others = {text: readers.submit(saver.save, submission(entry, text)) for text in ("one", "bad", "two")}
        await_that(lambda: saver._tasks.qsize() == 3)
        go.set()
        assert [first.result().outcome, *(others[text].result().outcome for text in ("one", "two"))] == ["held"] * 3
        with pytest.raises(ZeroDivisionError):
            others["bad"].result()
    assert batches[:2] == [1, 3]
    assert {comment.text for comment in Comment.select()} == {"first", "one", "two"}
    saver.close(clock.monotonic() + 10)

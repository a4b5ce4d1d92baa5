"""Comments of every format are saved by the same rules."""

import pytest

from appliance.config import Config
from appliance.content import comments, entries, sites
from appliance.content.entries import EntryData
from appliance.content.models import Comment, Entry
from appliance.importing.imported_comments import ImportedComment, SavedComments, save_comments


@pytest.fixture
def entry(config: Config) -> Entry:
    return entries.save(sites.sync(config)["blog"], EntryData("Hello", "hello", 1_700_000_000))[0]


def imported(key: str, text: str, parent: str = "", created_at: int = 1_700_000_100) -> ImportedComment:
    return ImportedComment(key, "Ida", text, created_at, parent=parent)


def numbers(saved: SavedComments) -> tuple[int, int, int]:
    return saved.added, saved.changed, saved.unchanged


def parents() -> dict[str, str | None]:
    return {row.text: row.parent.text if row.parent else None for row in Comment.select()}


def test_a_reply_may_come_before_the_comment_it_answers(entry: Entry) -> None:
    thread = [imported("3", "c", "2"), imported("2", "b", "1"), imported("1", "a"), imported("4", "d", "9")]
    assert numbers(save_comments(entry, thread)) == (4, 0, 0)
    assert parents() == {"a": None, "b": "a", "c": "b", "d": None}
    assert numbers(save_comments(entry, thread)) == (0, 0, 4)


def test_replies_that_answer_each_other_make_no_circle(entry: Entry) -> None:
    circle = [imported("1", "a", "3"), imported("2", "b", "1"), imported("3", "c", "2")]
    save_comments(entry, [*circle, imported("4", "d", "4")])
    assert parents() == {"a": None, "b": "a", "c": "b", "d": None}


def test_equal_comments_are_matched_one_by_one(entry: Entry) -> None:
    save_comments(entry, [imported("1", "a"), imported("2", "a")])
    assert numbers(save_comments(entry, [imported("1", "a"), imported("2", "a"), imported("3", "a")])) == (1, 0, 2)


def test_an_edited_comment_is_edited_where_the_source_edits(entry: Entry) -> None:
    save_comments(entry, [imported("1", "a")])
    comments.set_status(Comment.get(), "spam")
    assert numbers(save_comments(entry, [imported("1", "b")], update_text=True)) == (0, 1, 0)
    assert [(row.text, row.status) for row in Comment.select()] == [("b", "spam")]
    assert numbers(save_comments(entry, [imported("1", "c")])) == (1, 0, 0)

"""The journal hands out the latest publication of each path, in order, in batches."""

from __future__ import annotations

import pytest

from appliance import db
from appliance.delivery import backlogs, journal
from appliance.delivery.journal import Delete, JournalRange, Put
from appliance.delivery.models import Publication
from appliance.delivery.positions import Position

from .conftest import Publisher


def put(path: str, version: int = 1) -> Put:
    return Put(path, version, "d" * 64, 5)


@pytest.fixture(autouse=True)
def database(publisher: Publisher) -> None:
    """Every test here has one."""


def append(*rows: Put | Delete, origin: str = "one") -> None:
    with db.write():
        journal.append(rows, origin)


def test_rows_come_back_as_they_were_written() -> None:
    append(put("b"), Delete("a", 7), put("c"))
    found = journal.latest_after("one", 0, 10)
    assert found.changes == [put("b"), Delete("a", 7), put("c")]
    assert found.through == journal.newest("one") == 3


def test_only_the_latest_of_a_path_is_handed_out() -> None:
    append(put("a", 1), put("b", 1), put("a", 2), Delete("b", 2), put("a", 3))
    assert journal.latest_after("one", 0, 10).changes == [Delete("b", 2), put("a", 3)]
    assert backlogs.read("one", [Position()], 10)[Position()].waiting == 2


def test_what_another_host_published_later_supersedes_too() -> None:
    append(put("a", 1), put("b", 1))
    append(put("a", 2), origin="two")
    assert journal.latest_after("one", 0, 10) == JournalRange([put("b", 1)], 2)
    assert journal.latest_after("two", 0, 10) == JournalRange([put("a", 2)], 3)
    assert journal.origins() == ["one", "two"]


def test_a_range_of_superseded_rows_alone_still_moves_the_cursor() -> None:
    append(put("a", 1))
    append(put("a", 2), origin="two")
    assert journal.latest_after("one", 0, 10) == JournalRange([], 1)


def test_ranges_follow_one_another_without_gap_or_duplicate() -> None:
    append(*(put(str(number % 7), number) for number in range(20)))
    seen, cursor = [], 0
    while (found := journal.latest_after("one", cursor, 3)).through != cursor:
        assert len(found.changes) <= 3
        seen += [change.path for change in found.changes]
        cursor = found.through
    assert seen == [str(number % 7) for number in range(13, 20)]
    assert cursor == journal.newest("one")


def test_an_empty_journal() -> None:
    assert journal.latest_after("one", 0, 10) == JournalRange([], 0)
    assert (journal.newest("one"), journal.origins(), journal.oldest_after("one", 0)) == (0, [], None)


def test_many_rows_are_written_at_once() -> None:
    append(*(put(str(number)) for number in range(1234)))
    assert Publication.select().count() == 1234
    assert Publication.select(Publication.at).distinct().count() == 1


def test_a_rolled_back_publication_was_never_made() -> None:
    with pytest.raises(ZeroDivisionError), db.write():
        journal.append([put("a")], "one")
        1 / 0  # noqa: B018
    assert journal.newest("one") == 0

"""The journal hands out the latest publication of each path, in order, in stretches."""

from __future__ import annotations

import pytest

from appliance import db
from appliance.delivery import journal
from appliance.delivery.journal import Delete, Put, Stretch
from appliance.delivery.models import Publication

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
    stretch = journal.latest_after("one", 0, 10)
    assert stretch.changes == [put("b"), Delete("a", 7), put("c")]
    assert stretch.through == journal.newest("one") == 3


def test_only_the_latest_of_a_path_is_handed_out() -> None:
    append(put("a", 1), put("b", 1), put("a", 2), Delete("b", 2), put("a", 3))
    assert journal.latest_after("one", 0, 10).changes == [Delete("b", 2), put("a", 3)]
    assert journal.waiting("one", 0) == 2


def test_what_another_host_published_later_supersedes_too() -> None:
    append(put("a", 1), put("b", 1))
    append(put("a", 2), origin="two")
    assert journal.latest_after("one", 0, 10) == Stretch([put("b", 1)], 2)
    assert journal.latest_after("two", 0, 10) == Stretch([put("a", 2)], 3)
    assert journal.origins() == ["one", "two"]


def test_a_stretch_of_superseded_rows_alone_still_moves_on() -> None:
    append(put("a", 1))
    append(put("a", 2), origin="two")
    assert journal.latest_after("one", 0, 10) == Stretch([], 1)


def test_stretches_follow_one_another_without_gap_or_double() -> None:
    append(*(put(str(number % 7), number) for number in range(20)))
    seen, cursor = [], 0
    while (stretch := journal.latest_after("one", cursor, 3)).through != cursor:
        assert len(stretch.changes) <= 3
        seen += [change.path for change in stretch.changes]
        cursor = stretch.through
    assert seen == [str(number % 7) for number in range(13, 20)]
    assert cursor == journal.newest("one")


def test_an_empty_journal_has_nothing_to_say() -> None:
    assert journal.latest_after("one", 0, 10) == Stretch([], 0)
    assert (journal.newest("one"), journal.origins(), journal.oldest_after("one", 0)) == (0, [], None)


def test_many_rows_are_written_at_once() -> None:
    append(*(put(str(number)) for number in range(1234)))
    assert Publication.select().count() == 1234
    assert Publication.select(Publication.at).distinct().count() == 1


def test_what_is_rolled_back_was_never_published() -> None:
    with pytest.raises(ZeroDivisionError), db.write():
        journal.append([put("a")], "one")
        1 / 0  # noqa: B018
    assert journal.newest("one") == 0

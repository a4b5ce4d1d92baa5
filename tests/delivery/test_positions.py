"""Positions: what a reader of the journal has had, as a set of numbers says it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.delivery import positions
from appliance.delivery.positions import Position

LAST = 30
NUMBERS = range(1, LAST + 10)
number = st.integers(0, LAST)
stretches = st.lists(st.tuples(number, st.integers(0, 6)), max_size=12)


def made(steps: list[tuple[int, int]]) -> Position:
    position = Position()
    for after, count in steps:
        if count:
            position = position.having(after, after + count)
    return position


any_position = stretches.map(made)


def numbers(position: Position) -> set[int]:
    return {one for one in NUMBERS if position.has(one)}


@given(any_position, number, st.integers(1, 6))
def test_what_was_had_is_added_and_nothing_else(position: Position, after: int, count: int) -> None:
    fresh = set(range(after + 1, after + count + 1))
    moved = position.having(after, after + count)
    assert fresh <= numbers(moved) <= numbers(position) | fresh
    assert moved.through >= position.through, "what was had in order is never given up"
    if after <= position.front and (after >= position.ahead_after or after <= position.through):
        assert numbers(moved) >= numbers(position), "nothing is given up unless there is a gap"


@given(any_position, number)
def test_a_backlog_closes(position: Position, through: int) -> None:
    moved = position.moved(through)
    assert numbers(moved) == numbers(position) | set(range(1, through + 1))
    assert moved.has_backlog == (position.has_backlog and through < position.ahead_after)


@given(st.lists(any_position, min_size=1, max_size=4))
def test_what_all_had_no_one_lacks(those: list[Position]) -> None:
    shared = set.intersection(*map(numbers, those))
    found = positions.common(those)
    assert numbers(found) <= shared
    assert found.through == min(one.through for one in those)
    if len(those) == 1:
        assert numbers(found) == shared


@given(any_position, any_position)
def test_a_reader_reads_all_that_its_source_had(reader: Position, source: Position) -> None:
    """And nothing that the source has not had; the loop ends."""
    for _ in range(20):
        stretch = positions.unread(reader, source)
        if stretch is None:
            break
        after, through = stretch
        assert set(range(after + 1, through + 1)) <= numbers(source)
        reader = reader.having(after, min(through, after + 3))
    assert positions.unread(reader, source) is None
    assert reader.through >= source.through
    assert not source.has_backlog or reader.front >= source.ahead

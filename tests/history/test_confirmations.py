"""When every front end had a publication, from the moves of their cursors."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance import db
from appliance.config import Config
from appliance.delivery import confirmations, cursors
from appliance.delivery.confirmations import _merged, _Move
from appliance.delivery.targets import front_ends
from tests.history.installation import with_targets

#: How far a cursor moves at a time, and how long after the move before.
MOVES = st.lists(st.tuples(st.integers(1, 5), st.floats(0.01, 5.0)), max_size=12)


def moves_of(steps: list[tuple[int, float]]) -> list[_Move]:
    position, at, found = 0, 0.0, []
    for by, wait in steps:
        at += wait
        found.append(_Move(position, position + by, at))
        position += by
    return found


@given(st.lists(MOVES, min_size=1, max_size=4))
def test_the_steps_are_those_of_looking_at_each_publication(made: list[list[tuple[int, float]]]) -> None:
    targets = [moves_of(steps) for steps in made]
    through = min((moves[-1].publication if moves else 0) for moves in targets)
    ends = sorted({end for moves in targets for move in moves for end in move[:2] if 0 < end <= through})
    found = {}
    before = 0
    for step in _merged(targets, ends):
        found.update(dict.fromkeys(range(before + 1, step.publication + 1), step.at))
        before = step.publication
    exact = {
        number: max(next(move.at for move in moves if move.publication >= number) for moves in targets)
        for number in range(1, through + 1)
    }
    assert found == exact


def test_a_move_is_recorded_with_what_it_confirmed_and_an_hour_later_deleted(database: Config) -> None:
    config = with_targets(database, "www1")
    (target,) = front_ends(config)
    cursors.confirm(target, "pub1", 5)
    cursors.confirm(target, "pub1", 5)
    cursors.confirm(target, "pub1", 3)
    cursors.confirm(target, "pub1", 9, expected=7)
    cursors.confirm(target, "pub1", 8, expected=5)
    rows = db.execute("SELECT after, publication FROM confirmation ORDER BY publication").fetchall()
    assert [tuple(row) for row in rows] == [(0, 5), (5, 8)]
    db.backend().now_at(confirmations.KEPT + 1)
    cursors.confirm(target, "pub1", 9)
    assert [tuple(row) for row in db.execute("SELECT after, publication FROM confirmation").fetchall()] == [(8, 9)]
    db.backend().now_at(0.0)


def test_what_was_confirmed_before_a_moment_alone_counts(database: Config) -> None:
    config = with_targets(database, "www1", "www2")
    one, two = front_ends(config)
    cursors.confirm(one, "pub1", 4)
    cursors.confirm(two, "pub1", 2)
    between = db.now() + 5
    db.backend().now_at(10.0)
    cursors.confirm(two, "pub1", 4)
    positions = {target.name: cursors.read(target, "pub1") for target in (one, two)}
    assert [step.publication for step in confirmations.steps(positions, "pub1", 0, between)] == [2]
    assert [step.publication for step in confirmations.steps(positions, "pub1", 2, db.now() + 1)] == [4]
    (late,) = confirmations.steps(positions, "pub1", 2, db.now() + 1)
    assert late.at is not None and late.at > between
    db.backend().now_at(0.0)

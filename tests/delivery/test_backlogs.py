"""How much targets have yet to be sent: counted as one would by hand, by queries that more targets do not add to."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from appliance import db
from appliance.config import Config, DeliverySettings, TargetSettings
from appliance.delivery import backlogs, cursors, journal, target_state
from appliance.delivery.backlogs import Backlog
from appliance.delivery.journal import Put
from appliance.delivery.positions import Position
from appliance.delivery.targets import Target
from tests.statements import count_statements


def publish(count: int, origin: str, chance: random.Random) -> None:
    with db.write():
        for number in range(count):
            journal.append([Put(f"p{chance.randrange(count)}", number, "d", 1)], origin)


def target(config: Config, name: str) -> Target:
    settings = TargetSettings(name=name, address=f"publish@{name}:/srv/www", other_path=True)
    return Target(settings, config.docroot, DeliverySettings())


def by_hand(origin: str, position: Position, limit: int) -> Backlog:
    rows = db.execute("SELECT id, at, latest FROM publication WHERE origin = ? ORDER BY id", (origin,)).fetchall()
    lacking = [row for row in rows if row[0] > position.through]
    after = [row for row in rows if row[0] > position.front]
    # Only the newest are counted, and what of them was sent ahead is taken from that.
    counted = [row for row in rows if row[2] and row[0] > position.through][-limit:]
    return Backlog(
        lacking[0][1] if lacking else None,
        sum(not position.has(row[0]) for row in counted),
        len(counted) >= limit,
        after[0][1] if after else None,
        position.has_backlog,
    )


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("limit", [5, 1000])
def test_each_cursor_gets_what_comes_after_it(limit: int) -> None:
    chance = random.Random(7)
    for origin in ("one", "two", "one"):
        publish(40, origin, chance)
    given = [Position(number) for number in (0, 1, 13, 41, 80, 119, 120, 500)]
    given += [Position(0, 90, 90), Position(0, 3, 117), Position(13, 44, 79), Position(13, 44, 120)]
    for origin in ("one", "two", "none"):
        found = backlogs.read(origin, given, limit)
        assert found == {cursor: by_hand(origin, cursor, limit) for cursor in given}


@pytest.mark.usefixtures("database")
def test_without_cursors_there_is_no_backlog() -> None:
    assert backlogs.read("one", [], 10) == {}


def test_the_states_of_all_are_those_of_each(database: Config) -> None:
    publish(30, "one", random.Random(7))
    publish(10, "two", random.Random(8))
    chosen = [target(database, f"www{number}") for number in range(4)]
    cursors.confirm(chosen[1], "one", 20, files=3, bytes=90, seconds=0.5)
    cursors.confirm(chosen[2], "one", journal.newest("one"))
    cursors.confirm(chosen[2], "two", journal.newest("two"))
    cursors.record_failure(chosen[3], "one", "it does not answer", failures=4, retry_in=9)
    target_state.pause("www1")
    together, alone = target_state.read_all(chosen), [target_state.read(one) for one in chosen]
    assert [replace(state, lag=0, ahead_lag=0) for state in together] == [
        replace(state, lag=0, ahead_lag=0) for state in alone
    ]
    assert [state.lag > 0 for state in together] == [state.lag > 0 for state in alone] == [True, True, False, True]
    assert [state.level for state in together] == [False, False, True, False]
    assert [state.paused for state in together] == [False, True, False, False]
    assert [state.circuit for state in together] == ["closed", "closed", "closed", "open"]


def test_more_targets_are_read_by_the_same_queries(database: Config) -> None:
    publish(20, "one", random.Random(7))
    counts = []
    for count in (1, 32):
        chosen = [target(database, f"www{number}") for number in range(count)]
        for number, one in enumerate(chosen):
            cursors.confirm(one, "one", number % 20)
        counts.append(count_statements(lambda chosen=chosen: target_state.read_all(chosen)))  # type: ignore[misc]
    assert counts[0] == counts[1] <= 9

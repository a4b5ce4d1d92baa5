"""Samples of lag and of cursors: what they say, how long they are kept, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from appliance import clock, db
from appliance.config import Config, TargetSettings
from appliance.delivery import cursor_history, cursors, journal, lag_history, target_state
from appliance.delivery.journal import Put
from appliance.delivery.lag_history import LagSample
from appliance.delivery.targets import front_ends
from appliance.delivery.whereabouts import whereabouts
from tests.statements import count_statements


class Clock:
    """The time of the process, and of SQLite, which takes it from there."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(config: Config, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock(clock.now())
    monkeypatch.setattr("time.time", made)
    yield made


def with_targets(config: Config, count: int) -> Config:
    names = [f"www{number}" for number in range(1, count + 1)]
    targets = [TargetSettings(name=name, address=f"publish@{name}:/srv/www", other_path=True) for name in names]
    return config.model_copy(update={"targets": targets, "host": "pub1"})


def publish(path: str, version: int = 1) -> int:
    with db.write():
        journal.append([Put(path, version, "d", 1)], "pub1")
    return journal.newest("pub1")


def test_a_sample_says_how_far_each_target_is(config: Config, time: Clock) -> None:
    config = with_targets(config, 2)
    www1, www2 = front_ends(config)
    began = time.now
    number = publish("a")
    cursors.confirm(www2, "pub1", number)
    cursors.record_failure(www1, "pub1", "it does not answer")
    target_state.pause("www1")
    for _ in range(3):
        time.now += 60
        lag_history.sample(config)
    assert lag_history.read("www1", began) == [
        LagSample(began + 60 * n, pytest.approx(60 * n), 1, True, True) for n in (1, 2, 3)
    ]
    assert [(one.lag, one.waiting, one.paused, one.failing) for one in lag_history.read("www2", began)] == [
        (0, 0, False, False)
    ] * 3
    assert [one.at for one in lag_history.read("www1", began + 90)] == [began + 120, began + 180]
    assert lag_history.highest(began) == {"www1": pytest.approx(180), "www2": 0}
    assert lag_history.highest(began + 181) == {}


def test_old_samples_go(config: Config, time: Clock) -> None:
    config = with_targets(config, 1)
    cursors.confirm(front_ends(config)[0], "pub1", publish("a"))
    lag_history.sample(config)
    first = time.now
    time.now += lag_history.KEPT - 1
    lag_history.sample(config)
    assert [one.at for one in lag_history.read("www1", 0)] == [first, time.now]
    time.now += 2
    lag_history.sample(config)
    assert [one.at for one in lag_history.read("www1", 0)] == [time.now - 2, time.now]
    assert db.execute("SELECT COUNT(*) FROM cursor_sample").fetchone() == (0,)


def test_a_page_was_confirmed_when_the_cursor_first_got_there(config: Config, time: Clock) -> None:
    config = with_targets(config, 1)
    (www1,) = front_ends(config)
    first = publish("a")
    time.now += 5
    cursors.confirm(www1, "pub1", first)
    confirmed = time.now
    lag_history.sample(config)
    time.now += 600
    cursors.confirm(www1, "pub1", publish("b"))
    lag_history.sample(config)
    assert cursor_history.first_confirmed([("www1", "pub1", first), ("www1", "pub1", 99)]) == {
        ("www1", "pub1", first): pytest.approx(confirmed)
    }
    assert [one.confirmed_at for one in whereabouts(config, "a").front_ends] == [pytest.approx(confirmed)]
    assert [one.confirmed_at for one in whereabouts(config, "b").front_ends] == [pytest.approx(confirmed + 600)]


def test_what_was_taken_back_counts_from_when_it_is_confirmed_again(config: Config, time: Clock) -> None:
    config = with_targets(config, 1)
    (www1,) = front_ends(config)
    number = publish("a")
    cursors.confirm(www1, "pub1", number)
    lag_history.sample(config)
    cursors.reset("www1")
    lag_history.sample(config)
    assert cursor_history.first_confirmed([("www1", "pub1", number)]) == {}
    time.now += 90
    cursors.confirm(www1, "pub1", number)
    lag_history.sample(config)
    assert [one.confirmed_at for one in whereabouts(config, "a").front_ends] == [pytest.approx(time.now)]


def test_a_forgotten_target_leaves_no_samples(config: Config) -> None:
    lag_history.sample(with_targets(config, 2))
    target_state.forget(config, "www1")
    assert lag_history.read("www1", 0) == []
    assert len(lag_history.read("www2", 0)) == 1


def test_a_sample_of_more_targets_takes_the_same_statements(database: Config) -> None:
    counts = []
    for count in (1, 32):
        config = with_targets(database, count)
        for one in front_ends(config):
            cursors.confirm(one, "pub1", publish(f"page {count}"))
        publish("one more, which nobody has")
        lag_history.sample(config)
        counts.append(count_statements(lambda config=config: lag_history.sample(config)))  # type: ignore[misc]
    assert counts[0] == counts[1] <= 20
    assert len(lag_history.highest(0)) == 32
    number = journal.newest("pub1") - 1
    assert cursor_history.first_confirmed([("www32", "pub1", number), ("www1", "pub1", 1)]).keys() == {
        ("www32", "pub1", number),
        ("www1", "pub1", 1),
    }

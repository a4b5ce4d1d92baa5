"""Each publication says whether it is the latest of its path, whoever writes it and whatever is pruned."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import caches, db
from appliance.config import Config, DeliverySettings, TargetSettings
from appliance.delivery import journal, target_state
from appliance.delivery.journal import Delete, PublishedChange, Put
from appliance.delivery.targets import Target
from appliance.tasks import status, target_output

#: How a release that knows nothing of the mark writes.
_OLD = "INSERT INTO publication (path, op, version, digest, size, origin, at) VALUES (?, ?, ?, ?, ?, ?, ?)"
_MARKED = "SELECT id FROM publication WHERE latest ORDER BY id"
_RIGHT = "SELECT MAX(id) FROM publication GROUP BY path ORDER BY 1"


def marked() -> list[int]:
    """The publications that say they are the latest; they are those that are."""
    found, right = ([number for (number,) in db.execute(sql).fetchall()] for sql in (_MARKED, _RIGHT))
    assert found == right
    return found


def some(chance: random.Random, version: int) -> PublishedChange:
    path = f"{chance.randrange(12)}.html"
    return Delete(path, version) if chance.random() < 0.3 else Put(path, version, "d", 1)


def test_the_newest_of_each_path_is_marked(database: Config) -> None:
    chance = random.Random(11)
    for turn in range(40):
        with db.write():
            journal.append([some(chance, turn) for _ in range(chance.randrange(1, 9))], chance.choice("ab"))
        assert marked()
        if turn % 10 == 9:
            journal.prune(caches.confirmed_by_all(database))  # without targets, all of it is confirmed
            assert db.execute("SELECT COUNT(*) FROM publication").fetchone() == (len(marked()),)


@pytest.mark.usefixtures("database")
def test_hosts_that_publish_one_path_at_once_leave_one_latest() -> None:
    def publish(origin: str) -> None:
        for number in range(30):
            with db.write():
                journal.append([Put("home", number, "d", 1), Put(f"{origin}/{number}", number, "d", 1)], origin)
        db.disconnect()

    threads = [threading.Thread(target=publish, args=(origin,)) for origin in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(marked()) == 3 * 30 + 1


@pytest.mark.usefixtures("database")
def test_a_rolled_back_publication_supersedes_nothing() -> None:
    with db.write():
        journal.append([Put("a", 1, "d", 1)], "here")
    before = marked()
    with pytest.raises(RuntimeError), db.write():
        journal.append([Put("a", 2, "d", 1)], "here")
        raise RuntimeError
    assert marked() == before


def test_a_journal_of_the_release_before_is_marked_and_stays_so(
    database: Config, migrate: Callable[[], list[str]]
) -> None:
    """It goes on writing after another host was upgraded."""
    _unmark(database)
    for version in (1, 2):
        for path in "abc"[version - 1 :]:
            db.execute(_OLD, [path, "put", version, "d", 1, "old", 1.0])
    assert migrate() == ["0012_latest_publication"]
    assert len(marked()) == 3
    db.execute(_OLD, ["a", "delete", 3, None, None, "old", 2.0])
    db.execute(_OLD, ["d", "put", 3, "d", 1, "old", 2.0])
    assert len(marked()) == 4
    assert journal.latest_of("a") == Delete("a", 3)


def _unmark(database: Config) -> None:
    """Bring the tables back to before the migration."""
    server = bool(database.database_url)
    db.execute(f"DROP TRIGGER publication_supersede{' ON publication' if server else ''}")
    if server:
        db.execute("DROP FUNCTION publication_supersede()")
    for name in ("publication_latest", "publication_latest_path", "publication_superseded"):
        db.execute(f"DROP INDEX {name}")
    db.execute("ALTER TABLE publication DROP COLUMN latest")
    db.execute("DELETE FROM schema_migration WHERE name = '0012_latest_publication'")


@pytest.mark.usefixtures("database")
def test_more_waiting_files_than_are_counted_are_reported_as_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(target_state, "MAX_COUNTED", 4)
    target = Target(
        TargetSettings(name="front", address="/srv/front", other_path=True), Path("/srv/www"), DeliverySettings()
    )
    for origin, count in (("a", 3), ("b", 1)):
        with db.write():
            journal.append([Put(f"{origin}/{n}", 1, "d", 1) for n in range(count)], origin)
    state = target_state.read(target)
    assert (state.waiting, state.more_waiting, target_output.count_waiting(state)) == (4, False, "4 files")
    for _ in range(2):  # however many more
        with db.write():
            journal.append([Put(f"c/{n}", 1, "d", 1) for n in range(9)], "c")
        state = target_state.read(target)
        assert (state.waiting, state.more_waiting) == (4, True)
    assert status.describe_target(state).startswith("behind by more than 4 files, for ")
    assert target_output.target_json(state)["more_waiting"] is True
    target_output.print_targets([state], db.now())
    assert " 4+ " in capsys.readouterr().out

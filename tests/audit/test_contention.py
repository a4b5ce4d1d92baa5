"""Recording at once: processes that record in transactions with other locks end, and leave one chain."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import groupby

import pytest

from appliance import audit, db
from appliance.config import Config
from appliance.content.models import Site

ACTS = 12
#: The sites whose rows each process locks, in this order.
LOCKED = (["one"], ["two"], ["one", "two"], ["one", "two"], ["two"])


def fork(body: Callable[[], None], config: Config) -> int:
    """Run `body` in another process, which has opened the database."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        db.open_database(config)
        body()
        status = 0
    finally:
        os._exit(status)


def test_processes_that_lock_other_rows_too(database: Config) -> None:
    """Whoever gets the lock of the audit waits for no other after that, so nobody waits for ever.

    Some record before they lock rows of another table, some after that. Were the lock of the audit taken when something
    is recorded, these would wait for those, and those for these.
    """
    for name in ("one", "two"):
        Site.create(name=name, title="", url="https://blog.example/")
    read, go = os.pipe()

    def act(number: int) -> None:
        os.close(go)
        os.read(read, 1)  # all begin at once
        for n in range(ACTS):
            with db.write():
                if number % 2:
                    audit.record("site.publish", "site", f"{number}.{n}")
                for name in LOCKED[number]:
                    db.execute("UPDATE site SET title = ? WHERE name = ?", [f"{number}.{n}", name])
                    audit.record("site.publish", "site", f"{number}.{n}", after={"locked": name})

    children = [fork(lambda number=number: act(number), database) for number in range(len(LOCKED))]
    os.close(read)
    os.close(go)
    assert {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children} == {0}
    assert audit.verify().fault == ""
    rows = list(audit.all_rows())
    in_turn = [act for act, _ in groupby(rows, lambda row: row.subject_id)]
    assert len(in_turn) == ACTS * len(LOCKED), "the rows of a transaction follow one another"
    assert len(rows) == ACTS * sum(number % 2 + len(names) for number, names in enumerate(LOCKED))
    assert [row.at for row in rows] == sorted(row.at for row in rows)


@pytest.mark.parametrize("when", ["buffered", "written"])
def test_a_process_that_is_killed_before_its_commit(database: Config, when: str) -> None:
    """Its rows were never there, and the lock is free at once."""
    audit.record("site.publish", "site", 1)

    def act() -> None:
        with db.write():
            audit.record("site.publish", "site", 2)
            if when == "written":
                # Collected after the rows above, and so done after they are written.
                db.collect(None, lambda _items: os.kill(os.getpid(), signal.SIGKILL))
            else:
                os.kill(os.getpid(), signal.SIGKILL)

    child = fork(act, database)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    audit.record("site.publish", "site", 3)
    assert [(row.id, row.subject_id) for row in audit.all_rows()] == [(1, "1"), (2, "3")]
    assert audit.verify().fault == ""


def test_the_lock_is_held_only_while_rows_are_written(database: Config) -> None:
    """A transaction that has recorded and goes on holds up nobody else who records, unless by what else it locked."""
    if not database.database_url:
        pytest.skip("SQLite has one writer at a time")
    ready, begun = os.pipe()
    read, go = os.pipe()

    def act() -> None:
        with db.write():
            audit.record("site.publish", "site", "slow")
            os.write(begun, b"x")
            os.read(read, 1)

    child = fork(act, database)
    os.read(ready, 1)
    with db.write():
        db.set_short_lock_timeout()
        audit.record("site.publish", "site", "quick")
    os.write(go, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [row.subject_id for row in audit.all_rows()] == ["quick", "slow"]
    assert audit.verify().fault == ""

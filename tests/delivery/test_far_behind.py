"""A target that is far behind: what is published now reaches it first, and the backlog between."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import db
from appliance.delivery import backlogs, cursors, journal, send_plan, stretches, target_state, target_worker
from appliance.delivery.courier import Couriers
from appliance.delivery.positions import Position
from appliance.delivery.spot_check import SpotCheck
from appliance.delivery.stretches import Stretch
from appliance.delivery.target_pusher import CourierContext, TargetPusher
from appliance.delivery.targets import Target
from appliance.delivery.transports.factory import TransportFactory
from appliance.demo.frontend import FrontEnd

from .conftest import ORIGIN, Publisher, tree
from .test_courier import until

FrontEnds = Callable[..., list[FrontEnd]]
#: Files of a backlog, and of the longest push.
MANY, BATCH = 3000, 200


def publish_many(publisher: Publisher, count: int = MANY) -> None:
    publisher.journal(*[publisher.write(f"{n % 40}/{n}/index.html", f"page {n}") for n in range(count)])


def shows(folder: Path, path: str, text: str) -> bool:
    try:
        return (folder / path).read_text() == text
    except FileNotFoundError:
        return False


def test_an_edit_is_readable_on_a_joining_target_long_before_the_backlog(
    publisher: Publisher, front_ends: FrontEnds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_plan, "BATCH_SIZE", BATCH)
    (front,) = front_ends(1)
    publish_many(publisher)
    (target,) = publisher.targets
    seconds = []
    with Couriers([target]) as couriers:
        began = time.monotonic()
        until(lambda: (front.docroot / "0").exists(), 20)
        for number in range(3):
            publisher.put("39/2999/index.html", f"edited {number}")
            edited = time.monotonic()
            couriers.wake()
            until(lambda number=number: shows(front.docroot, "39/2999/index.html", f"edited {number}"), 60)  # type: ignore[misc]
            seconds.append(time.monotonic() - edited)
            assert not target_state.read(target).level
        couriers.settle()
        whole = time.monotonic() - began
    assert tree(front.docroot) == tree(publisher.docroot)
    assert cursors.read(target, ORIGIN) == journal.newest(ORIGIN)
    assert statistics.median(seconds) < whole / 3, (seconds, whole)


def behind(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A folder that shows the newest two files of ten, sent ahead, and the first two of the others."""
    monkeypatch.setattr(send_plan, "BATCH_SIZE", 4)
    monkeypatch.setattr(stretches, "FIRST", 2)
    monkeypatch.setattr(Stretch, "learn", lambda *_: None)
    target = publisher.local("copy")
    publisher.journal(*[publisher.write(f"{n}.html", f"page {n}") for n in range(10)])
    context = CourierContext(ORIGIN, ORIGIN, False, threading.Event())
    with TransportFactory() as transports:
        assert TargetPusher(context, target, transports)._push_due(0) == "sent"
    return target


def test_what_is_ahead_is_told_of_as_there_and_the_target_as_behind(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = behind(publisher, monkeypatch)
    assert set(tree(target.folder)) == {"0.html", "1.html", "8.html", "9.html"}
    assert cursors.position(target, ORIGIN) == Position(2, 8, 10)
    state = target_state.read(target)
    assert (state.word, state.level, state.has_backlog, state.waiting) == ("behind", False, True, 6)
    assert state.lag > 0 and state.ahead_lag == 0
    publisher.put("new.html", "new")
    publisher.put("9.html", "edited")
    state = target_state.read(target)
    assert state.waiting == 8 and 0 < state.ahead_lag <= state.lag
    assert [change.path for change in backlogs.first_changes(target, 3)] == ["2.html", "3.html", "4.html"]


def test_a_spot_check_notices_that_what_was_ahead_is_lost(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = behind(publisher, monkeypatch)
    with TransportFactory() as transports:
        transport = transports.open(target)
        assert SpotCheck(target).passes(transport)
        (target.folder / "8.html").unlink()
        assert not SpotCheck(target).passes(transport)


def test_a_reset_forgets_what_was_ahead_and_an_old_push_confirms_nothing(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = behind(publisher, monkeypatch)
    before = cursors.position(target, ORIGIN)
    cursors.reset(target.name)
    cursors.move(target, ORIGIN, before, before.moved(5))
    assert cursors.position(target, ORIGIN) == Position()
    with Couriers([target]) as couriers:
        couriers.settle()
    assert tree(target.folder) == tree(publisher.docroot)


def test_a_release_that_knows_one_cursor_goes_on(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    target = behind(publisher, monkeypatch)
    with db.write():
        db.execute("UPDATE cursor SET publication = 9")
    assert cursors.position(target, ORIGIN) == Position(10)


def test_a_push_that_ends_in_the_middle_of_the_backlog_is_made_up_for(
    publisher: Publisher, front_ends: FrontEnds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """rsync is killed in a stretch of the backlog; meanwhile a path of it is edited, and another one deleted."""
    monkeypatch.setattr(send_plan, "BATCH_SIZE", 100)
    monkeypatch.setattr(target_worker, "FIRST_PAUSE", 0.05)
    (front,) = front_ends(1)
    log = publisher.folder / "pushes"
    script = publisher.folder / "dying-rsync"
    script.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && exec rsync --version\n'
        f'case "$*" in *--delay-updates*) echo x >> "{log}";; esac\n'
        f'if [ -f "{log}" ] && [ "$(wc -l < "{log}")" = 3 ]; then\n'
        f'echo x >> "{log}"; timeout -s KILL 0.05 rsync "$@"; exit 12; fi\n'
        'exec rsync "$@"\n'
    )
    script.chmod(0o755)
    publish_many(publisher, 600)
    publisher.delivery = publisher.delivery.model_copy(update={"rsync": str(script)})
    with Couriers(publisher.targets) as couriers:
        until(lambda: log.exists() and len(log.read_text().split()) >= 3, 20)
        publisher.put("1/401/index.html", "edited")
        publisher.delete("2/402/index.html")
        couriers.wake()
        until(lambda: target_state.read(publisher.targets[0]).level, 60)
    assert tree(front.docroot) == tree(publisher.docroot)

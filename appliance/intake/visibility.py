"""Waiting until a reader's front end shows a comment.

One thread looks for all who wait, so a flood of comments costs a few queries for each look.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

from appliance import clock, db
from appliance.config import Config
from appliance.db.listener import CommitListener
from appliance.intake.awaited import AwaitedComment, Look
from appliance.intake.served_docroots import ServedDocroots

#: The most readers who wait at once. Others are told that their comment is on its way.
_MOST: Final = 64
#: Seconds between two looks while somebody waits. A front end that confirms a push notifies nobody.
_LOOK: Final = 0.01


@dataclass(eq=False)
class _Waiter:
    awaited: AwaitedComment
    #: Set once the comment can be seen, or nobody looks any more.
    told: threading.Event = field(default_factory=threading.Event)
    is_visible: bool = False


class Watcher:
    """Looks for all who wait, in a thread of its own."""

    def __init__(self, config: Config) -> None:
        self._docroots = ServedDocroots(config)
        self._condition = threading.Condition()
        self._waiters: set[_Waiter] = set()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()

    def wait(self, site: int, entry: int, comment: int, front_end: str, seconds: float) -> bool:
        """Wait until a front end shows a comment, at most `seconds`; returns whether it does.

        It may be a publishing host that serves readers itself. If it has no name, or an unknown one, all must show it.
        """
        waiter = _Waiter(AwaitedComment(site, entry, comment, self._docroots.choose(front_end)))
        with self._condition:
            if self._stopping or len(self._waiters) >= _MOST:
                return False
            self._waiters.add(waiter)
            self._condition.notify()
        waiter.told.wait(seconds)
        with self._condition:
            self._waiters.discard(waiter)
        return waiter.is_visible

    def release(self) -> None:
        """Tell those who wait that it takes longer, and end the thread."""
        with self._condition:
            self._stopping = True
            for waiter in self._waiters:
                waiter.told.set()
            self._condition.notify()

    def close(self, deadline: float) -> None:
        """Wait for the end of the thread, until `deadline` by the monotonic clock."""
        self.release()
        self._thread.join(max(0.0, deadline - clock.monotonic()))

    def _run(self) -> None:
        wake = CommitListener(lambda: self._stopping)
        while (waiters := self._next_waiters()) is not None:
            with db.suppress_unavailable():
                _look_for(waiters)
            if all(waiter.told.is_set() for waiter in waiters):
                clock.sleep(0)  # their threads take themselves off the list
            else:
                wake.wait(_LOOK)
        wake.close()
        db.disconnect()

    def _next_waiters(self) -> list[_Waiter] | None:
        """Those who wait; None once this is to end. Blocks while nobody waits."""
        with self._condition:
            self._waiters = {waiter for waiter in self._waiters if not waiter.told.is_set()}
            while not self._waiters and not self._stopping:
                self._condition.wait()
            return None if self._stopping else list(self._waiters)


def _look_for(waiters: list[_Waiter]) -> None:
    """Wake those whose comment can be seen by now."""
    with db.snapshot():
        look = Look()
        for waiter in waiters:
            if waiter.awaited.is_visible(look):
                waiter.is_visible = True
                waiter.told.set()

"""Waiting until a reader's front end shows a comment.

One thread looks for all who wait, when one more begins to, and when the database says that a docroot may show something
new. So a flood of comments costs a few queries for each look, and waiting costs none.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Final

from appliance import clock, db, logging
from appliance.config import Config
from appliance.db.listener import CommitListener
from appliance.delivery.journal import DOCROOTS
from appliance.intake.awaited import AwaitedComment, Look
from appliance.intake.served_docroots import ServedDocroots

log = logging.get_logger("intake")

#: The most readers who wait at once. Others are told that their comment is on its way.
_MOST: Final = 64
#: Seconds after which it looks even without news, such as when the database was away.
_LOOK: Final = 0.5
#: Seconds of one wait for news.
_PAUSE: Final = 1.0


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
        #: Whether to look again: somebody began to wait, or there is news.
        self._woken = False
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True)
            for name, run in (("watcher", self._look), ("watcher-news", self._listen))
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, site: int, entry: int, comment: int, front_end: str, seconds: float) -> bool:
        """Wait until a front end shows a comment, at most `seconds`; returns whether it does.

        It may be a publishing host that serves readers itself. If it has no name, or an unknown one, all must show it.
        """
        waiter = _Waiter(AwaitedComment(site, entry, comment, self._docroots.choose(front_end)))
        with self._condition:
            if not seconds or self._stopping or len(self._waiters) >= _MOST:
                return False
            self._waiters.add(waiter)
            self._wake()
        waiter.told.wait(seconds)
        with self._condition:
            self._waiters.discard(waiter)
        return waiter.is_visible

    def release(self) -> None:
        """Tell those who wait that it takes longer, and end the threads."""
        with self._condition:
            self._stopping = True
            for waiter in self._waiters:
                waiter.told.set()
            self._wake()

    def close(self, deadline: float) -> None:
        """Wait for the end of the threads, until `deadline` by the monotonic clock."""
        self.release()
        for thread in self._threads:
            thread.join(max(0.0, deadline - clock.monotonic()))

    def _wake(self) -> None:
        self._woken = True
        self._condition.notify_all()

    def _look(self) -> None:
        while (waiters := self._next_waiters()) is not None:
            try:
                with db.suppress_unavailable():
                    _look_for(waiters)
            except Exception:
                log.exception("it cannot be seen whether front ends show comments")
                for waiter in waiters:  # they are told that it takes longer
                    waiter.told.set()
        db.disconnect()

    def _next_waiters(self) -> list[_Waiter] | None:
        """Those who wait, once there is a reason to look; None once this is to end."""
        with self._condition:
            while not self._stopping:
                self._waiters = {waiter for waiter in self._waiters if not waiter.told.is_set()}
                self._condition.wait_for(lambda: self._woken, _LOOK if self._waiters else None)
                self._woken = False
                if self._waiters and not self._stopping:
                    return list(self._waiters)
            return None

    def _listen(self) -> None:
        """Wake the other thread when the database says that a docroot may show something new."""
        news: CommitListener | None = None
        while not self._stopping:
            try:
                news = news or CommitListener(lambda: self._stopping, DOCROOTS)
                heard = news.wait(_PAUSE)
            except OSError:  # no more files can be opened; it looks now and then all the same
                clock.sleep(_LOOK)
                continue
            if heard:
                with self._condition:
                    self._wake()
        if news is not None:
            news.close()
        db.disconnect()


def _look_for(waiters: list[_Waiter]) -> None:
    """Wake those whose comment can be seen by now."""
    with db.snapshot():
        look = Look()
        for waiter in waiters:
            if waiter.awaited.is_visible(look):
                waiter.is_visible = True
                waiter.told.set()

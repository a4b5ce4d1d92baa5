"""Waiting until every front end shows a change, for callers who ask for it.

Guarantees that half of the threads stay free for requests that wait for nothing. Whoever may not wait, or has waited
long enough, is told where to see how far the change is.
"""

from __future__ import annotations

import threading
from typing import Final

from appliance import clock
from appliance.config import Config
from appliance.db.listener import CommitListener
from appliance.delivery.journal import DOCROOTS
from appliance.editorial import publication

#: Seconds after which it looks even without news: planning tells nobody of a page that stays as it is.
_LOOK: Final = 0.25


class Waiting:
    """The threads of this process that may wait at the same time."""

    def __init__(self, threads: int) -> None:
        self._slots = threading.BoundedSemaphore(max(1, threads // 2))

    def until_readable(self, config: Config, site: str, entry: int, seconds: float) -> bool:
        """Wait until every front end shows the newest state of an entry; returns whether they do."""
        if not self._slots.acquire(blocking=False):
            return publication.is_readable_everywhere(config, site, entry)
        news = CommitListener(topic=DOCROOTS)
        try:
            ends = clock.monotonic() + seconds
            while not publication.is_readable_everywhere(config, site, entry):
                left = ends - clock.monotonic()
                if left <= 0:
                    return False
                news.wait(min(left, _LOOK))
            return True
        finally:
            news.close()
            self._slots.release()

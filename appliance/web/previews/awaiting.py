"""Waiting for a build: a visitor who comes right after a change sees the changed entry.

Guarantees that few threads wait, each for seconds at most, and that none of them asks the database again and again: a
build notifies them.
"""

from __future__ import annotations

import threading
from typing import Final

from appliance import clock, db, previews
from appliance.db.backend import Listener
from appliance.preview_requests import enqueue_builds, request_previews
from appliance.previews import OpenPreview, store
from appliance.queue.enqueue import Cause

#: Visitors that wait at once; others are told at once that the preview is being made.
_MOST: Final = 2
#: Seconds after a build in which the preview does not ask for another one because the site was planned.
_FRESH: Final = 10.0

_ENQUEUED: Final = "SELECT 1 FROM job WHERE kind = 'preview' AND key = ? AND state IN ('pending', 'running') LIMIT 1"


class Awaiting:
    """The visitors that wait in this process."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._places = threading.BoundedSemaphore(_MOST)

    def build_of(self, secret: str, found: OpenPreview) -> OpenPreview | None:
        """Wait until a preview is built as it was asked for when the visitor came, or for the longest time.

        Returns:
            The preview as it is then, built or not; None if the link is no longer valid.
        """
        wanted = found.requested
        if found.built >= wanted or not self._places.acquire(blocking=False):
            return found
        try:
            listener = db.open_listener(store.TOPIC)
            try:
                return self._await(secret, wanted, listener)
            finally:
                listener.close()
        finally:
            self._places.release()

    def _await(self, secret: str, wanted: int, listener: Listener) -> OpenPreview | None:
        end = clock.monotonic() + self._seconds
        _enqueue_lost(secret)
        while True:
            now = previews.find(secret)
            left = end - clock.monotonic()
            if now is None or now.built >= wanted or left <= 0:
                return now
            listener.wait(left, lambda: False)


def request_if_outdated(found: OpenPreview) -> bool:
    """Ask for a new build when the site was planned since the last one: other pages, or the theme, may have changed."""
    if found.built < found.requested or found.built_at is None or found.planned_at is None:
        return False
    if found.planned_at <= found.built_at or found.now < found.built_at + _FRESH:
        return False
    with db.write():
        request_previews(found.site, [found.entry], Cause("preview opened", "visitor"))
    return True


def _enqueue_lost(secret: str) -> None:
    """Enqueue the job of a preview again that somebody has deleted."""
    found = previews.find(secret)
    if found is None or found.built >= found.requested:
        return
    if not db.execute(_ENQUEUED, [f"{found.site}/{found.entry}"]).fetchone():
        with db.write():
            enqueue_builds(found.site, [found.entry], Cause("preview opened", "visitor"))

"""This host's own docroot, kept up with what other publishing hosts journalled.

Their files are brought by their couriers; deletions it makes itself, as the journal says. It also says which of its own
publications its docroot holds: what it lacks, since it was wiped or restored from a backup, the others send it. Once no
other publishing host is alive, nobody will bring what is still missing here: it is built again.
"""

from __future__ import annotations

import threading

from appliance import clock, db
from appliance.config import Config
from appliance.delivery import agenda, cursors, deletions, journal, lists
from appliance.delivery.agenda import Rebuild
from appliance.delivery.journal import Put
from appliance.delivery.targets import Target, own

_STRETCH = 5000
#: Seconds between two looks without news.
_LOOK = 1.0


class Follower:
    """A thread of this host's courier."""

    def __init__(self, config: Config, stop: threading.Event, rebuild: Rebuild = agenda.rebuild_nothing) -> None:
        self._host = config.host_name
        self._others = [host.name for host in config.publishing_hosts if host.name != config.host_name]
        self._rebuild = rebuild
        #: Since when nobody else was alive, by the host whose publications wait.
        self._alone = dict[str, float]()
        self._docroot = config.docroot
        self._own = own(config)
        self._stop = stop
        self._news = threading.Event()
        #: How far deletions of each host were made, for this process.
        self._reached: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="courier-own")

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def nudge(self) -> None:
        """Say that the journal may have grown."""
        self._news.set()

    def join(self) -> None:
        """Wait for the thread to end."""
        self.nudge()
        if self._thread.ident is not None:
            self._thread.join()

    def follow(self) -> None:
        """Do what there is to do."""
        for origin in journal.origins():
            if origin == self._host:
                if self._own:
                    self._confirm(self._own)
                continue
            self._delete(origin)
            if self._own and self._rebuild is not agenda.rebuild_nothing:
                self._inherit(self._own, origin)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._news.clear()
                with db.tolerant():
                    self.follow()
                self._news.wait(_LOOK)
        finally:
            db.database.close()

    def _delete(self, origin: str) -> None:
        """Delete what `origin` deleted: at once, and once more when no push of what was before can be under way.

        That is when the others' courier has confirmed more: a file of an older version may have come back meanwhile.
        """
        name = f"deletions of {origin}"
        final = cursors.read(self._own, name) if self._own else self._reached.get(origin, 0)
        cursor = final
        while not self._stop.is_set():
            stretch = journal.latest_after(origin, cursor, _STRETCH)
            if stretch.through == cursor:
                break
            deletions.apply(stretch.changes, self._docroot, self._host)
            cursor = stretch.through
        self._reached[origin] = cursor
        if self._own and (sure := min(cursor, cursors.read(self._own, origin))) > final:
            cursors.confirm(self._own, name, sure, expected=final)

    def _inherit(self, target: Target, origin: str) -> None:
        """Have built again what `origin` published and did not bring here, if no other host is left to bring it."""
        cursor = cursors.read(target, origin)
        if journal.newest(origin) <= cursor or agenda.beats(origin, *self._others):
            self._alone.pop(origin, None)
            return
        # Not at once: when the database was away, nobody has beaten for a while.
        if clock.monotonic() < self._alone.setdefault(origin, clock.monotonic()) + agenda.SILENT:
            return
        self._alone[origin] = clock.monotonic()
        stretch = journal.latest_after(origin, cursor, _STRETCH)
        held = lists.held(stretch.changes, self._docroot, foreign=True)
        lacks = {
            change.path: number
            for number, change, here in zip(stretch.numbers, stretch.changes, held, strict=True)
            if not here and isinstance(change, Put)
        }
        # What is built again is newer here than what was lost, which then counts as held.
        nobodys = self._rebuild(list(lacks)) if lacks else set()
        waits = [number for path, number in lacks.items() if path not in nobodys]
        through = min(waits) - 1 if waits else stretch.through
        if through > cursor:
            cursors.confirm(target, origin, through, expected=cursor)

    def _confirm(self, target: Target) -> None:
        """Confirm of the own publications those that the docroot holds, up to the first that it lacks."""
        while not self._stop.is_set():
            cursor = cursors.read(target, self._host)
            stretch = journal.latest_after(self._host, cursor, _STRETCH)
            deletions.apply(stretch.changes, self._docroot, self._host)
            held = lists.held(stretch.changes, self._docroot)
            lacks = [number for number, here in zip(stretch.numbers, held, strict=True) if not here]
            through = lacks[0] - 1 if lacks else stretch.through
            if through <= cursor:
                return
            cursors.confirm(target, self._host, through, expected=cursor)

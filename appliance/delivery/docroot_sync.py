"""Keeps the docroot of this host up to date with what other publishing hosts published.

Their couriers bring new files; this host makes the deletions itself, as the journal says. It also confirms which of its
own publications its docroot shows. Files that it lacks, since it was wiped or restored from a backup, the other hosts
send. When no other publishing host is alive to send a missing file, it is built again. When it starts, it removes what
pushes left that were interrupted by the end of this host.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from appliance import clock, db
from appliance.config import Config
from appliance.delivery import cursors, deletions, docroot_leftovers, file_lists, journal, send_plan
from appliance.delivery.journal import Put
from appliance.delivery.leases import TargetLease
from appliance.delivery.send_plan import Rebuild
from appliance.delivery.targets import Target, own_docroot

_BATCH_SIZE = 5000
#: Seconds between two rounds when nothing was published, and while another host is writing to this docroot.
_INTERVAL = 1.0
_BUSY_INTERVAL = 0.05


class DocrootSync:
    """A thread of this host's courier."""

    def __init__(self, config: Config, stop: threading.Event, rebuild: Rebuild = send_plan.rebuild_nothing) -> None:
        self._host = config.host_name
        self._others = [host.name for host in config.publishing_hosts if host.name != config.host_name]
        self._rebuild = rebuild
        #: By host of origin with missing files: since when no other host has been alive.
        self._alone_since = dict[str, float]()
        self._docroot = config.docroot
        self._own = own_docroot(config)
        self._lease = TargetLease(self._own.name, f"{config.host_name}:own") if self._own else None
        self._stop = stop
        self._woken = threading.Event()
        #: By host of origin: how far this process has made its deletions.
        self._deleted_through: dict[str, int] = {}
        self._thread = threading.Thread(target=self._run, name="courier-own")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Start a round now, since something may have been published."""
        self._woken.set()

    def join(self) -> None:
        """Wait for the thread to end."""
        self.wake()
        if self._thread.ident is not None:
            self._thread.join()

    def sync(self) -> bool:
        """Make one round: delete, confirm, and have missing files built.

        Returns:
            Whether nothing could be confirmed since another host was writing to this docroot.
        """
        is_busy = False
        for origin in journal.origins():
            if origin == self._host:
                if self._own and self._lease:
                    is_busy = not self._confirm_own(self._own, self._lease)
                continue
            self._delete(origin)
            if self._own and self._rebuild is not send_plan.rebuild_nothing:
                self._rebuild_missing(self._own, origin)
        return is_busy

    def _run(self) -> None:
        try:
            # Nobody pushes to a docroot that has no address, so nothing can be left there.
            leftovers: Sequence[Path] | None = None if self._own else []
            while not self._stop.is_set():
                self._woken.clear()
                is_busy = False
                with db.suppress_unavailable():
                    is_busy = self.sync()
                    if leftovers is None:  # after the first round, since a large docroot takes seconds
                        leftovers = docroot_leftovers.find(self._docroot, self._stop.is_set)
                    leftovers = self._remove(leftovers)
                self._woken.wait(_BUSY_INTERVAL if is_busy else _INTERVAL)
        finally:
            db.disconnect()

    def _remove(self, leftovers: Sequence[Path]) -> Sequence[Path]:
        """Remove what interrupted pushes left, once no other host writes here; returns what is left to remove."""
        if not leftovers or not self._lease or not self._lease.take():
            return leftovers
        try:
            return docroot_leftovers.remove(leftovers, self._docroot)
        finally:
            self._lease.release()

    def _delete(self, origin: str) -> None:
        """Make the deletions of `origin` at once, and again after its courier has confirmed later publications.

        A push that was running may have brought an older version of a deleted file back; none is running by then.
        """
        name = f"deletions of {origin}"
        final = cursors.read(self._own, name) if self._own else self._deleted_through.get(origin, 0)
        cursor = final
        while not self._stop.is_set():
            found = journal.latest_after(origin, cursor, _BATCH_SIZE)
            if found.through == cursor:
                break
            deletions.apply(found.changes, self._docroot, self._host)
            cursor = found.through
        self._deleted_through[origin] = cursor
        if self._own and (confirmed := min(cursor, cursors.read(self._own, origin))) > final:
            cursors.confirm(self._own, name, confirmed, expected=final)

    def _rebuild_missing(self, target: Target, origin: str) -> None:
        """Have files of `origin` built again that are missing here, if no other host is alive to send them."""
        cursor = cursors.read(target, origin)
        if journal.newest(origin) <= cursor or send_plan.any_alive(origin, *self._others):
            self._alone_since.pop(origin, None)
            return
        # Not at once: after the database was away there are no recent heartbeats.
        if clock.monotonic() < self._alone_since.setdefault(origin, clock.monotonic()) + send_plan.HOST_TIMEOUT:
            return
        self._alone_since[origin] = clock.monotonic()
        found = journal.latest_after(origin, cursor, _BATCH_SIZE)
        applied = file_lists.are_applied(found.changes, self._docroot, check_digest=True)
        missing = {
            change.path: number
            for number, change, here in zip(found.numbers, found.changes, applied, strict=True)
            if not here and isinstance(change, Put)
        }
        # A rebuilt file is newer than the lost one, which then counts as applied.
        unknown = self._rebuild(list(missing)) if missing else set()
        awaited = [number for path, number in missing.items() if path not in unknown]
        through = min(awaited) - 1 if awaited else found.through
        if through > cursor:
            cursors.confirm(target, origin, through, expected=cursor)

    def _confirm_own(self, target: Target, lease: TargetLease) -> bool:
        """Confirm the publications of this host that its docroot shows, up to the first that is missing.

        Only while no other host writes here. rsync looks at a file first and renames later, so a push that began before
        a publication may end by putting an older file in its place; one that begins afterwards leaves the newer file.

        Returns:
            Whether nothing kept it from confirming.
        """
        cursor = cursors.read(target, self._host)
        if journal.newest(self._host) <= cursor:
            return True
        if not lease.take():
            return False
        try:
            while not self._stop.is_set():
                found = journal.latest_after(self._host, cursor, _BATCH_SIZE)
                deletions.apply(found.changes, self._docroot, self._host)
                applied = file_lists.are_applied(found.changes, self._docroot)
                missing = [number for number, here in zip(found.numbers, applied, strict=True) if not here]
                through = missing[0] - 1 if missing else found.through
                if through <= cursor:
                    break
                cursors.confirm(target, self._host, through, expected=cursor)
                cursor = cursors.read(target, self._host)
        finally:
            lease.release()
        return True

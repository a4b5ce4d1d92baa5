"""The courier's loop of one target: sends what the agenda says, confirms it, and looks whether it is still there.

Guarantees that what to send is read while the target's lease is held, and confirmed only while it is; that a cursor
moves only after rsync said that all of a stretch arrived; and that a target which shows less than it confirmed is sent
everything again.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from peewee import PeeweeException

from appliance import clock, db
from appliance.delivery import agenda, cursors, journal, leases, repairing, standing
from appliance.delivery.agenda import Agenda, Left, Part, Rebuild, rebuild_nothing
from appliance.delivery.leases import Lease
from appliance.delivery.rsync import Push, Rsync
from appliance.delivery.ssh import Channel
from appliance.delivery.targets import Target
from appliance.errors import (
    ApplianceError,
    DeliveryError,
    LeaseLost,
    RemovalRefused,
    SomeFailed,
    TargetBusy,
    TargetPaused,
)

#: Seconds: the first and the longest pause after failures, and between two looks while another courier is at work.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
BUSY_PAUSE = 0.03

#: Seconds between two looks whether an idle target still shows what it confirmed.
PROOF = 10.0
#: Times that by which it comes later while there is always something to send.
BUSY = 3.0

#: Takes one line about a push, for people.
Report = Callable[[str], None]
#: Ends a repair; see `repairing.finish`.
Finish = Callable[[Rsync, bool], tuple[int, int]]

_Outcome = Literal["sent"] | Left


def silence(line: str) -> None:
    """The report of those who do not want one."""


@dataclass(frozen=True)
class Office:
    """What the loops of one host have in common."""

    #: This publishing host's name in the journal, and that of this courier.
    host: str
    holder: str
    #: There are other publishing hosts.
    several: bool
    stop: threading.Event
    report: Report = silence
    #: Called inside each transaction that moves a cursor.
    confirmed: Callable[[], object] = lambda: None
    rebuild: Rebuild = rebuild_nothing
    finish: Finish | None = None


class TargetLoop:
    """Brings one target level, and again whenever it is nudged."""

    def __init__(self, office: Office, target: Target, channel: Channel | None) -> None:
        self.target = target
        #: Failed turns since the last that went well.
        self.failures = 0
        self._office = office
        self._channel = channel
        self._rsync = Rsync(target, channel, self._refusal)
        #: A push before this one may have broken off, a predecessor's that was killed included.
        self._unsure = True
        self._stop = office.stop
        self._nudged = threading.Event()
        self._changed = threading.Condition()
        self._asked = 0
        self._served = 0
        self._lease: Lease | None = None
        self._working = False
        self._paused = False
        #: There was nothing to send in this turn.
        self._idle = False
        self._proved = float("-inf")
        #: What it had confirmed when it was last seen to show that, by host of origin.
        self._proved_to: dict[str, int] = {}
        self._agenda = Agenda(target, office.host, office.several, office.rebuild)
        self._thread = threading.Thread(target=self._run, name=f"courier-{target.name}")

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def nudge(self) -> int:
        """Say that the journal may have grown; returns a number to `wait_level` for."""
        with self._changed:
            self._asked += 1
            asked = self._asked
        self._nudged.set()
        return asked

    def wait_level(self, asked: int, tries: int) -> None:
        """Wait until what was asked for has been seen to, or `tries` turns in a row have failed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._served >= asked or self.failures >= tries or not self._thread.is_alive()
            )

    def end(self) -> None:
        """End what is under way; the stop event is set already."""
        self._nudged.set()
        self._rsync.stop()

    def join(self) -> None:
        """Wait for the thread to end, and close the connection to the front end."""
        if self._thread.ident is not None:
            self._thread.join()
        if self._channel:
            self._channel.close()

    def tend(self, paused: set[str]) -> None:
        """Keep the lease of a push under way, and heed a pause. Called by another thread, often."""
        self._paused = self.target.name in paused
        lease = self._lease
        if lease and self._working and clock.monotonic() > lease.stop_at - leases.LASTS / 2:
            try:
                kept = leases.keep(lease)
            except LeaseLost:
                kept = None
            if self._lease is lease:
                self._lease = kept

    def _refusal(self) -> DeliveryError | None:
        if self._paused:
            return TargetPaused(f"{self.target}: paused; targets.resume goes on")
        if self._lease is None or not self._lease.running:
            return LeaseLost(f"{self.target}: another courier may have taken it over; this one stopped")
        return None

    # Turns

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
            with db.tolerant():
                self._give_back()
        finally:
            db.database.close()
            with self._changed:
                self._changed.notify_all()

    def _turn(self) -> None:
        self._nudged.clear()
        with self._changed:
            asked = self._asked
        try:
            outcome = self.level()
        except TargetPaused:
            self._note(served=asked)
            self._nudged.wait(1.0)
            return
        except LeaseLost as lost:
            self._unsure = True
            self._office.report(str(lost))
            self._stop.wait(BUSY_PAUSE)
            return
        except (ApplianceError, OSError, PeeweeException) as error:
            self._failed(error, asked)
            return
        if outcome == "busy":
            self._stop.wait(BUSY_PAUSE * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
            return
        self._note(failures=0, served=asked)
        if self._channel:
            with contextlib.suppress(ApplianceError, OSError):  # the push that needs it will say
                self._channel.warm()
        if self._nudged.wait(PROOF * random.uniform(0.8, 1.0) if outcome == "done" else agenda.GRACE / 4):  # noqa: S311
            self._stop.wait(self.target.delivery.gather)

    def _failed(self, error: Exception, asked: int) -> None:
        self._unsure, self._working = True, False
        failures, rest = self.failures + 1, pause(self.failures + 1)
        if not self._stop.is_set():
            self._office.report(f"{self.target.name}: failed: {error}")
            with db.tolerant():
                self._give_back()
                if isinstance(error, PeeweeException):
                    db.disconnect()
                else:
                    cursors.failed(self.target, self._office.host, str(error), failures=failures, retry_in=rest)
        if self._channel and not isinstance(error, TargetBusy | SomeFailed):
            self._channel.close()  # it may be what is broken, and a new one tells the reason
        self._note(failures=failures, served=asked if self._idle else 0)
        # Other files need not wait for those that fail.
        (self._nudged if isinstance(error, SomeFailed) else self._stop).wait(rest)

    def _note(self, *, failures: int | None = None, served: int = 0) -> None:
        with self._changed:
            self.failures = self.failures if failures is None else failures
            self._served = max(self._served, served)
            self._changed.notify_all()

    def level(self) -> _Outcome:
        """Push stretch after stretch until the target has confirmed all that this host can send it now.

        Raises:
            DeliveryError: a push failed; what was confirmed before it stays so.
        """
        while not self._stop.is_set():
            if standing.read(self.target.name).paused:
                raise TargetPaused(f"{self.target}: paused; targets.resume goes on")
            outcome = self._round()
            if outcome != "sent":
                return outcome
        return "done"

    def _round(self) -> _Outcome:
        self._paused = False
        due, left = self._agenda.due()
        self._idle = not due
        stands = standing.read(self.target.name)
        must = self._unsure and bool(due or self.failures or self._proved < 0)
        # However much there is to send, it may all go to a place where what was sent before is gone.
        proof = must or clock.monotonic() - self._proved > PROOF * (BUSY if due else 0.75)
        repair = stands.repair_at is not None and not due and left == "done"
        if not (due or proof or repair):
            return left
        if not self._take():
            return "busy"
        try:
            self._working = True
            return self._work(due, proof, repair) or left
        finally:
            self._working = False
            if self._office.several:
                self._give_back()

    def _work(self, due: list[str], proof: bool, repair: bool) -> Literal["sent"] | None:
        if proof and not self._prove():
            return "sent"
        sent = [self._send(origin) for origin in due]
        if self._unsure or self.failures:
            cursors.recovered(self.target, self._office.host)
            self._unsure = False
        if repair:
            self._repair()
        return "sent" if any(sent) or repair else None

    # The lease

    def _take(self) -> bool:
        lease = self._lease
        if lease is None or clock.monotonic() > lease.stop_at - leases.LASTS / 2:
            self._lease = leases.take(self.target.name, self._office.holder)
        return self._lease is not None

    def _give_back(self) -> None:
        if self._lease:
            lease, self._lease = self._lease, None
            leases.give_back(lease)

    def _require(self) -> None:
        lease = self._lease
        if lease is None:
            raise LeaseLost(f"{self.target}: another courier has taken it over; what this one sent is not confirmed")
        leases.require(lease)

    # What is sent

    def _send(self, origin: str) -> bool:
        """Push one stretch; whether the cursor moved."""
        self._rsync.warm()  # a docroot that is not there lacks everything
        part = self._agenda.part(origin)
        if part is None:
            return False
        push = Push()
        if part.changes:
            push = self._rsync.push(part.changes)
            self._office.report(_line(self.target, part, push))
        if self._unsure or not part.own:
            # Also of what was published anew since: nobody else will come by its folder.
            self._rsync.sweep(journal.paths_between(origin, part.cursor, part.through, agenda.STRETCH))
        with db.write():
            self._require()
            cursors.confirm(
                self.target,
                origin,
                part.through,
                expected=part.cursor,
                files=push.files + push.deleted,
                bytes=push.bytes,
                seconds=push.seconds,
            )
            self._office.confirmed()
        return part.through > part.cursor

    # Proof and repair

    def _prove(self) -> bool:
        """Look whether the target shows what it confirmed; else have it sent everything again."""
        reached = repairing.confirmed(self.target)
        if repairing.shows_what_it_confirmed(self._rsync, self._proved_to):
            self._proved, self._proved_to = clock.monotonic(), reached
            return True
        self._office.report(f"{self.target.name}: shows less than it has confirmed: everything is sent again")
        with db.write():
            self._require()
            cursors.rewind(self.target.name)
        self._proved, self._proved_to = clock.monotonic(), {}
        return False

    def _repair(self) -> None:
        stands = standing.read(self.target.name)
        if stands.repair_at is None or self._office.finish is None:
            return
        found: dict[str, int] = {}
        try:
            newer, removed = self._office.finish(self._rsync, stands.allow_removals)
            found = {"differing": 0, "extra": 0}
            self._office.report(f"{self.target.name}: repaired: {newer} newer replaced, {removed} not ours removed")
        except RemovalRefused as refusal:
            self._office.report(str(refusal))
        with db.write():
            self._require()
            standing.note(self.target.name, repair_at=None, allow_removals=False, verified_at=db.now(), **found)


def pause(failures: int) -> float:
    """Seconds to wait after so many failures in a row, with jitter: couriers do not come back all at once."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 30))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret


def _line(target: Target, part: Part, push: Push) -> str:
    paths = [change.path for change in part.changes]
    named = ", ".join(ascii(path)[1:-1] for path in paths[:3]) + (", …" if len(paths) > 3 else "")
    lost = len(push.vanished) + part.missing
    gone = f", {lost} left the docroot meanwhile" if lost else ""
    return (
        f"{target.name}: {push.files} sent ({push.bytes} bytes), {push.deleted} removed{gone} "
        f"of {len(paths)} ({named}) in {push.seconds:.3f} s: ok"
    )

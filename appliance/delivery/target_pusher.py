"""The work of one target's courier: sends what is due, confirms it, and checks that the target still shows it.

Guarantees that what to send is read while the target's lease is held, and confirmed only while it is held; that a
cursor moves only after all of a batch has arrived; that a target which is far behind waits for what is published now no
longer than a stretch of its backlog takes; and that a target which shows less than it confirmed is sent everything
again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from appliance import db
from appliance.delivery import cursors, journal, send_plan, target_state
from appliance.delivery.leases import TargetLease
from appliance.delivery.models import TargetControl
from appliance.delivery.send_plan import Rebuild, Remaining, SendBatch, SendPlan, rebuild_nothing
from appliance.delivery.spot_check import SpotCheck
from appliance.delivery.targets import Target
from appliance.delivery.transports.base import PushResult, Transport
from appliance.delivery.transports.factory import TransportFactory
from appliance.errors import (
    DeliveryError,
    PartialTransfer,
    RemovalRefused,
    TargetBusy,
    TargetLeaseLost,
    TargetPaused,
)

#: Seconds for which the lease is left to other hosts after a stretch of a backlog.
_LEASE_GAP = 0.06

#: Takes one line about a push, for people.
Report = Callable[[str], None]
#: Completes a repair; see `repair.finish_repair`.
FinishRepair = Callable[[Transport, TargetControl], tuple[int, int, int]]


def no_report(line: str) -> None:
    """The `Report` of callers that want none."""


@dataclass(frozen=True)
class CourierContext:
    """What all couriers of this process have in common."""

    #: The name of this publishing host in the journal, and the name under which its couriers hold leases.
    host: str
    holder: str
    #: Whether there are other publishing hosts.
    several_hosts: bool
    stop: threading.Event
    report: Report = no_report
    #: Called inside each transaction that moves a cursor.
    on_confirm: Callable[[], object] = lambda: None
    rebuild: Rebuild = rebuild_nothing
    finish_repair: FinishRepair | None = None


class TargetPusher:
    """Pushes to one target, in the thread of its courier. Only `maintain` and `stop` are for other threads."""

    def __init__(self, context: CourierContext, target: Target, transports: TransportFactory) -> None:
        self.lease = TargetLease(target.name, context.holder)
        self.transport = transports.open(target, self._permit)
        #: Whether an earlier push may have been interrupted, such as that of a killed predecessor.
        self.unsure = True
        #: Whether there was nothing to send when it last looked.
        self.idle = False
        self._context = context
        self._target = target
        self._plan = SendPlan(target, context.host, context.several_hosts, context.rebuild)
        self._spot_check = SpotCheck(target)
        #: Whether it is writing to the target, so that another thread renews its lease.
        self._working = False
        self._paused = False
        #: By host of origin: the publications up to which an interrupted push may have left temporary files.
        self._sweep_through = dict[str, int]()
        #: Paths already reported as not sent because of `delivery.keep`.
        self._reported_kept = set[str]()

    def push_all(self, failures: int) -> Remaining:
        """Push batch after batch until the target has confirmed all that this host can send now.

        Args:
            failures: how many rounds before this one have failed in a row.

        Raises:
            TargetPaused: the target is paused.
            TargetLeaseLost: another courier took the target over.
            DeliveryError: a push failed; what was confirmed before it stays confirmed.
        """
        while not self._context.stop.is_set():
            if target_state.read_control(self._target.name).paused:
                raise self._paused_error()
            outcome = self._push_due(failures)
            if outcome != "sent":
                return outcome
        return "done"

    def maintain(self, paused: set[str]) -> None:
        """Renew the lease of a running push, and end the push if the target is among those paused.

        Another thread calls this several times a second.
        """
        self._paused = self._target.name in paused
        if self._working:
            self.lease.renew_if_needed()

    def _permit(self) -> DeliveryError | None:
        if self._paused:
            return self._paused_error()
        if not self.lease.is_valid:
            return TargetLeaseLost(f"{self._target}: another courier may have taken it over; this one stopped")
        return None

    def _paused_error(self) -> TargetPaused:
        return TargetPaused(f"{self._target}: paused; targets.resume goes on")

    def _push_due(self, failures: int) -> Literal["sent"] | Remaining:
        self._paused = False
        due, remaining = self._plan.due()
        self.idle = not due
        control = target_state.read_control(self._target.name)
        must_check = self.unsure and bool(due or failures or not self._spot_check.has_run)
        # Checked even when there is much to send: it may all go to a place that lost what was sent before.
        check = must_check or self._spot_check.is_due(busy=bool(due))
        repair = control.repair_at is not None and not due and remaining == "done"
        if not (due or check or repair):
            return remaining
        if not self.lease.take():
            return "busy"
        try:
            self._working = True
            return self._work(due, check, repair, failures) or remaining
        finally:
            self._working = False
            if self._context.several_hosts:
                self.lease.release()
                if self._plan.is_far_behind(due):
                    self._context.stop.wait(_LEASE_GAP)

    def _work(self, due: list[str], check: bool, repair: bool, failures: int) -> Literal["sent"] | None:
        """Do what is due while the lease is held. Returns None if nothing was sent or repaired."""
        if check and not self._check_target():
            return "sent"
        if self.unsure:
            self._sweep_through = {origin: self._plan.reach(origin) for origin in due}
        sent = self._send_due(due)
        if self.unsure or failures:
            cursors.clear_failures(self._target, self._context.host)
            self.unsure = False
        if repair:
            self._repair()
        return "sent" if sent or repair else None

    def _send_due(self, due: Sequence[str]) -> bool:
        """Send what is published now by each of these hosts, then one stretch of a backlog. Returns whether it did.

        Raises:
            PartialTransfer: some files did not arrive; they hold up no others.
        """
        sent, failed = False, None
        for origin in due:
            try:
                sent = self._send(origin, self._plan.next_batch) or sent
            except PartialTransfer as error:
                failed = failed or error
        for origin in self._plan.by_age(due):
            if self._send(origin, self._plan.next_backlog):
                sent = True
                break
        if failed:
            raise failed
        return sent

    def _send(self, origin: str, next_batch: Callable[[str], SendBatch | None]) -> bool:
        """Push one batch and confirm it. Returns whether a cursor moved."""
        self.transport.warm()  # before the batch is read: a docroot that is not there lacks every file
        batch = next_batch(origin)
        if batch is None:
            return False
        result = PushResult()
        if batch.changes:
            result = self.transport.push(batch.changes)
            self._plan.stretch.learn(batch.changes, result.seconds)
            self._context.report(_push_line(self._target, batch, result))
            self._report_kept(result.kept)
        if self.unsure or not batch.is_own or batch.cursor < self._sweep_through.get(origin, 0):
            # Superseded publications as well: no later push may look into their folders.
            paths = journal.paths_between(origin, batch.cursor, batch.through, send_plan.BATCH_SIZE)
            if swept := self.transport.sweep(paths):
                self._context.report(f"{self._target.name}: {swept} leftovers of an interrupted push removed")
        with db.write():
            self.lease.require()
            cursors.move(
                self._target,
                origin,
                batch.before,
                batch.after,
                files=result.files + result.deleted,
                bytes=result.bytes,
                seconds=result.seconds,
            )
            self._context.on_confirm()
        return batch.after != batch.before

    def _report_kept(self, paths: Sequence[str]) -> None:
        if fresh := [path for path in paths if path not in self._reported_kept]:
            self._reported_kept.update(fresh)
            self._context.report(
                f"{self._target.name}: {len(fresh)} not sent, since delivery.keep matches them: {_excerpt(fresh)}"
            )

    def _check_target(self) -> bool:
        """Check a sample of what the target confirmed. If some is missing, reset its cursors and return False.

        If the target can be reached but not compared, that is reported and holds up nothing.
        """
        self.transport.warm()
        try:
            if self._spot_check.passes(self.transport):
                return True
        except (TargetLeaseLost, TargetPaused, TargetBusy):
            raise
        except DeliveryError as error:
            if self._context.stop.is_set():
                raise
            self._context.report(f"{self._target.name}: cannot check whether it still shows what it confirmed: {error}")
            self._spot_check.postpone()
            return True
        self._context.report(f"{self._target.name}: shows less than it has confirmed: everything is sent again")
        with db.write():
            self.lease.require()
            cursors.reset(self._target.name)
        self._spot_check.restart()
        return False

    def _repair(self) -> None:
        control = target_state.read_control(self._target.name)
        if control.repair_at is None or self._context.finish_repair is None:
            return
        found: dict[str, int] = {}
        try:
            replaced, removed, strangers = self._context.finish_repair(self.transport, control)
            found = {"differing": 0, "extra": strangers}
            left = f", {strangers} of others left" if strangers else ""
            self._context.report(f"{self._target.name}: repaired: {replaced} newer replaced, {removed} removed{left}")
        except RemovalRefused as refusal:
            self._context.report(str(refusal))
        with db.write():
            self.lease.require()
            request = {"repair_at": None, "allow_removals": False, "clear_strangers": False}
            target_state.update_control(self._target.name, **request, verified_at=db.now(), **found)


def _excerpt(paths: Sequence[str]) -> str:
    return ", ".join(ascii(path)[1:-1] for path in paths[:3]) + (", …" if len(paths) > 3 else "")


def _push_line(target: Target, batch: SendBatch, result: PushResult) -> str:
    paths = [change.path for change in batch.changes]
    missing = len(result.vanished) + batch.missing
    gone = f", {missing} left the docroot meanwhile" if missing else ""
    return (
        f"{target.name}: {result.files} sent ({result.bytes} bytes), {result.deleted} removed{gone} "
        f"of {len(paths)} ({_excerpt(paths)}) in {result.seconds:.3f} s: ok"
    )

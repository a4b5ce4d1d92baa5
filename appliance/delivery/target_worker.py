"""The thread that keeps one target up to date, and the pauses it makes after failures.

Guarantees that no error of one target ends its courier, and that requests which arrive during a round are served by
the next one.
"""

from __future__ import annotations

import contextlib
import random
import threading

from peewee import PeeweeException

from appliance import db
from appliance.delivery import cursors, send_plan, spot_check
from appliance.delivery.send_plan import Remaining
from appliance.delivery.target_pusher import CourierContext, TargetPusher
from appliance.delivery.targets import Target
from appliance.delivery.transports.factory import TransportFactory
from appliance.errors import ApplianceError, PartialTransfer, TargetBusy, TargetLeaseLost, TargetPaused

#: The first and the longest pause after failures, in seconds.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
#: Seconds between two attempts while another courier holds the lease.
BUSY_PAUSE = 0.03


class TargetWorker:
    """Keeps one target up to date. It works in rounds, and starts one whenever it is woken."""

    def __init__(self, context: CourierContext, target: Target, transports: TransportFactory) -> None:
        self.target = target
        #: Failed rounds since the last successful one.
        self.failures = 0
        self._context = context
        self._pusher = TargetPusher(context, target, transports)
        self._stop = context.stop
        self._woken = threading.Event()
        #: Guards `failures` and the numbers of the last request made and the last one served.
        self._changed = threading.Condition()
        self._requested = 0
        self._served = 0
        self._thread = threading.Thread(target=self._run, name=f"courier-{target.name}")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> int:
        """Start a round now, since something may have been published. Returns a number for `wait_until_served`."""
        with self._changed:
            self._requested += 1
            number = self._requested
        self._woken.set()
        return number

    def wait_until_served(self, number: int, tries: int) -> None:
        """Wait until the request of that number has been served or `tries` rounds in a row have failed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._served >= number or self.failures >= tries or not self._thread.is_alive()
            )

    def end(self) -> None:
        """End what is running. The stop event is set already."""
        self._woken.set()
        self._pusher.transport.stop()

    def join(self) -> None:
        """Wait for the thread to end."""
        if self._thread.ident is not None:
            self._thread.join()

    def maintain(self, paused: set[str]) -> None:
        """Renew the lease of a running push, and end the push if the target is among those paused."""
        self._pusher.maintain(paused)

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._run_round()
            with db.suppress_unavailable():
                self._pusher.lease.release()
        finally:
            db.disconnect()
            with self._changed:
                self._changed.notify_all()

    def _run_round(self) -> None:
        self._woken.clear()
        with self._changed:
            requested = self._requested
        try:
            outcome = self._pusher.push_all(self.failures)
        except TargetPaused:
            self._record_round(served=requested)
            self._woken.wait(1.0)
        except TargetLeaseLost as lost:
            self._pusher.unsure = True
            self._context.report(str(lost))
            self._stop.wait(BUSY_PAUSE)
        except Exception as error:
            if not (isinstance(error, ApplianceError | OSError | PeeweeException) or db.is_unavailable(error)):
                raise
            self._handle_failure(error, requested)
        else:
            self._rest(outcome, requested)

    def _rest(self, outcome: Remaining, requested: int) -> None:
        """Wait after a successful round until there may be something to send."""
        if outcome == "busy":
            self._stop.wait(BUSY_PAUSE * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
            return
        self._record_round(failures=0, served=requested)
        with contextlib.suppress(ApplianceError, OSError):  # the push that needs the connection will report it
            self._pusher.transport.warm()
        idle = spot_check.INTERVAL * random.uniform(0.8, 1.0)  # noqa: S311 - not a secret
        if self._woken.wait(idle if outcome == "done" else send_plan.TAKEOVER_AFTER / 4):
            self._stop.wait(self.target.delivery.gather)

    def _handle_failure(self, error: Exception, requested: int) -> None:
        self._pusher.unsure = True
        failures, pause = self.failures + 1, retry_pause(self.failures + 1)
        if not self._stop.is_set():
            if db.is_unavailable(error):
                db.outage.record_loss(error)
            else:
                self._context.report(f"{self.target.name}: failed: {error}")
            with db.suppress_unavailable():
                self._pusher.lease.release()
                if db.is_unavailable(error) or isinstance(error, PeeweeException):
                    db.disconnect()
                else:
                    host = self._context.host
                    cursors.record_failure(self.target, host, str(error), failures=failures, retry_in=pause)
        if not isinstance(error, TargetBusy | PartialTransfer):
            self._pusher.transport.close()  # the connection may be what is broken, and a new one tells why
        self._record_round(failures=failures, served=requested if self._pusher.idle else 0)
        # After PartialTransfer, newly published files need not wait for those that fail.
        (self._woken if isinstance(error, PartialTransfer) else self._stop).wait(pause)

    def _record_round(self, *, failures: int | None = None, served: int = 0) -> None:
        with self._changed:
            self.failures = self.failures if failures is None else failures
            self._served = max(self._served, served)
            self._changed.notify_all()


def retry_pause(failures: int) -> float:
    """Return the seconds to wait after so many failures in a row, at random so that couriers do not retry at once."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 30))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - not a secret

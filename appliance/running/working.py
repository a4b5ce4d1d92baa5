"""Work on whatever comes, as a daemon."""

from __future__ import annotations

from collections.abc import Collection

from appliance import clock, db, telemetry
from appliance.config import Config
from appliance.delivery import courier
from appliance.queue.supervisor import Supervisor, on_signals
from appliance.running.host import Upkeep, preflight
from appliance.running.mains import PARTS, Shift, mains

log = telemetry.logger("supervisor")

#: Seconds between two looks at the processes.
_LOOK = 0.2


def work(
    config: Config, *, workers: int | None = None, only: Collection[str] = PARTS,
    report: courier.Report = courier.silence,
) -> None:  # fmt: skip
    """Run a host's processes until SIGTERM or SIGINT, and end within 5 s then. SIGHUP replaces them one by one.

    Args:
        config: the installation, opened by the caller.
        workers: worker processes; those of the settings when None.
        only: the parts to run, of PARTS. Where these have nothing to do, this stays all the same: whoever keeps it
            running would start it again and again.
        report: takes a line for each push.

    Raises:
        DocrootError, DeliveryError: nothing has been started.
    """
    preflight(config)
    upkeep = Upkeep(config, "working")
    upkeep.begin()
    shift = Shift(
        workers or config.queue.workers, pushing="lasting", report=report, keeper=upkeep.presence.name, only=only
    )
    wanted, staying = mains(config, shift), False
    if not wanted:
        staying, upkeep.presence.doing = True, "nothing to do"
        log.info("the settings leave nothing to do here; it stays until it is stopped", only=",".join(only))
    supervisor = Supervisor(wanted, upkeep.died, db.disconnect)

    def stop() -> None:
        nonlocal staying
        staying = False
        upkeep.stopping()
        supervisor.end()

    with on_signals(stop, hangup=supervisor.recycle):
        supervisor.start()
        upkeep.ready()
        while supervisor.tend() or staying:
            upkeep.tend(supervisor)
            clock.sleep(_LOOK)
    upkeep.end()

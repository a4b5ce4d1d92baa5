"""Work on whatever comes, as a daemon."""

from __future__ import annotations

from appliance import clock, db
from appliance.config import Config
from appliance.delivery import courier
from appliance.queue.supervisor import Supervisor, on_signals
from appliance.running.host import Upkeep, preflight
from appliance.running.mains import Shift, mains

#: Seconds between two looks at the processes.
_LOOK = 0.2


def work(config: Config, *, workers: int | None = None, report: courier.Report = courier.silence) -> None:
    """Run workers and courier until SIGTERM or SIGINT, and end within 5 s then. SIGHUP replaces them one by one.

    Raises:
        DocrootError, DeliveryError: nothing has been started.
    """
    preflight(config)
    upkeep = Upkeep(config, "working")
    upkeep.begin()
    shift = Shift(workers or config.queue.workers, pushing="lasting", report=report, keeper=upkeep.presence.name)
    supervisor = Supervisor(mains(config, shift), upkeep.died, db.disconnect)

    def stop() -> None:
        upkeep.stopping()
        supervisor.end()

    with on_signals(stop, hangup=supervisor.recycle):
        supervisor.start()
        upkeep.ready()
        while supervisor.tend():
            upkeep.tend(supervisor)
            clock.sleep(_LOOK)
    upkeep.end()

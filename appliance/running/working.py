"""Work on whatever comes."""

from __future__ import annotations

from appliance import clock
from appliance.config import Config
from appliance.delivery import courier
from appliance.queue import store
from appliance.queue.supervisor import Supervisor, on_signals
from appliance.running.host import preflight, rescue_dead, rescuer
from appliance.running.mains import mains


def work(config: Config, *, workers: int | None = None, report: courier.Report = courier.silence) -> None:
    """Run workers and courier until SIGTERM or SIGINT.

    Raises:
        DocrootError, DeliveryError: nothing has been started.
    """
    preflight(config)
    rescue_dead(config)
    supervisor = Supervisor(mains(config, workers or config.queue.workers, None, report, lasting=True), rescuer(config))
    with on_signals(supervisor.stop):
        supervisor.start()
        rescued = clock.monotonic()
        while supervisor.tend():
            if clock.monotonic() - rescued > 1.0:
                store.rescue(config.queue.retries)
                rescued = clock.monotonic()
            clock.sleep(0.02)

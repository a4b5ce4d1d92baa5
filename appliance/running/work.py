"""The daemon: runs a host's processes until it is told to stop."""

from __future__ import annotations

from collections.abc import Collection

from appliance import clock, db, logging
from appliance.config import Config
from appliance.delivery import courier
from appliance.queue.supervisor import Supervisor, handle_signals
from appliance.running.host import HostMaintenance, preflight
from appliance.running.process_mains import PARTS, RunOptions, main_functions
from appliance.settings_report import SettingsWatch

log = logging.get_logger("supervisor")

#: Seconds between two checks of the processes.
_LOOK = 0.2


def work(
    config: Config, *, workers: int | None = None, only: Collection[str] = PARTS,
    report: courier.Report = courier.no_report,
) -> None:  # fmt: skip
    """Run a host's processes until SIGTERM or SIGINT, then end within 5 s. SIGHUP replaces them one by one.

    Args:
        config: the installation, opened by the caller.
        workers: the number of worker processes; None uses the setting.
        only: the parts to run, a subset of PARTS. If none of them has anything to do, this function waits all the
            same. If it returned, a service manager would restart the daemon again and again.
        report: called with one line for each push.

    Raises:
        DocrootError, DeliveryError: the host is not ready. No process was started.
    """
    preflight(config)
    maintenance = HostMaintenance(config, "working")
    with db.suppress_unavailable():  # a daemon waits for its database; `run_due` does the same work later
        maintenance.start()
    options = RunOptions(
        workers or config.queue.workers,
        courier_mode="lasting",
        report=report,
        supervisor=maintenance.process.name,
        parts=only,
    )
    wanted, staying = main_functions(config, options), False
    if not wanted:
        staying, maintenance.process.activity = True, "nothing to do"
        log.info("the settings leave nothing to do here; it stays until it is stopped", only=",".join(only))
    supervisor = Supervisor(wanted, maintenance.record_exit, db.disconnect)
    settings = SettingsWatch(config, maintenance.process.name)

    def stop() -> None:
        nonlocal staying
        staying = False
        maintenance.notify_stopping()
        supervisor.shut_down()

    with handle_signals(stop, hangup=supervisor.recycle):
        supervisor.start()
        maintenance.notify_ready()
        while supervisor.supervise() or staying:
            maintenance.run_due(supervisor)
            settings.run_due()
            clock.sleep(_LOOK)
    maintenance.stop()

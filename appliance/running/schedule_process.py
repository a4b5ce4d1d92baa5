"""The schedule process: runs the periodic tasks when they are due, and sleeps in between."""

from __future__ import annotations

import threading

from appliance import db, housekeeping
from appliance.config import Config
from appliance.db.listener import CommitListener
from appliance.delivery.targets import has_courier
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.periodic import Schedule
from appliance.queue.processes import RegisteredProcess
from appliance.queue.supervisor import EXIT_RECYCLE, handle_signals, make_orphan_check
from appliance.running import metrics


def schedule_main(config: Config, *, supervisor: str = "") -> int:
    """Run the periodic tasks until told to stop. No task is started while the process is paused."""
    opened = db.open_database(config)
    process, stop, gone = (
        RegisteredProcess("schedule", config.host_name, supervisor),
        threading.Event(),
        make_orphan_check(),
    )
    process.register()

    def ending() -> bool:
        return stop.is_set() or gone() or process.should_recycle

    def resting() -> bool:
        return ending() or process.is_paused

    def say(words: str) -> None:
        process.activity = words

    schedule = Schedule(housekeeping.periodic_tasks(config, ending), process.name)
    wake = CommitListener(resting)
    answering = metrics.serve(config, wanted=not has_courier(config))  # otherwise the courier serves them
    with handle_signals(stop.set), Heartbeat(process.heartbeat, every=0.5), answering:
        while not ending():
            with db.suppress_unavailable():
                schedule.run(resting, wake, say)
            if not ending():  # the process is paused, or the database is unavailable
                say("paused" if process.is_paused else "waiting for the database")
                stop.wait(0.5)
    with db.suppress_unavailable():
        process.deregister()
    wake.close()
    opened.close()
    return EXIT_RECYCLE if process.should_recycle else 0

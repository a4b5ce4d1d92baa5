"""The schedule's process: serves the periodic tasks when they are due, and sleeps in between."""

from __future__ import annotations

import threading

from appliance import db, housekeeping
from appliance.config import Config
from appliance.delivery import metrics
from appliance.delivery.targets import has_courier
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.processes import Presence
from appliance.queue.schedule import Schedule
from appliance.queue.supervisor import REPLACE, on_signals, orphaned
from appliance.queue.wakeup import DatabaseWake


def schedule_main(config: Config, *, keeper: str = "") -> int:
    """Serve the periodic tasks until told to stop; none while asked to pause."""
    opened = db.open_database(config)
    presence, stop, gone = Presence("schedule", config.host_name, keeper), threading.Event(), orphaned()
    presence.enter()

    def ending() -> bool:
        return stop.is_set() or gone() or presence.recycled

    def resting() -> bool:
        return ending() or presence.paused

    def say(words: str) -> None:
        presence.doing = words

    schedule = Schedule(housekeeping.tasks(config, ending), presence.name)
    wake = DatabaseWake(resting)
    answering = metrics.listening(config, wanted=not has_courier(config))  # else the courier does
    with on_signals(stop.set), Heartbeat(presence.beat, every=0.5), answering:
        while not ending():
            with db.tolerant():
                schedule.run(resting, wake, say)
            if not ending():  # asked to pause, or the database is away
                say("paused" if presence.paused else "waiting for the database")
                stop.wait(0.5)
    with db.tolerant():
        presence.leave()
    wake.close()
    opened.close()
    return REPLACE if presence.recycled else 0

"""The intake process: answers the web process on the intake's socket."""

from __future__ import annotations

import threading
from collections.abc import Callable

from appliance import db, logging
from appliance.config import Config
from appliance.errors import ConfigError
from appliance.intake.server import Intake
from appliance.intake.socket_file import ListeningSocket, SocketInUseError, listen
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.processes import RegisteredProcess
from appliance.queue.supervisor import EXIT_RECYCLE, handle_signals, make_orphan_check

log = logging.get_logger("intake")

#: Seconds between two checks whether to end, and between two attempts to take over the socket of another intake.
_LOOK = 0.5


def intake_main(config: Config, *, supervisor: str = "") -> int:
    """Answer requests until told to stop. While the process is paused, comments are refused as too much to do."""
    opened = db.open_database(config)
    process, stop, gone = (
        RegisteredProcess("intake", config.host_name, supervisor),
        threading.Event(),
        make_orphan_check(),
    )
    process.register()

    def ending() -> bool:
        return stop.is_set() or gone() or process.should_recycle

    with handle_signals(stop.set), Heartbeat(process.heartbeat, every=0.5):
        listening = _listen(config, process, stop, ending)
        if listening is not None:
            intake = Intake(config, listening, lambda: process.is_paused, supervisor)
            process.activity = "answering the web process"
            while not ending():
                intake.accept(_LOOK)
            process.activity = "stopping"
            intake.close()
    with db.suppress_unavailable():
        process.deregister()
    opened.close()
    return EXIT_RECYCLE if process.should_recycle else 0


def _listen(
    config: Config, process: RegisteredProcess, stop: threading.Event, ending: Callable[[], bool]
) -> ListeningSocket | None:
    """Listen, once no other intake of this host does; None if this process is to end before."""
    told = False
    while not ending():
        try:
            return listen(config.intake_socket, config.web)
        except (SocketInUseError, ConfigError) as error:
            process.activity = "waiting for the socket"
            if not told:
                log.warning("the intake cannot listen yet", error=str(error))
                told = True
            stop.wait(_LOOK)
    return None

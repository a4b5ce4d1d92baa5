"""The web process as a part of `work`, beside the workers and the courier.

The supervisor keeps the listening socket, so readers wait for a moment and are not refused while the process is
replaced.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from functools import partial

from appliance import logging
from appliance.config import Config, web_of
from appliance.errors import WebError
from appliance.queue.supervisor import make_orphan_check

log = logging.get_logger("web")


def web_process(config: Config) -> Callable[[], int]:
    """Open the socket, and return the main function of the process that serves on it."""
    from appliance.web import server  # gunicorn, which nothing else needs

    listening: socket.socket | None = None
    try:
        listening = server.listen(web_of(config))
    except WebError as error:
        # Publishing goes on; the process tries again, and tells it again.
        log.warning("nobody can comment or search", error=str(error))
    return partial(_main, config, listening)


def _main(config: Config, listening: socket.socket | None) -> int:
    from appliance.web import server

    os.environ.pop("NOTIFY_SOCKET", None)  # only the supervisor tells systemd that it is ready
    try:
        return server.serve(lambda: web_of(config), listening, ends=make_orphan_check())
    except WebError as error:
        log.warning("nobody can comment or search", error=str(error))
        return 1


__all__ = ["web_process"]

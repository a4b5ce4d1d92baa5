"""The admin application as a part of `work`, beside the workers and the courier.

The supervisor keeps the listening socket, so users wait for a moment and are not refused while the process is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from appliance import logging
from appliance.config import Config, admin_of, load
from appliance.errors import WebError
from appliance.queue.supervisor import EXIT_RECYCLE, make_orphan_check

if TYPE_CHECKING:
    from appliance.web.listening import Listening

log = logging.get_logger("admin")


def admin_process(config: Config, *, supervisor: str) -> Callable[[], int]:
    """Open the socket, and return the main function of the process that serves on it."""
    from appliance.web import listening  # like gunicorn, which nothing else needs

    opened: Listening | None = None
    try:
        opened = listening.open_sockets(admin_of(config), "admin")
    except WebError as error:
        # Publishing goes on; the process tries again, and tells it again.
        log.warning("nobody can sign in", error=str(error))
    return partial(_main, config, opened, supervisor)


def _main(config: Config, opened: Listening | None, supervisor: str) -> int:
    from appliance.web import server
    from appliance.web.admin.served import served

    os.environ.pop("NOTIFY_SOCKET", None)  # only the supervisor tells systemd that it is ready
    try:
        return server.serve(
            lambda: served(_read(config), supervisor), opened, file=config.path, ends=make_orphan_check(),
            renewed=EXIT_RECYCLE,
        )  # fmt: skip
    except WebError as error:
        log.warning("nobody can sign in", error=str(error))
        return 1


def _read(config: Config) -> Config:
    """Read [admin] again. What the rest of the daemon goes by as well stays as it is until its restart."""
    now = load(config.path).admin.model_copy(update={"listen": config.admin.listen})
    return config.model_copy(update={"admin": now})

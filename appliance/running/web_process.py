"""The web process as a part of `work`, beside the workers and the courier.

The supervisor keeps the listening socket, so readers wait for a moment and are not refused while the process is
replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from appliance import logging
from appliance.config import Config, WebSettings, load, web_of
from appliance.errors import WebError
from appliance.queue.supervisor import EXIT_RECYCLE, make_orphan_check

if TYPE_CHECKING:
    from appliance.web.listening import Listening

log = logging.get_logger("web")


def web_process(config: Config) -> Callable[[], int]:
    """Open the socket, and return the main function of the process that serves on it."""
    from appliance.web import listening  # like gunicorn, which nothing else needs

    opened: Listening | None = None
    try:
        opened = listening.open_sockets(web_of(config))
    except WebError as error:
        # Publishing goes on; the process tries again, and tells it again.
        log.warning("nobody can comment or search", error=str(error))
    return partial(_main, config, opened)


def _main(config: Config, opened: Listening | None) -> int:
    from appliance.web import server
    from appliance.web.public.served import served

    os.environ.pop("NOTIFY_SOCKET", None)  # only the supervisor tells systemd that it is ready
    try:
        return server.serve(
            lambda: served(_read(config)), opened, file=config.path, ends=make_orphan_check(), renewed=EXIT_RECYCLE
        )
    except WebError as error:
        log.warning("nobody can comment or search", error=str(error))
        return 1


def _read(config: Config) -> WebSettings:
    """Read the settings again. Those that the rest of the daemon goes by as well stay as they are until its restart."""
    return web_of(load(config.path)).model_copy(update={name: getattr(web_of(config), name) for name in _OF_THE_DAEMON})


#: Settings that pages, the intake or the socket of the daemon were made with.
_OF_THE_DAEMON: Final = ("path", "listen", "intake")

__all__ = ["web_process"]

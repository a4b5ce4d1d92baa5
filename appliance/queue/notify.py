"""What systemd is told of a service: that it is ready, that it lives, what it does, that it ends (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from appliance import clock


class Notifier:
    """Tells systemd, where it asked to be told by NOTIFY_SOCKET; elsewhere nothing happens, and telling never fails."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the zero byte with which names begin that are in no file system.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        mine = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environ.get("WATCHDOG_USEC", "") if mine else ""
        #: Seconds between two signs of life, half of what is allowed; None when none is asked for.
        self.watchdog = int(usec) / 2e6 if usec.isdigit() and int(usec) else None
        self._alive = clock.monotonic()
        self._status = ""

    def tell(self, *lines: str) -> None:
        """Send lines such as READY=1."""
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, self._address)

    def alive(self, status: str) -> None:
        """Say what is being done when that is news, and that the service lives when it is time to; call it often."""
        if status != self._status:
            self._status = status
            self.tell(f"STATUS={status}")
        if self.watchdog is not None and clock.monotonic() - self._alive >= self.watchdog:
            self._alive = clock.monotonic()
            self.tell("WATCHDOG=1")

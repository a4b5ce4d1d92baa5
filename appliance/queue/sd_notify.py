"""Notifies systemd that a service is ready, alive, stopping, and what it is doing (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from appliance import clock


class SystemdNotifier:
    """Sends notifications to the socket in NOTIFY_SOCKET, if systemd set one. Sending never fails."""

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

    def send(self, *lines: str) -> None:
        """Send lines such as READY=1."""
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.sendto("\n".join(lines).encode(), socket.MSG_DONTWAIT, self._address)

    def report_status(self, status: str) -> None:
        """Report the status if it changed, and the watchdog ping if it is due. Call it often."""
        if status != self._status:
            self._status = status
            self.send(f"STATUS={status}")
        if self.watchdog is not None and clock.monotonic() - self._alive >= self.watchdog:
            self._alive = clock.monotonic()
            self.send("WATCHDOG=1")

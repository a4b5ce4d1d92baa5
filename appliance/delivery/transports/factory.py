"""Chooses and opens the transport of a target. No other module of delivery knows which transports there are.

Guarantees that every connection and the private folder that connections share are gone once the factory is closed.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from appliance.config import DeliverySettings
from appliance.delivery.targets import Target
from appliance.delivery.transports import rsync_command
from appliance.delivery.transports.base import Permit, Transport, always_permitted
from appliance.delivery.transports.rsync import RsyncTransport
from appliance.delivery.transports.ssh import SshConnection
from appliance.delivery.transports.ssh_folder import SshFolder


class TransportFactory:
    """Opens transports that share one private folder for ssh. A context manager that closes them when it is left."""

    def __init__(self) -> None:
        self._folder: SshFolder | None = None
        self._opened: list[Transport] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self, target: Target, permit: Permit = always_permitted) -> Transport:
        """Return the transport to `target`. It connects when it is first used.

        Raises:
            DeliveryError: there is no place for the private folder.
        """
        connection = None
        if target.host:
            self._folder = self._folder or SshFolder(target.delivery)
            connection = SshConnection(target, self._folder, len(self._opened))
        transport = RsyncTransport(target, connection, permit)
        self._opened.append(transport)
        return transport

    def close(self) -> None:
        """Close the connections of all transports and remove the private folder."""
        for transport in self._opened:
            transport.close()
        if self._folder:
            self._folder.remove()
            self._folder = None


def check_tools(settings: DeliverySettings) -> None:
    """Check that the programs which transports need are installed.

    Raises:
        DeliveryError: one is missing; says how to install it.
    """
    rsync_command.version(settings.rsync)

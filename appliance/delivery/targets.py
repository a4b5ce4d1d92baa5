"""A target as a value: everything a courier has to know to write to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from appliance.config import Config, DeliverySettings, TargetSettings

#: The module a front end's forced rsync daemon offers.
MODULE = "docroot"


@dataclass(frozen=True)
class Target:
    """Where publications go: a front end's docroot over ssh and rsync, or a folder on this host."""

    settings: TargetSettings
    #: The docroot on this host, from which files are taken.
    docroot: Path
    delivery: DeliverySettings
    #: The name of the publishing host whose docroot it is; None for a front end.
    peer: str | None = None

    @property
    def name(self) -> str:
        """What the target is called in commands and reports."""
        return peer_name(self.peer) if self.peer else self.settings.name

    @property
    def address(self) -> str:
        """Where it is, as the settings say; with the port when that is not ssh's own."""
        port = f" port {self.settings.port}" if self.settings.port != 22 else ""
        return self.settings.address + port

    @property
    def host(self) -> str | None:
        """`user@host` or an ssh alias, as ssh wants it; None for a folder on this host."""
        host = self.settings.host
        return host.replace("[", "").replace("]", "") if host else None

    @property
    def folder(self) -> Path:
        """The folder on the target."""
        return self.settings.path(self.docroot)

    @property
    def destination(self) -> str:
        """What rsync takes as the place to write to."""
        if not self.settings.host:
            return f"{self.folder}/"
        match self.settings.access:
            case "module":
                return f"{self.settings.host}::{MODULE}/"
            case "rrsync":
                # The forced rrsync stands in its folder already and refuses absolute paths.
                return f"{self.settings.host}:."
            case _:
                return f"{self.settings.host}:{self.folder}/"

    @property
    def is_confined(self) -> bool:
        """Whether the front end decides which folder is written."""
        return self.settings.host is not None and self.settings.access != "shell"

    def __str__(self) -> str:
        return f"target {self.name} ({self.address})"


def peer_name(host: str) -> str:
    """What a publishing host is called as a target; no front end's name has a colon."""
    return f"host:{host}"


def targets(config: Config) -> list[Target]:
    """Every front end of the settings, in their order."""
    return [Target(settings, config.docroot, config.delivery) for settings in config.targets]


def peers(config: Config) -> list[Target]:
    """The other publishing hosts that have an address: what is made here is sent there too."""
    return [
        Target(host, config.docroot, config.delivery, peer=host.name)
        for host in config.publishing_hosts
        if host.address and host.name != config.host_name
    ]


def own(config: Config) -> Target | None:
    """This host's docroot as the others see it, if they can reach it."""
    found = (h for h in config.publishing_hosts if h.address and h.name == config.host_name)
    return next((Target(host, config.docroot, config.delivery, peer=host.name) for host in found), None)


def has_courier(config: Config) -> bool:
    """Whether a courier runs on this host: there is somebody to send to, or others who send here."""
    return not config.shared and bool(config.targets or len(config.publishing_hosts) > 1)


def everywhere(config: Config) -> list[Target]:
    """All that this host's couriers bring level."""
    return [*targets(config), *peers(config)]


def known(config: Config) -> list[Target]:
    """All targets of the installation: those that this host brings level, and its own docroot as the others see it."""
    here = own(config)
    return [*everywhere(config), *([here] if here else [])]

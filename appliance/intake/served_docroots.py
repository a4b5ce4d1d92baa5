"""The docroots that readers see: those of the front ends, and those of publishing hosts that serve readers themselves.

A web server says in X-Appliance-Front-End whose docroot it serves, by the name of a target or of a publishing host.
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.config import Config
from appliance.delivery.targets import Target, all_targets, front_ends


@dataclass(frozen=True, slots=True)
class ServedDocroot:
    """A docroot that readers see."""

    #: What couriers send it as; None if they send it nothing.
    target: Target | None
    #: The publishing host that it belongs to. What that host publishes is there at once.
    host: str | None = None


class ServedDocroots:
    """The docroots of an installation, by the names that web servers give."""

    def __init__(self, config: Config) -> None:
        self._fronts = [ServedDocroot(target) for target in front_ends(config)]
        peers = {target.peer: target for target in all_targets(config) if target.peer}
        # A single host, or hosts that share one docroot, show whatever is built.
        hosts = [] if config.shared or len(config.publishing_hosts) < 2 else config.publishing_hosts
        self._hosts = [ServedDocroot(peers.get(host.name), host.name) for host in hosts]
        self._only_host = config.host_name if not self._hosts else ""

    def choose(self, name: str) -> list[ServedDocroot]:
        """The docroots that must show a page to a reader who came through the web server of this name.

        Without a name, or with an unknown one, it may be any of those that couriers keep up to date.
        """
        fronts = [docroot for docroot in self._fronts if docroot.target and docroot.target.name == name]
        hosts = [docroot for docroot in self._hosts if docroot.host == name]
        if fronts or hosts or (name and name == self._only_host):
            return [*fronts, *hosts]
        return [*self._fronts, *(docroot for docroot in self._hosts if docroot.target)]

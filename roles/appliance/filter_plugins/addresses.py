"""Addresses that are compared as they are: by systemd, by the web process and by nginx, which look up no names."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable


def appliance_address_fault(value: str) -> str:
    """What is wrong with an IP address of a host, as the end of a sentence; empty when nothing is."""
    try:
        address = ipaddress.ip_address(str(value))
    except ValueError:
        return "is no IP address"
    if address.is_unspecified or address.is_multicast or "%" in str(address):
        return "is no address of one host"
    return "is an address where no other host reaches it" if address.is_loopback else ""


def appliance_network_fault(value: str) -> str:
    """What is wrong with an IP address or a network, as the end of a sentence; empty when nothing is."""
    try:
        network = ipaddress.ip_network(str(value))
    except ValueError:
        return "is neither an IP address nor a network"
    return "has a zone, which nobody else knows" if "%" in str(network) else ""


class FilterModule:
    """The filters, by the names that tasks and templates use."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Every filter of this file."""
        return {
            "appliance_address_fault": appliance_address_fault,
            "appliance_network_fault": appliance_network_fault,
        }

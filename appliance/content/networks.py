"""The network that an address belongs to, by which senders are limited and banned.

A household or an office gets a whole network from its provider, and an IPv6 host changes its address within it at
will. A limit by single addresses would therefore limit nobody.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

#: The length of the prefix of a sender's network.
_PREFIX: Final = {4: 24, 6: 48}
#: The shortest prefix of a network that may be banned: no registry has given a provider more than that at once.
SHORTEST_PREFIX: Final = {4: 8, 6: 19}


def parse_address(address: str) -> IPv4Address | IPv6Address | None:
    """The address; an IPv4 address written in IPv6 counts as IPv4. None for anything else."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def network_of(address: str) -> str:
    """The network of an address: an IPv4 /24 or an IPv6 /48; empty for what is no address."""
    found = parse_address(address)
    return str(ip_network((found, _PREFIX[found.version]), strict=False)) if found else ""


def is_too_large(network: Network) -> bool:
    """Whether a network holds so many readers that to ban it can only be a mistake, such as 0.0.0.0/0."""
    return network.prefixlen < SHORTEST_PREFIX[network.version]


def parse_network(text: str) -> Network | None:
    """The network that a person wrote: one with a prefix as it is, or that of an address. None for anything else."""
    try:
        network = ip_network(text, strict=False) if "/" in text else ip_network(network_of(text))
    except ValueError:
        return None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96 and network.network_address.ipv4_mapped:
        return ip_network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network

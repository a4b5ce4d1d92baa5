"""The addresses that a webhook may have: only public ones, unless its settings name others.

Guarantees that whoever chooses the name of a webhook, or answers for that name, reaches no machine behind our firewall:
every address that the name has is checked, also one that is wrapped in another, and the connection goes to an address
that was checked, without a second question to the name server.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Final

from appliance.errors import WebhookError, WebhookRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: Returns the addresses of a host name, best first.
Resolve = Callable[[str, int], Sequence[str]]

_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
#: Blocks with a special purpose (RFC 6890 and its registry). Which of them Python knows differs by release.
_SPECIAL: Final = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3", "2001::/23", "2001:db8::/32", "3fff::/20",
        "168.63.129.16/32",  # looks public, and is answered by the provider of the machine
    )
)  # fmt: skip
#: IPv6 addresses that stand for the IPv4 address in their last four bytes.
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host name, as the system resolves it.

    Raises:
        OSError: the name has none, or the name server does not answer.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(host: str, port: int, allowed: Sequence[str], lookup: Resolve = resolve) -> list[str]:
    """Return the addresses of a host, all of which may be connected to.

    Args:
        host: the host name, or an address.
        port: the port.
        allowed: addresses and networks that are allowed although they are not public.
        lookup: resolves the name, once.

    Raises:
        WebhookError: the name cannot be resolved now.
        WebhookRefused: one of its addresses is not allowed.
    """
    try:
        found = lookup(host, port)
    except (OSError, UnicodeError) as error:
        raise WebhookError(f"{host} cannot be resolved: {error}; check the name and this host's name server") from error
    if not found:
        raise WebhookError(f"{host} has no address; check the name")
    networks = [ipaddress.ip_network(one) for one in allowed]
    for text in found:
        address = ipaddress.ip_address(text)
        if not (is_public(address) or any(address in network for network in networks)):
            raise WebhookRefused(
                f"{host} has the address {text}, which is not public, so nothing is sent there; name it in"
                " allow_private if it is meant"
            )
    return list(found)


def is_public(address: Address) -> bool:
    """Return whether an address is reached over the internet, and so is the one that it stands for, if any."""
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_V6:
        return False
    return address.is_global and not any(address in block for block in _SPECIAL)


def _inner(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for: mapped, translated, or through a tunnel."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)

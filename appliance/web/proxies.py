"""The web servers that pass requests on, and the address that a request came from.

Only a trusted proxy is believed, and only what it says of its own peer: the last address in X-Forwarded-For. No other
forwarding header is read. So nobody can borrow an address from a header, whether to get around a limit or to put it on
somebody else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from werkzeug.wrappers import Request

#: The address of a request that came over the Unix socket without a proxy.
_LOCAL: Final = "127.0.0.1"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class TrustedProxies:
    """The peers that may say who a request came from. A peer on the Unix socket always may."""

    networks: Sequence[Network]

    @classmethod
    def of(cls, values: Sequence[str]) -> TrustedProxies:
        """The proxies of the setting `trusted_proxies`."""
        return cls([ipaddress.ip_network(value) for value in values])

    def include(self, request: Request) -> bool:
        """Whether the peer of this request is a trusted proxy."""
        peer = request.remote_addr
        if not peer:
            return True  # the Unix socket, whose mode decides who may connect
        address = _address(peer)
        return address is not None and any(address in network for network in self.networks)

    def address_of(self, request: Request) -> str:
        """The network address that a request came from, as far as it can be told."""
        said = (
            _address(request.headers.get("X-Forwarded-For", "").rpartition(",")[2]) if self.include(request) else None
        )
        return str(said or _address(request.remote_addr or _LOCAL) or _LOCAL)


def is_forwarded(request: Request) -> bool:
    """Whether a proxy passed this request on. What is for this host alone is not shown to it then."""
    return any(name in request.headers for name in ("X-Forwarded-For", "X-Appliance-Front-End", "Forwarded", "Via"))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))  # without a zone
    return address

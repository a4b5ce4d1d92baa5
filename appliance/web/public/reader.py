"""Who sent a request, and whether one of our pages did.

Only a trusted proxy is believed, and only what it says of its own peer: the last address in X-Forwarded-For. No other
forwarding header is read. So nobody can borrow an address from a header, whether to get around a limit or to put it on
somebody else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from appliance.intake.messages import Sender

#: Where a form was sent from: a page of this host, a page of another one, or unknown, as the browser does not say.
Origin = Literal["same", "other", "unknown"]

#: The address of a request that came over the Unix socket without a proxy.
_LOCAL: Final = "127.0.0.1"
_NAME_LIMIT: Final = 63
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


def sender_of(request: Request, proxies: TrustedProxies) -> Sender:
    """Who sent this request, as far as it can be told."""
    trusted = proxies.include(request)
    peer = _address(request.remote_addr or _LOCAL)
    said = _address(request.headers.get("X-Forwarded-For", "").rpartition(",")[2]) if trusted else None
    name = request.headers.get("X-Appliance-Front-End", "") if trusted else ""
    return Sender(
        address=str(said or peer or _LOCAL),
        user_agent=_plain(request.headers.get("User-Agent", ""), 1000),
        referrer=_plain(request.headers.get("Referer", ""), 2000),
        front_end=name if len(name) <= _NAME_LIMIT and name.isprintable() else "",
    )


def is_forwarded(request: Request) -> bool:
    """Whether a proxy passed this request on. What is for this host alone is not shown to it then."""
    return any(name in request.headers for name in ("X-Forwarded-For", "X-Appliance-Front-End", "Forwarded", "Via"))


def origin_of(request: Request, proxies: TrustedProxies) -> Origin:
    """Where a form was sent from, by Sec-Fetch-Site, else by Origin, else by Referer."""
    site = request.headers.get("Sec-Fetch-Site", "").lower()
    if site:
        return "same" if site in ("same-origin", "none") else "other"
    for name in ("Origin", "Referer"):
        value = request.headers.get(name, "")
        if value and value != "null":
            return "same" if _host(value) in _own_hosts(request, proxies) else "other"
    return "unknown"


def _own_hosts(request: Request, proxies: TrustedProxies) -> set[str]:
    hosts = {request.headers.get("Host", "").lower()}
    if proxies.include(request):
        hosts.add(request.headers.get("X-Forwarded-Host", "").rpartition(",")[2].strip().lower())
    return {_without_port(host) for host in hosts if host}


def _host(url: str) -> str:
    try:
        return _without_port(urlsplit(url).netloc.rpartition("@")[2].lower())
    except ValueError:
        return ""


def _without_port(host: str) -> str:
    """A host without its port, which a proxy may leave out."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))  # without a zone
    return address


def _plain(text: str, limit: int) -> str:
    """A header's text without what cannot be printed."""
    return "".join(c for c in text[:limit] if c.isprintable())

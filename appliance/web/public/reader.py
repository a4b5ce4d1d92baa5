"""Who sent a request, and whether one of our pages did."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

from werkzeug.wrappers import Request

from appliance.intake.messages import Sender
from appliance.web.proxies import TrustedProxies

#: Where a form was sent from: a page of this host, a page of another one, or unknown, as the browser does not say.
Origin = Literal["same", "other", "unknown"]

_NAME_LIMIT: Final = 63


def sender_of(request: Request, proxies: TrustedProxies) -> Sender:
    """Who sent this request, as far as it can be told."""
    name = request.headers.get("X-Appliance-Front-End", "") if proxies.include(request) else ""
    return Sender(
        address=proxies.address_of(request),
        user_agent=_plain(request.headers.get("User-Agent", ""), 1000),
        referrer=_plain(request.headers.get("Referer", ""), 2000),
        front_end=name if len(name) <= _NAME_LIMIT and name.isprintable() else "",
    )


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


def _plain(text: str, limit: int) -> str:
    """A header's text without what cannot be printed."""
    return "".join(c for c in text[:limit] if c.isprintable())

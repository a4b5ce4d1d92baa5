"""The names under which applications answer: each request goes to the application of its Host, and no other is served.

Guarantees that a page of the admin application is never shown under another name, such as the address of the host or a
name that somebody else let point here, and that previews, which hold authors' HTML, have an origin of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from appliance.web.admin.headers import HEADERS
from appliance.web.proxies import is_forwarded

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: Paths that are for this host alone, under whatever name it asks.
ON_THIS_HOST: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_ELSEWHERE: Final = (
    "No application answers under the name of this request. Use the address in the setting [admin] url, and check that"
    " the web server passes the header Host on.\n"
)


def host_of(origin: str) -> str:
    """The value of Host by which browsers ask for an origin: the name, and the port if it is not that of HTTPS."""
    parts = urlsplit(origin)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return name if parts.port in (None, 443) else f"{name}:{parts.port}"


class HostSwitch:
    """A WSGI application that passes each request to the one of its host, and answers 421 to any other."""

    def __init__(self, applications: Mapping[str, WSGIApplication], first: WSGIApplication) -> None:
        """Serve `applications` by their origins; `first` answers what is for this host alone."""
        self._applications = {host_of(origin): each for origin, each in applications.items()}
        self._first = first

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        environ["wsgi.url_scheme"] = "https"  # whatever lies between us and the web server that speaks TLS
        application = self._applications.get(_asked_for(environ))
        if environ.get("PATH_INFO") in ON_THIS_HOST and not is_forwarded(Request(environ)):
            application = self._first
        if application is None:
            application = Response(_ELSEWHERE, 421, HEADERS, content_type="text/plain; charset=utf-8")
        return application(environ, start_response)


def _asked_for(environ: WSGIEnvironment) -> str:
    host = str(environ.get("HTTP_HOST", "")).lower()
    return host.removesuffix(":443")

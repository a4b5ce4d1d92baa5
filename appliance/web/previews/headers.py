"""The headers of every answer under the name of previews.

Guarantees that a preview looks as it would be published and still does nothing: it may load what pages load, but sends
no form, speaks to no other origin, leaves no worker behind in the browser, and tells nobody its address. Only the admin
application may frame it, caches keep nothing of it, and search engines list nothing.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from werkzeug.wrappers import Response

#: The style of our own pages.
STYLE: Final = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}"
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

#: What the pages of a site may do here: what front ends allow them unless somebody changes that, but for forms, other
#: origins and workers.
OF_SITES: Final = (
    "default-src 'self'; img-src 'self' https: data:; media-src 'self' https:; frame-src 'self' https:;"
    " style-src 'self'; style-src-attr 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'none';"
    " connect-src 'self'; worker-src 'none'"
)
#: What our own pages may do: nothing.
_OF_OURS: Final = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'none'; base-uri 'none'"

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}


def add_headers(response: Response, admin_origin: str, *, is_ours: bool) -> None:
    """Add to an answer what holds for all.

    Args:
        response: the answer.
        admin_origin: the only origin that may frame it.
        is_ours: whether it is a page of this application and not a file of a site.
    """
    policy = _OF_OURS if is_ours else OF_SITES
    response.headers["Content-Security-Policy"] = f"{policy}; frame-ancestors {admin_origin.rstrip('/')}"
    for name, value in _HEADERS.items():
        response.headers[name] = value

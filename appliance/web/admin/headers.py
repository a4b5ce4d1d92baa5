"""The headers of every answer of the admin application.

Guarantees that pages run scripts, take styles and send forms only from and to their own origin, that no other page can
frame or open them, and that nobody keeps what only one user may see.
"""

from __future__ import annotations

from typing import Final

from werkzeug.wrappers import Response

_POLICY: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
#: Those of every answer. A view may set others, such as a stricter policy for a download.
HEADERS: Final = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: How long browsers keep a static file whose address has its digest.
KEPT: Final = "public, max-age=31536000, immutable"


def add_headers(response: Response, *, is_kept: bool = False) -> None:
    """Add to an answer what holds for all; `is_kept` is for static files, which are the same for everybody."""
    if is_kept:
        response.headers["Cache-Control"] = KEPT
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)

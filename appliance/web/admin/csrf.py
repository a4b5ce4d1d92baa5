"""Whether a request that changes something was sent by a page of ours, as the browser says.

Browsers say in Sec-Fetch-Site how the page that sent a request relates to us, and older ones name its origin in Origin.
Neither can be set by a page. A request without both does not come from a browser that signed somebody in, and is
refused. So no form needs a token, and none can be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: Methods that change nothing, and that any page may make a browser send.
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def is_foreign(method: str, header: Callable[[str, str], str], origin: str) -> bool:
    """Return whether a request would change something and was not certainly sent from our own origin.

    Args:
        method: the method of the request.
        header: returns a header by its name, or what it is given instead.
        origin: our own origin, such as `https://admin.example.org/`.
    """
    if method in SAFE:
        return False
    site = header("Sec-Fetch-Site", "").strip().lower()
    if site:
        # “none” is what a person did by hand in the browser itself, such as opening a bookmark.
        return site not in ("same-origin", "none")
    return header("Origin", "").strip().lower() != origin.rstrip("/")

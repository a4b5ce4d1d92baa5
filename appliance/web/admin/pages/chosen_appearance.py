"""Light, dark, or as the system has it: what a browser has chosen for our pages."""

from __future__ import annotations

from typing import Final

from flask import Response, request

_COOKIE: Final = "__Host-appearance"
_KNOWN: Final = ("light", "dark")
_YEAR: Final = 365 * 86_400


def appearance() -> str:
    """Return what the browser of this request has chosen: `light` or `dark`; empty for that of the system."""
    chosen = request.cookies.get(_COOKIE, "")
    return chosen if chosen in _KNOWN else ""


def choose(response: Response, chosen: str) -> None:
    """Have the browser keep a choice; anything unknown stands for that of the system."""
    if chosen in _KNOWN:
        response.set_cookie(_COOKIE, chosen, max_age=_YEAR, secure=True, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(_COOKIE, secure=True, httponly=True, samesite="Lax")

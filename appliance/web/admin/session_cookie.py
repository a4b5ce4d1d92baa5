"""The cookie with the secret of a session.

Its name makes browsers keep it only if it came over TLS from this very host, so no other host of the domain can set one
in its place. Scripts cannot read it, and no other site can make a browser send it.
"""

from __future__ import annotations

from typing import Final

from werkzeug.wrappers import Request, Response

NAME: Final = "__Host-appliance"


def read_secret(request: Request) -> str:
    """Return the secret that a browser sent; empty if it sent none."""
    return request.cookies.get(NAME, "")


def set_secret(response: Response, secret: str) -> None:
    """Have the browser keep a secret until it is closed; the server ends the session sooner if nobody uses it."""
    response.set_cookie(NAME, secret, path="/", secure=True, httponly=True, samesite="Strict")


def forget_secret(response: Response) -> None:
    """Have the browser forget its secret."""
    response.delete_cookie(NAME, path="/", secure=True, httponly=True, samesite="Strict")

"""The pages of the application of previews itself: not there, being built, cannot be built.

They have no scripts, and nothing in them tells an address that is not valid from one that never was.
"""

from __future__ import annotations

from typing import Final

from flask import Response
from markupsafe import Markup

from appliance.web.previews.headers import STYLE

_PAGE: Final = Markup(
    """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex, nofollow">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
{body}
</html>
"""
)
#: Seconds after which a browser asks again for a preview that is being built.
_AGAIN: Final = 1


def missing() -> Response:
    """Nothing is shown at this address, for whatever reason."""
    body = "This link does not lead to a preview, or no longer does. Ask whoever gave it to you for a new one."
    return _page(404, "There is no preview here", body)


def not_part(page: str) -> Response:
    """The preview has no such page; `page` is the address of the one that it was made for."""
    body = Markup('<p>A preview has only the pages that show the entry. <a href="{}">Go back to the entry.</a></p>')
    return _page(404, "This page is not part of the preview", body.format(page))


def waiting() -> Response:
    """The preview is being built. The browser asks again by itself."""
    response = _page(200, "The preview is being made", "It appears here by itself in a moment.")
    response.headers["Refresh"] = str(_AGAIN)
    return response


def fault(sentence: str) -> Response:
    """The preview cannot be built."""
    return _page(200, "The preview cannot be made", sentence)


def unavailable() -> Response:
    """The database is away."""
    response = _page(503, "Previews cannot be shown now", "Try again in a moment.")
    response.headers["Retry-After"] = "10"
    return response


def _page(status: int, title: str, body: str) -> Response:
    if not isinstance(body, Markup):
        body = Markup("<p>{}</p>").format(body)
    html = _PAGE.format(title=title, style=Markup(STYLE), body=body)  # noqa: S704 - our own style
    return Response(html, status, content_type="text/html; charset=utf-8")

"""The application of previews: opens links, and answers with the files of the preview that a browser has open.

A link leads to the address of its secret. There the browser gets a cookie and is led on to the page of the entry, at
the address that it would have on the site. So links and files of a theme that begin at the root work as they are
published, and neither the address of a page nor what a page tells others holds the secret. A browser has one preview
open at a time.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from flask import Flask, Response, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from appliance import db, logging, previews
from appliance.config import Config
from appliance.errors import DatabaseUnavailable
from appliance.planning.paths import url_path
from appliance.previews import OpenPreview
from appliance.web.admin import database
from appliance.web.previews import awaiting, files, pages
from appliance.web.previews.awaiting import Awaiting
from appliance.web.previews.headers import add_headers

log = logging.get_logger("admin")

#: The cookie with the secret of the open preview. Its prefix has browsers accept it from this host alone.
COOKIE: Final = "__Host-appliance-preview"
#: Seconds that a visitor waits for a build before a page says that it is being made.
LONGEST_WAIT: Final = 3.0

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_ROBOTS: Final = "User-agent: *\nDisallow: /\n"


def create_app(config: Config, *, longest_wait: float = LONGEST_WAIT) -> Flask:
    """Return the application. The database is opened by whoever runs it, in each process."""
    app = Flask("appliance.web.previews", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    visits = _Visits(Awaiting(longest_wait))

    def answer(path: str = "") -> BaseResponse:
        try:
            database.begin_request(config)
            response, is_ours = visits.answer(path)
        except Exception as error:
            if not isinstance(error, DatabaseUnavailable) and not db.is_unavailable(error):
                raise
            log.warning("a preview was not shown", error=str(error))
            db.disconnect()
            response, is_ours = pages.unavailable(), True
        finally:
            database.end_request()
        add_headers(response, config.admin.url, is_ours=is_ours)
        return response

    app.add_url_rule("/", "root", answer)
    app.add_url_rule("/<path:path>", "file", answer)

    @app.errorhandler(Exception)
    def fail(error: Exception) -> BaseResponse:
        response = error.get_response() if isinstance(error, HTTPException) else pages.unavailable()
        if not isinstance(error, HTTPException):
            log.error("a preview was not shown", error=repr(error))
        add_headers(response, config.admin.url, is_ours=True)
        return response

    return app


class _Visits:
    """Answers visits."""

    def __init__(self, waiting: Awaiting) -> None:
        self._waiting = waiting

    def answer(self, path: str) -> tuple[BaseResponse, bool]:
        """The answer to a visit, and whether it is a page of our own."""
        if path == "robots.txt":
            return Response(_ROBOTS, content_type="text/plain; charset=utf-8"), True
        if _SECRET.fullmatch(path) and (opened := previews.find(path)):
            return self._open(path, opened), True
        secret = request.cookies.get(COOKIE, "")
        shown = previews.find(secret)
        if shown is None:
            return pages.missing(), True
        return self._show(secret, shown, path)

    def _open(self, secret: str, found: OpenPreview) -> BaseResponse:
        """Have the browser keep the secret, and lead it to the page of the entry."""
        previews.note_visit(found)
        if awaiting.request_if_outdated(found):
            found = previews.find(secret) or found
        built = self._waiting.build_of(secret, found)
        if built is None:
            return pages.missing()
        if not_shown := _why_not(built):
            return not_shown
        response = redirect(_address(built), 303)
        response.set_cookie(COOKIE, secret, secure=True, httponly=True, samesite="Lax", path="/")
        # What the scripts of another preview have left in the browser is of another site, perhaps.
        response.headers["Clear-Site-Data"] = '"storage"'
        return response

    def _show(self, secret: str, found: OpenPreview, path: str) -> tuple[BaseResponse, bool]:
        """Answer with a file of the preview; a page is up to date, or says that it is not."""
        if files.is_page(path):
            built = self._waiting.build_of(secret, found)
            if built is None:
                return pages.missing(), True
            if not_shown := _why_not(built):
                return not_shown, True
            found = built
        response = files.send_file(found.entry, path)
        return (response, False) if response is not None else (pages.not_part(_address(found)), True)


def _why_not(found: OpenPreview) -> Response | None:
    """The page that says why a preview is not shown; None if it is."""
    if found.built < found.requested:
        return pages.waiting()
    return pages.fault(found.fault) if found.fault else None


def _address(found: OpenPreview) -> str:
    return "/" + quote(url_path(found.page))

"""The public application: its routes, and what holds for every answer.

Only the routes that are listed here exist. No answer is kept by caches or listed by search engines, and no page runs
scripts or fetches anything from elsewhere.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

from flask import Flask, Response, g, request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import BaseConverter

from appliance import clock, logging
from appliance.config import WebSettings
from appliance.intake.messages import ReadyAnswer, ReadyRequest
from appliance.web import static_files
from appliance.web.proxies import TrustedProxies, is_forwarded
from appliance.web.public import comments, notices, search
from appliance.web.public.measures import MEASURES
from appliance.web.public.pages import Intake, Pages

log = logging.get_logger("web")

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
#: The texts for errors by status.
_ERRORS: Final = {403: "elsewhere", 404: "missing", 405: "method", 413: "too_long", 415: "encoding"}


class _SiteName(BaseConverter):
    """The name of a site in a path."""

    regex = "[a-z0-9][a-z0-9_-]{0,62}"
    part_isolating = True


def create_app(settings: WebSettings, intake: Intake) -> Flask:
    """Return the application, which asks `intake` for everything it cannot know."""
    app = Flask("appliance.web.public", static_folder=None)
    app.config.update(PROVIDE_AUTOMATIC_OPTIONS=False, SEND_FILE_MAX_AGE_DEFAULT=3600)
    app.url_map.converters["site"] = _SiteName
    app.url_map.strict_slashes = True
    app.url_map.redirect_defaults = app.url_map.merge_slashes = False
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.static_folder = "static"
    app.add_url_rule(f"{settings.path}static/<filename>", "static", app.send_static_file)
    app.jinja_env.filters["comment"] = _comment
    app.jinja_env.globals["file"] = static_files.addresses(Path(app.static_folder or ""), f"{settings.path}static/")
    pages = Pages(settings, intake, TrustedProxies.of(settings.trusted_proxies))
    for module in (comments, notices, search):
        module.add_routes(app, pages)
    _add_host_routes(app, pages)
    _add_error_pages(app, pages)

    @app.before_request
    def begin() -> None:
        g.begun = clock.monotonic()

    @app.after_request
    def finish(response: Response) -> Response:
        static = request.endpoint == "static" and response.status_code < 400
        for name, value in _HEADERS.items():
            if not (static and name == "Cache-Control"):
                response.headers.setdefault(name, value)
        if static:
            response.headers["Cache-Control"] = "public, max-age=3600"
        MEASURES.count(request.endpoint or "none", response.status_code, clock.monotonic() - g.begun)
        return response

    return app


def _comment(html: str) -> Markup:
    """The HTML of a comment, sanitised by the intake; the keyboard reaches code that scrolls."""
    return Markup(html.replace("<pre>", '<pre tabindex="0">'))  # noqa: S704


def _add_host_routes(app: Flask, pages: Pages) -> None:
    """Add what is for this host alone: a proxy that passes such a request on gets nothing."""

    def only_here() -> None:
        if is_forwarded(request):
            raise NotFound

    @app.get("/healthz")
    def healthz() -> Response:
        only_here()
        return Response("ok\n", content_type="text/plain; charset=utf-8")

    @app.get("/readyz")
    def readyz() -> Response:
        only_here()
        ready = isinstance(pages.ask(ReadyRequest()), ReadyAnswer)
        return Response("ready\n" if ready else "the intake does not answer\n", 200 if ready else 503,
                        content_type="text/plain; charset=utf-8")  # fmt: skip

    @app.get("/metrics")
    def metrics() -> Response:
        only_here()
        return Response(MEASURES.text(), content_type=MEASURES.CONTENT_TYPE)


def _add_error_pages(app: Flask, pages: Pages) -> None:
    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Response:
        status = error.code or 500
        name = _ERRORS.get(status, "invalid" if status < 500 else "failed")
        response = pages.message(str((request.view_args or {}).get("site", "")), name, status)
        if status == 405 and (methods := getattr(error, "valid_methods", None)):
            response.headers["Allow"] = ", ".join(sorted(methods))
        return response

    @app.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        # Not the values of variables, among which are what readers wrote and where they wrote from.
        where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        log.error("a request failed", error=type(error).__name__, path=request.path, where=where[-3:])
        return pages.message("", "failed", 500)

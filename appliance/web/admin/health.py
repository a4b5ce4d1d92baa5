"""What says whether the admin application works, for the host that it runs on: a proxy gets nothing of it."""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import NotFound

from appliance import db
from appliance.config import Config
from appliance.web.admin import database, guard
from appliance.web.measures import Measures
from appliance.web.proxies import is_forwarded

#: The endpoints that need no database, and go on without it.
WITHOUT_DATABASE: Final = frozenset({"static", "healthz", "readyz", "metrics"})
_TEXT: Final = "text/plain; charset=utf-8"


def add_routes(app: Flask, config: Config) -> None:
    """Add the routes."""

    @guard.route(app, "/healthz", public=True)
    def healthz() -> Response:
        _only_here()
        return Response("ok\n", content_type=_TEXT)

    @guard.route(app, "/readyz", public=True)
    def readyz() -> Response:
        _only_here()
        ready = False
        with db.suppress_unavailable():
            database.begin_request(config)
            ready = True
        if not ready:
            return Response("the database does not answer\n", 503, content_type=_TEXT)
        return Response("ready\n", content_type=_TEXT)

    @guard.route(app, "/metrics", public=True)
    def metrics() -> Response:
        _only_here()
        return Response(Measures.text(), content_type=Measures.CONTENT_TYPE)


def _only_here() -> None:
    if is_forwarded(request):
        raise NotFound

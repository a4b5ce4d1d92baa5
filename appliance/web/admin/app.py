"""The admin application: its parts, and what holds for every request."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Final

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import BadRequest, Forbidden, NotFound
from werkzeug.routing import BaseConverter, IntegerConverter, Map, Rule

from appliance import clock, logging, plan_job
from appliance.actor import Actor, acting
from appliance.config import Config
from appliance.row_ids import LARGEST
from appliance.web import static_files
from appliance.web.admin import csrf, dashboard, database, errors, guard, headers, health, hooks, pages
from appliance.web.admin.authentication import VIA, authenticate
from appliance.web.admin.guard import GuardedRule
from appliance.web.api import routes as api
from appliance.web.measures import Measures
from appliance.web.proxies import TrustedProxies

#: Fields of a form and parts of an upload. The longest form has some dozens.
_PARTS: Final = 500
MEASURES: Final = Measures("appliance_admin", by_method=True)
log = logging.get_logger("admin")


class SiteName(BaseConverter):
    """The name of a site in a path."""

    regex = "[a-z0-9][a-z0-9_-]{0,62}"
    part_isolating = True


class Number(IntegerConverter):
    """The number of a row in a path. There is nothing at one that no database could hold."""

    def __init__(self, map: Map) -> None:
        super().__init__(map, max=LARGEST)

    def to_python(self, value: str) -> int:
        """Return the number; of a longer one than Python reads, one that is too large."""
        return int(super().to_python(value if len(value) < 100 else str(LARGEST + 1)))


class AdminApplication(Flask):
    """A Flask application of which each request has an id and somebody who acts, and whose routes are guarded."""

    url_rule_class: type[Rule] = GuardedRule

    def full_dispatch_request(self) -> Response:
        """Answer a request."""
        g.request_id, g.begun = secrets.token_hex(8), clock.monotonic()
        with ExitStack() as g.scope, structlog.contextvars.bound_contextvars(request=g.request_id):
            try:
                return super().full_dispatch_request()
            finally:
                database.end_request()


def create_app(config: Config) -> Flask:
    """Return the application. The database is opened by the process that answers."""
    app = AdminApplication("appliance.web.admin", static_folder=None)
    app.config.update(
        APPLIANCE=config,
        SITES=[site.name for site in config.sites],
        PROVIDE_AUTOMATIC_OPTIONS=False,
        MAX_CONTENT_LENGTH=config.admin.body,
        MAX_FORM_MEMORY_SIZE=config.admin.body,
        MAX_FORM_PARTS=_PARTS,
    )
    app.url_map.converters |= {"site": SiteName, "int": Number}
    app.url_map.merge_slashes = False
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    _add_checks(app, config)
    _add_static(app)
    errors.add_error_pages(app)
    _mount(app, config)
    return app


def _mount(app: Flask, config: Config) -> None:
    """Add the parts of the application."""
    health.add_routes(app, config)
    hooks.add_routes(app, config)
    pages.add_routes(app, config)
    dashboard.add_routes(app, config)
    api.add_routes(app, config)


def _add_checks(app: Flask, config: Config) -> None:
    proxies = TrustedProxies.of(config.admin.trusted_proxies)

    @app.before_request
    def check() -> None:
        if request.routing_exception is not None:
            return  # raised next, instead of calling a view
        # Not the path: it may hold a one-time link, and the query what somebody searches.
        g.scope.enter_context(logging.bound(method=request.method, route=str(request.url_rule)))
        declaration = guard.declaration_of(request.url_rule)
        if declaration is None:
            guard.log.error("a route does not say who may use it, so nobody may", route=str(request.url_rule))
            raise NotFound
        realm = guard.realm_of(request.path)
        if realm == "browser" and _has_nul():
            raise BadRequest
        if realm == "browser" and csrf.is_foreign(request.method, request.headers.get, config.admin.url):
            raise Forbidden(errors.FOREIGN)
        if request.endpoint in health.WITHOUT_DATABASE:
            return
        database.begin_request(config)
        address = proxies.address_of(request)
        found, g.session = authenticate(request, realm, address)
        actor = found.actor() if found else Actor(via=VIA[realm], address=address, request=g.request_id)
        g.address = address
        g.scope.enter_context(acting(actor))
        g.scope.enter_context(logging.bound(user=actor.name))
        g.scope.enter_context(plan_job.leave_to_workers())
        guard.authorise(declaration, found)

    @app.after_request
    def finish(response: Response) -> Response:
        if response.status_code < 400:
            guard.check_decided()
        is_kept = request.endpoint == "static" and response.status_code in (200, 304) and "v" in request.args
        headers.add_headers(response, is_kept=is_kept)
        response.headers["X-Request-Id"] = g.request_id
        seconds = clock.monotonic() - g.begun
        MEASURES.count(request.endpoint or "none", response.status_code, seconds, method=request.method)
        log.debug("answered", status=response.status_code, milliseconds=round(seconds * 1000))
        return response


_FORM: Final = "application/x-www-form-urlencoded"


def _has_nul() -> bool:
    """Whether an address or a form has a character that PostgreSQL keeps in no text, and that nobody types."""
    # An upload is read by the page that takes it, since it may be longer than a form.
    given = (request.args, request.form) if request.mimetype == _FORM else (request.args,)
    return "\0" in request.path or any("\0" in text for each in given for text in chain(each, *each.listvalues()))


def _add_static(app: Flask) -> None:
    app.static_folder = "static"
    prefix = "/static/"
    guard.route(app, f"{prefix}<path:filename>", public=True, endpoint="static")(app.send_static_file)
    app.jinja_env.globals["file"] = static_files.addresses(Path(app.static_folder or ""), prefix)

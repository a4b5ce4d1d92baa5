"""The routes of the API: one for each operation, and that of the OpenAPI document."""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, Flask, Response, request
from werkzeug.exceptions import Unauthorized
from werkzeug.routing import BaseConverter

from appliance.config import Config
from appliance.web.admin import errors, guard
from appliance.web.api import openapi, reading
from appliance.web.api.dispatch import BASE, Dispatcher
from appliance.web.api.operations import Operation
from appliance.web.api.problems import Problem
from appliance.web.api.resources import operations

#: The variables of paths that are no numbers, as Flask takes them.
_CONVERTERS: Final = {
    "site": "site",
    "kind": "any(author, category, tag)",
    "role_site": "string",
    "target": "string",
    "process": "string",
    "source": "string",
}
_VARIABLE: Final = re.compile(r"\{(\w+)\}")


class RowNumber(BaseConverter):
    """The number of a row in a path.

    One that is too large is for the dispatcher to refuse: werkzeug would take the path for one of other methods.
    """

    regex = r"[1-9]\d{0,9}"

    def to_python(self, value: str) -> int:
        """Return the number."""
        return int(value)


def add_routes(app: Flask, config: Config) -> None:
    """Add the API to the admin application."""
    app.url_map.converters["number"] = RowNumber
    blueprint, dispatcher = Blueprint("api", __name__, url_prefix=BASE), Dispatcher(config)
    for operation in operations():
        _add(blueprint, dispatcher, operation)

    @guard.route(blueprint, "/openapi.json", public=True)
    def document() -> Response:
        response = Response(openapi.document_text(), content_type="application/json")
        response.add_etag()
        response.make_conditional(request)
        return response

    @blueprint.errorhandler(Problem)
    def refuse(problem: Problem) -> Response:
        response = errors.problem(problem.code or 500, str(problem.description), type=problem.type, **problem.members)
        response.headers.update(problem.headers)
        return response

    @blueprint.errorhandler(Unauthorized)
    def ask_for_token(_error: Unauthorized) -> Response:
        detail = "Send a token in the header Authorization: Bearer app_…; the one given is unknown, expired or revoked."
        if not request.authorization:
            detail = "Send a token in the header Authorization: Bearer app_…; a user makes one in the account."
        if reading.has_token_in_query():
            detail = f"{reading.IN_QUERY} Send it in the header Authorization."
        response = errors.problem(401, detail)
        response.headers["WWW-Authenticate"] = 'Bearer realm="appliance"'
        return response

    app.register_blueprint(blueprint)


def _add(blueprint: Blueprint, dispatcher: Dispatcher, operation: Operation) -> None:
    rule = _VARIABLE.sub(lambda name: f"<{_CONVERTERS.get(name[1], 'number')}:{name[1]}>", operation.path)
    guard.route(
        blueprint, rule, action=operation.action, methods=(operation.method,), endpoint=operation.name
    )(dispatcher.view(operation))  # fmt: skip

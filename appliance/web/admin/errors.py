"""What went wrong, said to people as a page and to programs as a problem (RFC 9457).

Guarantees that no answer shows a traceback, a value of a variable or anything of the database, and that whoever has the
answer can name the request by which the log tells more.
"""

from __future__ import annotations

import traceback
from typing import Any, Final
from urllib.parse import quote

from flask import Flask, Response, g, json, redirect, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from appliance import db, logging
from appliance.errors import (
    ApplianceError,
    ConfigError,
    ContentError,
    CursorError,
    DatabaseUnavailable,
    EditConflict,
    FilterError,
    QueueError,
    SignInRefused,
    TimeLimitExceeded,
)
from appliance.web.admin import guard

log = logging.get_logger("admin")

PROBLEM: Final = "application/problem+json"
#: Where those are sent who have not signed in, by what their session still lacks.
_SIGN_IN: Final = {
    "": "/sign-in",
    "second_factor": "/sign-in/second-factor",
    "set_up": "/sign-in/set-up",
}
#: Seconds after which to ask again while the database is away.
_RETRY: Final = "5"

_TEXTS: Final = {
    400: "The request is not complete or not well formed. Go back, and send it again.",
    401: "Nobody is signed in with this request, or not completely. Sign in, and try again.",
    403: "Your roles do not allow this. Ask an administrator of the site if you need it.",
    404: "There is nothing at this address, or nothing that your roles let you see.",
    405: "This address does not answer to that method.",
    408: "The request took too long to arrive. Send it again.",
    409: "Somebody else changed this in the meantime. Load it again, and repeat your change.",
    411: "The request does not say how long it is. Send it with Content-Length.",
    413: "The request is larger than the settings allow.",
    415: "The request has a form that is not understood here.",
    429: "There are too many requests at the moment. Wait a little, and try again.",
    431: "The headers of the request are larger than allowed.",
    500: "The request failed, and the log says why. Try again; if it fails again, name the request to whoever looks"
    " after this installation.",
    503: "The database cannot be used at the moment. Nothing was saved. Try again in a few seconds.",
}
_SLOW: Final = "The request took longer than the settings allow, and was ended. Ask for less, or try again later."
FOREIGN: Final = "This request was not sent from a page of the admin application, so nothing was changed."
#: The statuses of our own errors, the most special first. Their sentences are for whoever uses the application.
_STATUSES: Final[tuple[tuple[type[ApplianceError], int], ...]] = (
    (DatabaseUnavailable, 503),
    (EditConflict, 409),
    (ContentError, 422),
    (CursorError, 400),
    (FilterError, 400),
    (QueueError, 422),
    (SignInRefused, 403),
    (TimeLimitExceeded, 503),
)


def answer(status: int, detail: str = "", **more: Any) -> Response:
    """Say what went wrong: as a page for browsers, as a problem for programs.

    Args:
        status: the status of the answer.
        detail: a sentence; by default that of the status.
        more: further members of a problem.
    """
    detail = detail or _TEXTS.get(status) or _TEXTS[400 if status < 500 else 500]
    if guard.realm_of(request.path) != "browser":
        return problem(status, detail, **more)
    title = HTTP_STATUS_CODES.get(status, "Error")
    page = render_template("error.html", title=title, sentence=detail, request_id=g.get("request_id", ""))
    return Response(page, status, content_type="text/html; charset=utf-8")


def problem(status: int, detail: str, **more: Any) -> Response:
    """A problem, as programs read it."""
    about = {
        "type": "about:blank", "title": HTTP_STATUS_CODES.get(status, "Error"), "status": status, "detail": detail,
        "request": g.get("request_id", ""), **more,
    }  # fmt: skip
    return Response(json.dumps(about) + "\n", status, content_type=PROBLEM)


def add_error_pages(app: Flask) -> None:
    """Answer errors of any kind."""

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> ResponseReturnValue:
        status = error.code or 500
        if error.response is not None or status < 400:  # one of a view's, or a redirect to the right spelling
            return error
        if status == 401 and _is_page():
            return redirect(_sign_in(), 303)
        response = answer(status, _said(error))
        _add_headers(response, error)
        return response

    @app.errorhandler(ApplianceError)
    def explain(error: ApplianceError) -> Response:
        for kind, status in _STATUSES:
            if isinstance(error, kind):
                return _busy(str(error)) if status == 503 else _refused(status, error)
        return fail(error) if isinstance(error, ConfigError) else _refused(422, error)

    @app.errorhandler(Exception)
    def fail(error: Exception) -> Response:
        if db.is_opened() and db.is_over_time(error):
            return _busy(_SLOW)
        if db.is_unavailable(error):
            db.outage.record_loss(error)
            return _busy("")
        # Neither values of variables, among which may be passwords, nor the path, which may hold a one-time link.
        where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        log.error("a request failed", error=type(error).__name__, where=where[-3:])
        return answer(500)


def _refused(status: int, error: ApplianceError) -> Response:
    return answer(status, str(error), exit_status=error.exit_code)


def _busy(detail: str) -> Response:
    response = answer(503, detail)
    response.headers["Retry-After"] = _RETRY
    return response


def _said(error: HTTPException) -> str:
    """The sentence that one of our views gave; not that of the library, which speaks of the protocol."""
    return error.description or "" if error.description != type(error).description else ""


def _is_page() -> bool:
    return request.method == "GET" and guard.realm_of(request.path) == "browser"


def _sign_in() -> str:
    principal = g.get("principal")
    page = _SIGN_IN[principal.pending if principal else ""]
    wanted = request.full_path.rstrip("?")
    return page if wanted == "/" else f"{page}?next={quote(wanted, safe='/')}"


def _add_headers(response: Response, error: HTTPException) -> None:
    if methods := getattr(error, "valid_methods", None):
        response.headers["Allow"] = ", ".join(sorted(methods))
    if response.status_code == 401 and guard.realm_of(request.path) == "api":
        response.headers["WWW-Authenticate"] = 'Bearer realm="appliance"'
    if retry := getattr(error, "retry_after", None):
        response.headers["Retry-After"] = str(retry)

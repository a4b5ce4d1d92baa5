"""Problems: what a caller is told when a request is refused, as JSON (RFC 9457).

The member `type` tells programs what happened, `detail` tells people in a sentence, and `errors` names each wrong field
by a JSON pointer, or a parameter by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

#: What the types of problems begin with. `about:blank` says no more than the status.
_TYPE: Final = "urn:appliance:problem:"


class Problem(HTTPException):
    """A request is refused. `members` are further members of the problem."""

    def __init__(
        self, status: int, detail: str, kind: str = "", headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.code = status
        self.type = f"{_TYPE}{kind}" if kind else "about:blank"
        self.headers = dict(headers or {})
        self.members = members


class NotThere(Problem):
    """The path names something that does not exist, or that the caller may not know of."""

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(404, detail, "not-found", **members)


def invalid(what: str, error: ValidationError) -> Problem:
    """The problem of a body or a query that does not fit its model; `what` is `body`, `query` or `path`."""
    errors = [
        {**_place(what, fault["loc"]), "detail": _sentence(fault)}
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    places = ", ".join(dict.fromkeys(str(fault.get("parameter") or fault.get("pointer") or "/") for fault in errors))
    status = 422 if what == "body" else 400
    return Problem(status, f"The {what} is not as this operation takes it: see {places}.", "invalid", errors=errors)


def _place(what: str, location: Sequence[int | str]) -> dict[str, str]:
    if what == "body":
        return {"pointer": "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in location)}
    return {"parameter": str(location[0]) if location else ""}


def _sentence(fault: Any) -> str:
    message = str(fault["msg"])
    if fault["type"] == "extra_forbidden":
        return "There is no such field; leave it out, or correct its name."
    if fault["type"] == "missing":
        return "This field is needed; give it."
    return f"{message[:1].upper()}{message[1:].rstrip('.')}."

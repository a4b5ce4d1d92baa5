"""The OpenAPI 3.1 document of the API, made from the declarations of the operations."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

import appliance
from appliance.accounts.rights import ACTIONS
from appliance.web.api.operations import Operation
from appliance.web.api.publication_model import EntryStatus
from appliance.web.api.resources import operations

_REF: Final = "#/components/schemas/{model}"
_Mode = Literal["validation", "serialization"]
_Refs = dict[Any, dict[str, Any]]

_ABOUT: Final = (
    "Everything that the shell can do with content, comments, jobs, targets and users. Requests only save and"
    " enqueue; workers plan and build. Send a token as `Authorization: Bearer app_…`. Errors are problems (RFC 9457)"
    " with a sentence in `detail`. Lists are paged by `after` and `next`. An ETag is the version of a thing; If-Match"
    " refuses an edit that is based on an older one. An Idempotency-Key makes a POST or a PATCH happen once, however"
    " often it is sent within a day."
)
#: The variables of paths that are no numbers.
_NAMES: Final[dict[str, dict[str, Any]]] = {
    "site": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$", "description": "The name of the site."},
    "kind": {"enum": ["author", "category", "tag"]},
    "target": {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9:._-]+$"},
    "process": {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9:._-]+$"},
    "source": {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9._-]+$"},
    "role_site": {"type": "string", "pattern": "^([*]|[a-z0-9][a-z0-9_-]{0,62})$", "description": "A site, or `*`."},
}
_NUMBER: Final = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
_ANSWERS: Final = {
    400: "The query or a header is not well formed.",
    401: "There is no token in the header Authorization, or it is unknown, expired or revoked.",
    403: "Your roles, or the scopes of the token, do not allow this.",
    404: "There is no such thing, or no site of that name for you.",
    409: "It was done already, is being done, or is another number than expected.",
    412: "Somebody changed it since the version in If-Match: the problem has `changed_by`, `changed_at` and `current`.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    422: "The body does not fit, or the appliance refuses it: `errors` or `detail` say why.",
    429: "This token has sent too many requests; Retry-After says when to go on.",
    503: "The database cannot be used at the moment; nothing was saved.",
}


class FieldProblem(BaseModel):
    """One wrong field."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class ProblemDetails(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    request: str
    exit_status: int | None = Field(None, description="That of the command which is refused in the same way.")
    errors: list[FieldProblem] | None = None


@cache
def document_text() -> str:
    """Return the document as JSON, made for the first who asks: that takes longer than all else of the application."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> dict[str, Any]:
    """Return the document."""
    refs, schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for one in operations():
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Publishing appliance", "version": appliance.__version__, "description": _ABOUT},
        "servers": [{"url": "/api/v1"}],
        "security": [{"token": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(one.tag for one in operations())],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {str(status): _problem(detail, refs) for status, detail in _ANSWERS.items()},
        },
    }


def _schemas() -> tuple[_Refs, dict[str, Any]]:
    wanted: dict[tuple[type[BaseModel], _Mode], None] = {
        (ProblemDetails, "validation"): None, (EntryStatus, "serialization"): None,
    }  # fmt: skip
    for one in operations():
        if one.body is not None:
            wanted[one.body, "validation"] = None
        if one.answer is not None:
            wanted[one.answer, "serialization"] = None
    refs, found = models_json_schema(list(wanted), ref_template=_REF)
    return refs, found["$defs"]


def _operation(one: Operation, refs: _Refs) -> dict[str, Any]:
    described = {
        "operationId": one.name, "tags": [one.tag], "summary": one.summary,
        "parameters": [*_path_parameters(one), *_query_parameters(one), *_header_parameters(one)],
        "responses": _responses(one, refs),
    }  # fmt: skip
    if one.description:
        described["description"] = one.description
    if one.action is not None:
        described["x-action"] = one.action
        described["x-roles"] = sorted(ACTIONS[one.action].roles | ACTIONS[one.action].own)
    if one.takes_file:
        described["requestBody"] = _FILE
    elif one.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": refs[one.body, "validation"]}},
        }
    return described


_BYTES: Final = {"type": "string", "format": "binary"}
_FILE: Final = {
    "required": True,
    "content": {
        "application/octet-stream": {"schema": _BYTES},
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"file": _BYTES}, "required": ["file"]},
        },
    },
}


def _path_parameters(one: Operation) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in one.path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": _NAMES.get(name, _NUMBER)} for name in names]


def _query_parameters(one: Operation) -> list[dict[str, Any]]:
    if one.query is None:
        return []
    schema = one.query.model_json_schema(ref_template=_REF)
    return [
        {
            "name": name, "in": "query", "required": name in schema.get("required", ()),
            "description": about.get("description", ""), "schema": _without_null(about),
        }
        for name, about in schema["properties"].items()
    ]  # fmt: skip


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of a parameter, which may be left out but not be null."""
    kept = {key: value for key, value in schema.items() if key not in ("anyOf", "description", "title", "default")}
    if "anyOf" in schema:
        (other,) = [each for each in schema["anyOf"] if each != {"type": "null"}]
        return {**other, **kept}
    return kept | ({"default": schema["default"]} if schema.get("default") not in (None, "", []) else {})


def _header_parameters(one: Operation) -> list[dict[str, Any]]:
    headers = []
    if one.is_conditional:
        headers.append(("If-Match", "The ETag of what the edit is based on. Without it the last edit wins."))
    if one.is_repeatable:
        headers.append(("Idempotency-Key", "A name of yours for this request: sent again, it is not done again."))
    if one.may_wait:
        headers.append(("Prefer", "`wait=10` answers once every front end shows the change; `respond-async` at once."))
    return [
        {"name": name, "in": "header", "required": False, "description": about, "schema": {"type": "string"}}
        for name, about in headers
    ]


def _responses(one: Operation, refs: _Refs) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Done." if one.status != 202 else "It will be done."}
    if one.answer is not None:
        success["content"] = {"application/json": {"schema": refs[one.answer, "serialization"]}}
    headers = {"ETag": "The version."} if one.has_version else {}
    headers |= {"Location": "The new thing."} if one.status == 201 else {}
    if headers:
        success["headers"] = {
            name: {"description": told, "schema": {"type": "string"}} for name, told in headers.items()
        }
    found = {str(one.status): success}
    if one.may_wait:
        status = refs[EntryStatus, "serialization"]
        found["202"] = {
            "description": "Saved, and not readable everywhere yet; how far it is.",
            "content": {"application/json": {"schema": status}},
        }
    if one.has_version and one.method == "GET":
        found["304"] = {"description": "It still has the version in If-None-Match."}
    return found | {str(status): {"$ref": f"#/components/responses/{status}"} for status in _problems_of(one)}


def _problems_of(one: Operation) -> list[int]:
    found = {400, 401, 403, 429, 503}
    fields = one.query.model_fields if one.query is not None else {}
    looks_up = "reference" in fields or any(field.is_required() for field in fields.values())
    found |= {404} if "{" in one.path or one.method != "GET" or looks_up else set()
    found |= {409} if one.is_repeatable else set()
    found |= {412} if one.is_conditional else set()
    found |= {413, 415} if one.body is not None or one.takes_file else set()
    found |= {422} if one.method != "GET" or one.query is not None else set()
    return sorted(found)


def _problem(detail: str, refs: _Refs) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": refs[ProblemDetails, "validation"]}}
    return {"description": detail, "content": content}

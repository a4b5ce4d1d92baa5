"""Generates the reference page of the JSON API from the declarations of its operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from appliance.accounts.rights import ACTIONS, ROLES
from appliance.web.api import openapi
from appliance.web.api.dispatch import BASE, MOST_CHANGES, MOST_REQUESTS
from appliance.web.api.operations import Operation
from appliance.web.api.resources import operations
from devtools.reference_tables import GENERATED_NOTICE

_TITLES: Final = {
    "sites": "Sites", "entries": "Entries and pages", "comments": "Comments and bans",
    "terms": "Authors, categories, tags",
    "assets": "Uploaded files", "previews": "Links to previews", "jobs": "Jobs",
    "queue": "Jobs of all sites", "sources": "Sources",
    "targets": "Targets",
    "pages": "Pages", "processes": "Processes", "periodic": "Periodic tasks", "status": "Status",
    "users": "Users",
    "tokens": "Your account and tokens", "audit": "Audit",
}  # fmt: skip


def page() -> str:
    """Return the page: what holds for all operations, then each with its parameters and fields."""
    described = openapi.document()
    parts = [f"{GENERATED_NOTICE}\n\n# JSON API", *_about()]
    chapter = ""
    for one in operations():
        if one.tag != chapter:
            chapter = one.tag
            parts.append(f"## {_TITLES[chapter]}")
        parts += _operation(one, described)
    return "\n\n".join(parts) + "\n"


def _about() -> Iterator[str]:
    yield (
        f"The API is below `{BASE}` of the admin application's address. `GET {BASE}/openapi.json` has all of this as"
        " an OpenAPI 3.1 document, for generators of clients. [Using the API](../how-to/use-the-api.md) shows examples."
    )
    yield "\n".join(
        [
            "- **Token**: `Authorization: Bearer app_…`, never in an address. It has at most the rights of its user.",
            "- **Errors** are `application/problem+json` (RFC 9457): `detail` is a sentence, `type` is for programs,"
            " and `errors` names wrong fields by `pointer` or `parameter`. `request` is the id that the log has.",
            "- **Lists** have `rows` and `next`. Ask again with `after=NEXT` until `next` is null; the header Link has"
            " the whole address. A page may have fewer rows than `size` although more follow.",
            "- **Versions**: an ETag is the version of a thing. An edit with `If-Match` that is based on an older one"
            " is refused with 412, and told who changed it, when, and how it is now. Without If-Match the last edit"
            " wins.",
            "- **Repeating**: a POST with an `Idempotency-Key` is carried out once, however often it is sent within a"
            " day. The answer is that of the first time, with `Idempotent-Replayed: true`.",
            "- **Waiting**: an edit is answered once it is saved and enqueued. With `Prefer: wait=10` it is answered"
            " once every front end shows it, or after that time with 202 and how far it is; with"
            " `Prefer: respond-async` at once with 202. The header Link has the address of the status.",
            f"- **Rates**: a token may send {MOST_REQUESTS:,} requests a minute to each worker process, of which"
            f" {MOST_CHANGES} may change something; beyond that the answer is 429 with Retry-After.",
        ]
    )


def _operation(one: Operation, described: dict[str, Any]) -> Iterator[str]:
    about = described["paths"][one.path][one.method.lower()]
    yield f"### `{one.method} {one.path}`"
    yield " ".join(filter(None, (one.summary, one.description)))
    yield _rights(one)
    rows = [_row(p["name"], p["schema"], p["required"], p.get("description", "")) for p in about["parameters"]
            if p["in"] == "query"]  # fmt: skip
    if rows:
        yield "\n".join(["| parameter | type | meaning |", "|---|---|---|", *rows])
    schema = about.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if schema:
        fields = _resolved(schema, described)
        needed = fields.get("required", ())
        body = [_row(name, each, name in needed, each.get("description", "")) for name, each in
                fields["properties"].items()]  # fmt: skip
        yield "\n".join(["| field | type | meaning |", "|---|---|---|", *body])
    yield _answer(one, about)


def _rights(one: Operation) -> str:
    action = ACTIONS[one.action or "site.read"]
    where = {"site": "on the site", "installation": "on all sites", "self": ""}[action.scope]
    roles = ", ".join(role for role in ROLES if role in action.roles)
    own = ", ".join(role for role in ROLES if role in action.own)
    own = f"; {own} with entries of their own" if own else ""
    return f"Right `{one.action}`: {f'{roles} {where}{own}' if roles else 'everybody'}."


def _answer(one: Operation, about: dict[str, Any]) -> str:
    problems = [status for status in about["responses"] if status.startswith("4")]
    what = one.answer.__name__.replace("[", " of ").rstrip("]") if one.answer else "nothing"
    headers = " and ".join(
        name for name, has in (("ETag", one.has_version), ("Location", one.status == 201)) if has
    )  # fmt: skip
    return f"Answers {one.status} with {what}{f' and {headers}' if headers else ''}, or {', '.join(problems)}."


def _resolved(schema: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _row(name: str, schema: dict[str, Any], is_required: bool, meaning: str) -> str:
    text = f"{meaning} " if meaning else ""
    return f"| `{name}` | {_type(schema)} | {text}{'Must be given.' if is_required else ''} |".replace("  |", " |")


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]  # type: ignore[no-any-return]
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false",
             "object": "object", "null": "null"}  # fmt: skip
    return names.get(str(schema.get("type")), "any")

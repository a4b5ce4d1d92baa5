"""Reading requests: query, body, file and headers, each within its limits and checked against a model."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from appliance.config import Config
from appliance.web.api import request_keys
from appliance.web.api.operations import Call, Operation, ReceivedFile
from appliance.web.api.problems import Problem, invalid

_JSON: Final = ("application/json", "application/merge-patch+json")
#: What an upload may have beside the file itself.
_AROUND: Final = 65_536
_CHUNK: Final = 1 << 16
_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e]*)"')
_KEY: Final = re.compile(rf"[\x21-\x7e]{{1,{request_keys.LONGEST_KEY}}}")
#: How tokens begin.
_TOKEN: Final = "app_"  # noqa: S105 - no secret
IN_QUERY: Final = (
    "A token never belongs into an address, which logs and histories keep; revoke the one in this address, and make"
    " another."
)


def refuse_token_in_query() -> None:
    """Refuse a request with a token in its address, where logs and histories keep it.

    Raises:
        Problem: there is one.
    """
    if has_token_in_query():
        raise Problem(400, IN_QUERY, "token-in-query")


def has_token_in_query() -> bool:
    """Whether the address of the request has a token in it."""
    names = {"token", "access_token", "api_key"}
    return any(name in names or value.startswith(_TOKEN) for name, value in request.args.items(multi=True))


def read_query(operation: Operation) -> BaseModel | None:
    """Return the query.

    Raises:
        Problem: it does not fit its model.
    """
    given: dict[str, Any] = {}
    fields = operation.query.model_fields if operation.query else {}
    for name in request.args:
        values = request.args.getlist(name)
        is_list = name in fields and "list" in str(fields[name].annotation)
        if len(values) > 1 and not is_list:
            raise Problem(400, f"The parameter “{name[:50]}” is given more than once; give it once.", "invalid")
        given[name] = values if is_list else values[0]
    _refuse_unprintable(given, "query")
    if operation.query is None and given:
        raise Problem(400, f"This operation has no parameter “{next(iter(given))[:50]}”; leave it out.", "invalid")
    return _validated(operation.query, given, "query") if operation.query else None


def read_body(operation: Operation) -> BaseModel | None:
    """Return the body.

    Raises:
        Problem: it is no JSON, is too long or does not fit its model.
    """
    if operation.body is None:
        return None
    if request.mimetype not in _JSON:
        raise Problem(415, "Send the body as JSON, with Content-Type: application/json.", "media-type")
    try:
        given = json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise Problem(400, "The body is no JSON in UTF-8; correct it.", "no-json") from error
    _refuse_unprintable(given, "body")
    return _validated(operation.body, given, "body")


def _validated(model: type[BaseModel], given: Any, what: str) -> BaseModel:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid(what, error) from error


def _refuse_unprintable(given: Any, what: str) -> None:
    """Refuse text that no database and no page can hold."""
    for text in _texts(given):
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            status = 422 if what == "body" else 400
            raise Problem(status, f"The {what} has a character that no text can have; remove it.", "invalid")


def _texts(given: Any) -> Iterator[str]:
    waiting = [given]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one


def read_versions() -> tuple[str, ...] | None:
    """Return the versions that If-Match names; None without the header, `("*",)` for any.

    Raises:
        Problem: the header is none.
    """
    header = request.headers.get("If-Match")
    if header is None:
        return None
    if header.strip() == "*":
        return ("*",)
    parts = [part.strip() for part in header.split(",")]
    found = [_TAG.fullmatch(part) for part in parts]
    if not all(found):
        raise Problem(400, 'If-Match is not well formed; send the ETag of what you read, such as "1f00a2".', "invalid")
    # A weak tag matches nothing.
    return tuple(f"{tag[1] or ''}{tag[2]}" for tag in found if tag)


def read_key(operation: Operation) -> str | None:
    """Return the Idempotency-Key of a request, if it has one.

    Raises:
        Problem: it is not well formed.
    """
    key = request.headers.get("Idempotency-Key") if operation.is_repeatable else None
    if key is not None and not _KEY.fullmatch(key):
        raise Problem(
            400, f"The Idempotency-Key has to be 1 to {request_keys.LONGEST_KEY} visible characters; a UUID is.",
            "invalid",
        )  # fmt: skip
    return key


def digest(operation: Operation, path: Mapping[str, Any], call: Call) -> str:
    """Return the digest of what a request asks for, so that its key is not used for something else."""
    body = call.received.file.read_bytes() if call.received else request.get_data()
    query = json.dumps(sorted(request.args.items(multi=True)))
    return request_keys.digest_of(operation.name.encode(), json.dumps(path).encode(), query.encode(), body)


def receive(config: Config, stack: ExitStack) -> ReceivedFile:
    """Return the file that is sent: the part `file` of a form, or the whole body. It is gone when `stack` ends.

    Raises:
        Problem: there is none, or it is too large.
    """
    limit = config.admin.upload
    request.max_content_length = limit + _AROUND
    file = Path(_temporary(config, stack))
    try:
        if request.mimetype == "multipart/form-data":
            sent = request.files.get("file")
            if sent is None or len(request.files) != 1:
                raise Problem(422, "Send one file, as the part “file” of the form.", "invalid")
            name, stream = sent.filename or "", sent.stream
        else:
            name, stream = "", request.stream
        with file.open("wb") as copy:
            _copy(stream, copy, limit)
    except RequestEntityTooLarge as error:
        raise _too_large(limit) from error
    return ReceivedFile(file, name)


def _temporary(config: Config, stack: ExitStack) -> str:
    config.assets_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    number, name = tempfile.mkstemp(prefix=".sent-", dir=config.assets_folder)
    os.close(number)
    stack.callback(Path(name).unlink, missing_ok=True)
    return name


def _copy(stream: IO[bytes], copy: IO[bytes], limit: int) -> None:
    size = 0
    while chunk := stream.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        copy.write(chunk)


def _too_large(limit: int) -> Problem:
    return Problem(413, f"The file is larger than {limit:,} bytes; make it smaller.", "too-large")

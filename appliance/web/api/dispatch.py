"""The way of a request through the API: checked, carried out, answered as its operation declares.

Guarantees that a handler gets only what fits the models of its operation, that what is answered fits them too, and that
nothing is planned or built inside a request.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final
from urllib.parse import urlencode

from flask import Response, g, request
from pydantic import BaseModel, ValidationError

from appliance import plan_job
from appliance.config import Config
from appliance.editorial import publication
from appliance.errors import AccountError, ContentError, DeliveryError, EditConflict, QueueError
from appliance.intake.rates import Rates
from appliance.row_ids import LARGEST
from appliance.web.admin import guard
from appliance.web.api import reading, request_keys
from appliance.web.api.operations import OPERATIONS, Answer, Call, Operation
from appliance.web.api.preferences import Preference, read_preference
from appliance.web.api.problems import NotThere, Problem
from appliance.web.api.publication_model import EntryStatus
from appliance.web.api.request_keys import StoredAnswer
from appliance.web.api.waiting import Waiting

BASE: Final = "/api/v1"
#: Requests of one token in a minute that each worker process lets through, and those that change something.
MOST_REQUESTS: Final = 1_200
MOST_CHANGES: Final = 600
#: The header that tells of an edit which left everything as it was.
UNCHANGED: Final = "Appliance-Changed"
_JSON: Final = "application/json"


class Dispatcher:
    """Answers requests to operations."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._rates = Rates()
        self._limits = {"requests": MOST_REQUESTS, "changes": MOST_CHANGES}
        self._waiting = Waiting(config.admin.threads)

    def view(self, operation: Operation) -> Callable[..., Response]:
        """Return the view of an operation."""

        def view(**path: Any) -> Response:
            with ExitStack() as stack:
                stack.enter_context(plan_job.leave_to_workers())
                return self._respond(operation, path, stack)

        return view

    def _respond(self, operation: Operation, path: Mapping[str, Any], stack: ExitStack) -> Response:
        reading.refuse_token_in_query()
        if any(isinstance(value, int) and value > LARGEST for value in path.values()):
            raise NotThere("There is nothing with so large a number.")
        self._limit(operation)
        key = reading.read_key(operation)
        call = self._call(operation, path, stack)
        entries: list[int] = []

        def perform() -> StoredAnswer:
            answer = self._perform(operation, call)
            if answer.entry is not None and answer.changed:
                entries.append(answer.entry)
            return _stored(operation, answer)

        if key is None:
            stored, is_replayed = perform(), False
        else:
            stored, is_replayed = request_keys.perform_once(
                guard.principal().user, key, reading.digest(operation, path, call), perform,
                is_transaction=operation.is_transaction, keeps=not operation.has_secret,
            )  # fmt: skip
        if operation.may_wait and entries:
            stored = self._after_change(call, stored, entries[0])
        response = Response(stored.body, stored.status, dict(stored.headers))
        if not stored.body:
            response.headers.pop("Content-Type", None)
        if is_replayed:
            g.owed = None  # decided when this user was answered first
            response.headers["Idempotent-Replayed"] = "true"
        if request.method in ("GET", "HEAD") and stored.status == 200:
            response.make_conditional(request)
        return response

    def _limit(self, operation: Operation) -> None:
        who = guard.principal()
        kinds = ["requests"] if operation.method == "GET" else ["requests", "changes"]
        for kind in kinds:
            wait = self._rates.take((kind, who.user, who.token), self._limits[kind])
            if wait:
                raise Problem(
                    429, f"This token has sent more than {self._limits[kind]} {kind} in a minute; wait {wait:.0f} s.",
                    "too-many", {"Retry-After": str(int(wait) + 1)},
                )  # fmt: skip

    def _call(self, operation: Operation, path: Mapping[str, Any], stack: ExitStack) -> Call:
        query = reading.read_query(operation)
        received = reading.receive(self._config, stack) if operation.takes_file else None
        body = None if operation.takes_file else reading.read_body(operation)
        versions = reading.read_versions() if operation.is_conditional else None
        preference = read_preference(request.headers.get("Prefer")) if operation.may_wait else Preference()
        return Call(self._config, guard.principal(), path, query, body, versions, preference, received)

    def _perform(self, operation: Operation, call: Call) -> Answer:
        try:
            return operation.handler(call)
        except EditConflict as error:
            raise _conflict(operation, call, error) from error
        except (ContentError, AccountError, QueueError, DeliveryError) as error:
            raise Problem(422, str(error), "refused", exit_status=error.exit_code) from error

    def _after_change(self, call: Call, stored: StoredAnswer, entry: int) -> StoredAnswer:
        """Wait as the caller prefers, and say where to see how far the change is."""
        place = f"{BASE}/sites/{call.site}/entries/{entry}/status"
        headers = {**stored.headers, "Link": f'<{place}>; rel="status"'}
        wanted = call.preference
        if not wanted.responds_async and wanted.wait is None:
            return StoredAnswer(stored.status, headers, stored.body)
        headers["Preference-Applied"] = "respond-async" if wanted.responds_async else f"wait={wanted.wait}"
        if wanted.wait and self._waiting.until_readable(self._config, call.site, entry, wanted.wait):
            return StoredAnswer(stored.status, headers, stored.body)
        status = EntryStatus.model_validate(publication.read_publication(self._config, call.site, entry))
        made = {name: value for name, value in headers.items() if name != "ETag"}
        if "Location" in made:
            made["Content-Location"] = place
        else:
            made["Location"] = place
        return StoredAnswer(202, {**made, "Content-Type": _JSON}, status.model_dump_json().encode())


def _stored(operation: Operation, answer: Answer) -> StoredAnswer:
    headers, body = {} if answer.changed else {UNCHANGED: "?0"}, b""
    if operation.answer is not None:
        headers["Content-Type"] = _JSON
        body = _dump(operation.answer, answer.value)
    if answer.version is not None:
        headers["ETag"] = f'"{answer.version}"'
    if answer.location:
        headers["Location"] = f"{BASE}{answer.location}"
    if operation.is_list and (after := getattr(answer.value, "next", None)):
        pairs = [(name, value) for name, value in request.args.items(multi=True) if name != "after"]
        headers["Link"] = f'<{request.path}?{urlencode([*pairs, ("after", after)])}>; rel="next"'
    return StoredAnswer(answer.status or operation.status, headers, body)


def _dump(model: type[BaseModel], value: Any) -> bytes:
    try:
        return model.model_validate(value, from_attributes=True).model_dump_json().encode() + b"\n"
    except ValidationError as error:  # no fault of the caller
        raise RuntimeError(f"an answer is no {model.__name__}: {error}") from error


def _conflict(operation: Operation, call: Call, error: EditConflict) -> Problem:
    """The problem of an edit of an older version: who changed it, and how it is now."""
    reads = next((one for one in OPERATIONS if one.method == "GET" and one.path == operation.path), None)
    members: dict[str, Any] = {"expected_version": (call.versions or ("",))[0]}
    headers = {}
    if reads is not None and reads.answer is not None:
        answer = reads.handler(call)
        members["current"] = json.loads(_dump(reads.answer, answer.value))
        members["current_version"] = answer.version
        headers["ETag"] = f'"{answer.version}"'
    g.owed = None
    return Problem(412, str(error), "edit-conflict", headers, changed_by=error.by, changed_at=error.at, **members)

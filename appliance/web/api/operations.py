"""Operations of the API, each declared once with everything that a route, a check or a document needs to know of it.

    @operation("GET", "/sites/{site}/entries/{entry}", "entry.read", answer=EntryDetails)
    def read_entry(call: Call) -> Answer:
        '''Return an entry.'''

The route, the check of what is sent and the OpenAPI document follow from the declaration, so none of them can differ
from the others. What a handler returns is checked against the model of the answer as well.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel

from appliance.accounts.principal import Principal
from appliance.config import Config
from appliance.errors import ApplianceError
from appliance.web.api.preferences import Preference
from appliance.web.api.problems import NotThere

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that was sent, stored under a temporary name."""

    file: Path
    #: The name that the sender gives it; empty if it gives none.
    name: str


@dataclass(frozen=True)
class Call:
    """One call of an operation, checked. Without such a parameter, `query` and `body` are None."""

    config: Config
    principal: Principal
    #: The variables of the path.
    path: Mapping[str, Any]
    query: Any = None
    body: Any = None
    #: The versions that If-Match names; None without it, `("*",)` for any.
    versions: tuple[str, ...] | None = None
    preference: Preference = field(default_factory=Preference)
    received: ReceivedFile | None = None

    @property
    def site(self) -> str:
        """The site that the path names."""
        return str(self.path["site"])

    def may(self, action: str, *, owns: bool = False) -> bool:
        """Whether the caller may take an action on the site of the path."""
        return self.principal.may(action, self.site, owns=owns)

    def expected(self, current: str) -> str | None:
        """The version that the edit is based on, for the commands of `editorial`."""
        if self.versions is None or "*" in self.versions:
            return None
        return current if current in self.versions else self.versions[0]


@dataclass(frozen=True)
class Answer:
    """What a handler returns."""

    #: What the model of the answer is made from; None for an answer without a body.
    value: Any = None
    #: The version of what is answered.
    version: str | None = None
    #: Where a new thing is, below the API.
    location: str = ""
    #: 200, or that of the operation.
    status: int | None = None
    #: The entry whose publication a caller may wait for.
    entry: int | None = None
    #: Whether anything changed, so that there is something to wait for.
    changed: bool = True


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Operation:
    """An operation and all that is declared of it."""

    name: str
    method: Method
    #: Below /api/v1, with variables in braces.
    path: str
    #: The action of the table of rights; None for everybody.
    action: str | None
    handler: Handler
    #: In one sentence.
    summary: str
    #: The rest, as Markdown.
    description: str
    tag: str
    answer: type[BaseModel] | None
    query: type[BaseModel] | None
    body: type[BaseModel] | None
    status: int
    #: Whether the answer has a version as its ETag.
    has_version: bool
    #: Whether If-Match is obeyed.
    is_conditional: bool
    #: Whether the caller may wait until a change can be read by everybody.
    may_wait: bool
    #: Whether a file is sent.
    takes_file: bool
    #: Whether the answer has a secret that is shown once and never stored.
    has_secret: bool
    #: Whether it is one transaction, with the stored answer for a repeated request.
    is_transaction: bool

    @property
    def is_list(self) -> bool:
        """Whether it answers a page of a list."""
        return self.query is not None and "after" in self.query.model_fields

    @property
    def is_repeatable(self) -> bool:
        """Whether an Idempotency-Key is obeyed."""
        return self.method in ("POST", "PATCH")


#: All operations, in the order of the documents.
OPERATIONS: Final[list[Operation]] = []


def operation(
    method: Method, path: str, action: str | None, *, answer: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None, body: type[BaseModel] | None = None, status: int = 0,
    has_version: bool = False, is_conditional: bool = False, may_wait: bool = False, takes_file: bool = False,
    has_secret: bool = False, is_transaction: bool = True,
) -> Callable[[Handler], Handler]:  # fmt: skip
    """Declare an operation; the docstring of the handler describes it, and its module is its chapter.

    `status` is that of success, by default 200, or 204 for an answer without a body. See `Operation` for the others.
    """

    def declare(handler: Handler) -> Handler:
        summary, _, description = (inspect.getdoc(handler) or "").partition("\n")
        OPERATIONS.append(
            Operation(
                name=handler.__name__,
                method=method,
                path=path,
                action=action,
                handler=handler,
                summary=summary,
                description=" ".join(description.split()),
                tag=handler.__module__.rpartition(".")[2],
                answer=answer,
                query=query,
                body=body,
                status=status or (204 if answer is None else 200),
                has_version=has_version,
                is_conditional=is_conditional,
                may_wait=may_wait,
                takes_file=takes_file,
                has_secret=has_secret,
                is_transaction=is_transaction,
            )
        )
        return handler

    return declare


def found(read: Callable[[], Any]) -> Any:
    """Return what the path names.

    Raises:
        NotThere: there is no such thing.
    """
    try:
        return read()
    except ApplianceError as error:
        raise NotThere(str(error), exit_status=error.exit_code) from error

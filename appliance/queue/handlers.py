"""The kinds of jobs and their handlers, each with its own retry policy. Publishing is one of them.

A kind is registered in one of two ways:

- `@handler("mail", …)` on a function of one job. It takes the job's payload and context and returns "changed" or
  "unchanged", or raises.
- `registry.add("publish", make)` for a kind that works on batches and ends its jobs in its own transaction.

A function of one job starts only while its lease is held and freshly renewed; the worker's heartbeat renews it from
then on. The end of the job is committed as soon as the function returns. Effects outside the database happen at least
once: a worker that is killed before that commit leaves the job to be run again. Such a function must therefore be
idempotent, or mark its effect so that the other side can recognise it (the Message-ID of a mail).

Jobs of an unregistered kind are left alone: another release, or another host, may know them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from appliance import logging
from appliance.config import Config
from appliance.errors import QueueError
from appliance.queue import store
from appliance.queue.retry import RetryPolicy
from appliance.queue.store import Claim
from appliance.queue.worker import Batch, JobKind

#: The result of a run: something was done, or there was nothing to do.
Outcome = Literal["changed", "unchanged"]

#: The JSON object that the job was enqueued with; empty if there is none.
Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JobContext:
    """The run that a handler is called for."""

    config: Config
    kind: str
    key: str
    scope: str
    #: The number of this run of the job, from 1. Released runs count.
    attempt: int


#: A handler of one job.
Perform = Callable[[Payload, JobContext], Outcome]


@dataclass(frozen=True)
class _Registered:
    make: Callable[[Config], JobKind]
    slow: bool


@dataclass
class Registry:
    """Kinds by name."""

    _kinds: dict[str, _Registered] = field(default_factory=dict)

    def handler(
        self, name: str, *, retry: RetryPolicy | None = None, batch: int = 1, slow: bool = True
    ) -> Callable[[Perform], Perform]:
        """Register the decorated function as the handler of a kind, for one job at a time.

        Args:
            name: the name of the kind.
            retry: the retry policy.
            batch: how many jobs of a claim to run; the others are released at once.
            slow: whether the handler waits for other machines. Such kinds have a worker of their own, so that they
                never delay publishing.
        """

        def register(perform: Perform) -> Perform:
            def make(config: Config) -> JobKind:
                return JobKind(name, _OneByOne(config, perform, batch).perform, retry or RetryPolicy())

            self.add(name, make, slow=slow)
            return perform

        return register

    def add(self, name: str, make: Callable[[Config], JobKind], *, slow: bool = False) -> None:
        """Register a kind that works on batches. Each worker that runs it calls `make`.

        Raises:
            QueueError: the name is taken.
        """
        if name in self._kinds:
            raise QueueError(f"the kind “{name}” is registered twice; give each its own name")
        self._kinds[name] = _Registered(make, slow)

    def names(self, *, slow: bool | None = None) -> list[str]:
        """The names of all kinds, or only of those that are slow or not slow."""
        return sorted(name for name, known in self._kinds.items() if slow in (None, known.slow))

    def kinds(self, config: Config, *, slow: bool | None = None) -> list[JobKind]:
        """The kinds, made for a worker."""
        return [self._kinds[name].make(config) for name in self.names(slow=slow)]


#: The kinds of this installation.
registry = Registry()
handler = registry.handler


class _OneByOne:
    """Adapts a handler of one job to the batches of the worker loop."""

    def __init__(self, config: Config, perform: Perform, batch: int) -> None:
        self._config = config
        self._perform = perform
        self._batch = batch

    def perform(self, claims: Sequence[Claim], batch: Batch) -> None:
        """Run the handler for the first claims, each with a fresh lease."""
        # The other claims are released first, so that they do not wait for these.
        store.release(claims[self._batch :])
        for claim in claims[self._batch :]:
            batch.open_claims.pop(claim.id)
        for claim in claims[: self._batch]:
            if batch.is_stopping():
                return
            self._do(claim, batch)

    def _do(self, claim: Claim, batch: Batch) -> None:
        if not store.heartbeat([claim], batch.settings.lease):
            batch.open_claims.pop(claim.id, None)  # another worker has it by now
            return
        context = JobContext(self._config, claim.kind, claim.key, claim.scope, claim.attempt)
        try:
            with logging.bound(job=claim.id, attempt=claim.attempt):
                outcome = self._perform(_payload(claim), context)
        except Exception as error:  # one job's failure is its own
            batch.fail(claim, error)
        else:
            batch.complete([claim], lambda held: dict.fromkeys(held, outcome))


def _payload(claim: Claim) -> Payload:
    found = json.loads(claim.payload) if claim.payload else {}
    if not isinstance(found, dict):
        raise QueueError(f"job {claim.id}: its payload is no JSON object; delete the job and enqueue it again")
    return found

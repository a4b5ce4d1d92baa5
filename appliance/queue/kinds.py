"""The kinds of work there are, by name, each with its own retry policy; publishing is one of them.

A kind is registered in one of two forms:

- `@kind("mail", …)` on a function of one job. It takes the job's payload and says 'changed' or 'unchanged', or raises.
- `registry.add("publish", make)` for a kind that works on a batch at once and ends its jobs inside its own transaction.

Guarantees for functions of one job: it begins only while its lease is held, freshly renewed (the worker's heartbeat
renews it from then on), and its end is committed as soon as it returns. What it does outside the database is done at
least once: a worker that is killed between the effect and that commit leaves the job to be done again. Such a function
must therefore be harmless when repeated, or mark what it does so that the other side can tell (a mail's Message-ID).

Jobs of a kind that is not registered are left alone: another release, or another host, may know it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from appliance.config import Config
from appliance.errors import QueueError
from appliance.queue import store
from appliance.queue.retry import RetryPolicy
from appliance.queue.store import Claim
from appliance.queue.worker import Desk, Kind

#: What a run came to: something was done, or there was nothing to do.
Outcome = Literal["changed", "unchanged"]

#: What a job was asked for with: the object of its JSON payload, empty when it has none.
Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Errand:
    """One run of one job, as its function sees it."""

    config: Config
    kind: str
    key: str
    scope: str
    #: Which run of the job this is, from 1; runs that were given back count.
    attempt: int


#: The code of a kind that does one job at a time.
Perform = Callable[[Payload, Errand], Outcome]


@dataclass(frozen=True)
class _Registered:
    make: Callable[[Config], Kind]
    apart: bool


@dataclass
class Registry:
    """Kinds by name."""

    _kinds: dict[str, _Registered] = field(default_factory=dict)

    def kind(
        self, name: str, *, retry: RetryPolicy | None = None, batch: int = 1, apart: bool = True
    ) -> Callable[[Perform], Perform]:
        """Register the function below as a kind that does one job at a time.

        Args:
            name: what the kind is called on the queue.
            retry: when a run that raised is tried again.
            batch: jobs taken of one claim; the rest is given back for others.
            apart: it may take long (it waits for other machines), so workers that publish leave it to one that does
                not.
        """

        def register(perform: Perform) -> Perform:
            def make(config: Config) -> Kind:
                return Kind(name, _OneByOne(config, perform, batch).perform, retry or RetryPolicy())

            self.add(name, make, apart=apart)
            return perform

        return register

    def add(self, name: str, make: Callable[[Config], Kind], *, apart: bool = False) -> None:
        """Register a kind that works on batches; `make` is called in each worker that takes it.

        Raises:
            QueueError: the name is taken.
        """
        if name in self._kinds:
            raise QueueError(f"the kind “{name}” is registered twice; give each its own name")
        self._kinds[name] = _Registered(make, apart)

    def names(self, *, apart: bool | None = None) -> list[str]:
        """The names of all kinds; only those that may take long, or only the others, when `apart` is given."""
        return sorted(name for name, known in self._kinds.items() if apart in (None, known.apart))

    def make(self, config: Config, *, apart: bool | None = None) -> list[Kind]:
        """The kinds as a worker takes them."""
        return [self._kinds[name].make(config) for name in self.names(apart=apart)]

    def unknown(self) -> dict[str, int]:
        """Jobs that wait or run and that nobody here knows how to do, counted by kind."""
        return {kind: number for kind, number in store.unfinished_kinds().items() if kind not in self._kinds}


#: The kinds of this installation.
registry = Registry()
kind = registry.kind


class _OneByOne:
    """A function of one job, as the worker loop wants it."""

    def __init__(self, config: Config, perform: Perform, batch: int) -> None:
        self._config = config
        self._perform = perform
        self._batch = batch

    def perform(self, claims: Sequence[Claim], desk: Desk) -> None:
        """Work on the first of the claims, each with the whole lease before it."""
        # What is beyond the batch goes back first: it must not wait for this.
        store.release(claims[self._batch :])
        for claim in claims[self._batch :]:
            desk.open.pop(claim.id)
        for claim in claims[: self._batch]:
            if desk.stopping():
                return
            self._do(claim, desk)

    def _do(self, claim: Claim, desk: Desk) -> None:
        if not store.beat([claim], desk.settings.lease):
            desk.open.pop(claim.id, None)  # somebody else's by now
            return
        errand = Errand(self._config, claim.kind, claim.key, claim.scope, claim.attempt)
        try:
            outcome = self._perform(_payload(claim), errand)
        except Exception as error:  # one job's failure is its own
            desk.fail(claim, error)
        else:
            desk.complete([claim], lambda held: dict.fromkeys(held, outcome))


def _payload(claim: Claim) -> Payload:
    found = json.loads(claim.payload) if claim.payload else {}
    if not isinstance(found, dict):
        raise QueueError(f"job {claim.id}: its payload is no JSON object; delete the job and ask for it again")
    return found

"""The person or program on whose behalf something is done, and the way it came in.

A command line, a request and a periodic task each say once who acts; whatever they call finds it with `current`, so
that the audit names the same person for every part of what was done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final, Literal

#: The way in. A playbook and a person on the shell run the same commands; a playbook says that it is one.
Via = Literal["shell", "browser", "api", "schedule", "playbook", "source", "webhook", "python"]


@dataclass(frozen=True, slots=True)
class Actor:
    """The person or program that acts, and the way it came in. The log of changes keeps the name."""

    #: A user's or an account's name, or another word for who acts; empty when nobody says.
    name: str = ""
    via: Via = "python"
    #: The network address that a request came from, or that of the terminal; empty if there is none.
    address: str = ""
    #: The id of the request, by which log lines of the web process are found; empty outside requests.
    request: str = ""
    #: The label of the token that a program signed in with; empty for people.
    token: str = ""


#: Nobody in particular, over Python.
UNKNOWN: Final = Actor()

#: What is done at its time, by whatever process is first.
SCHEDULE: Final = Actor("schedule", via="schedule")

_current: ContextVar[Actor] = ContextVar("actor", default=UNKNOWN)


def current() -> Actor:
    """Return who acts now; `UNKNOWN` if nobody said."""
    return _current.get()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Name who acts while the block runs, in this thread."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)

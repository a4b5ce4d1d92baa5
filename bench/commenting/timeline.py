"""Where the time goes from sending a comment until the reader's front end shows it.

The steps are read from what the database keeps of a comment's jobs, its publication and its confirmation. All times
are of one clock, since everything runs on one machine.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from urllib.parse import urlsplit

from appliance import clock, db
from tests.web_stack import WebStack

_PLANNED = "SELECT created_at, finished_at FROM job WHERE kind = 'plan' ORDER BY id DESC LIMIT 1"
_PUBLISHED = "SELECT origin, id, at FROM publication WHERE path = ? AND latest ORDER BY id DESC LIMIT 1"
_CONFIRMED = "SELECT confirmed_at FROM cursor WHERE target = ? AND origin = ?"
#: Seconds until a comment must be seen.
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A comment that a reader sent and then saw. Times are seconds since the epoch."""

    sent: float
    #: When the answer that leads to the page had come, and when the page with the comment had.
    led: float
    seen: float
    #: Whether the first answer led to the page; otherwise it said that the comment is on its way.
    at_once: bool

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.seen - self.sent


@dataclass(frozen=True, slots=True)
class Steps:
    """Seconds of each step of one comment."""

    #: nginx, web process and intake, until the comment is saved with the job that plans its page.
    save: float
    #: Until a worker has planned the page.
    plan: float
    #: Until a worker has built it, and put it in the docroot and the journal.
    build: float
    #: Until the courier has the front end's confirmation.
    push: float
    #: Until the reader has been led to the page.
    answer: float
    #: Until the reader has the page.
    page: float

    def __str__(self) -> str:
        """Milliseconds, one line."""
        return ", ".join(f"{field.name} {getattr(self, field.name) * 1000:.0f}" for field in fields(self))


def send_and_see(stack: WebStack, slug: str, token: str, text: str, front: int = 0) -> Seen:
    """Send a comment through a front end, go where the answers lead, and look until the page shows it.

    Raises:
        RuntimeError: it was refused, or not seen in time.
    """
    path, sent = stack.address(slug), clock.now()
    answer = stack.comment(slug, text, front, token=token)
    leads = [answer.location]
    while clock.now() < sent + _PATIENCE:
        led = clock.now()
        if urlsplit(leads[-1]).path == path:
            if text in stack.get(path, front).text:
                return Seen(sent, led, clock.now(), len(leads) == 1)
        elif leads[-1]:
            answer = stack.get(leads[-1], front)  # it waits a moment for the comment to be visible
            leads += [answer.location] if answer.location else []
        else:
            break
    raise RuntimeError(f"a comment was not seen: {answer.status} {answer.location} {answer.text[:200]}")


def steps(stack: WebStack, slug: str, seen: Seen, front: int = 0) -> Steps:
    """Where the time of the last comment went. No other was sent meanwhile."""
    saved, planned = db.execute(_PLANNED).fetchone()
    published = db.execute(_PUBLISHED, [stack.address(slug).lstrip("/") + "index.html"]).fetchone()
    origin, _, built = published
    (confirmed,) = db.execute(_CONFIRMED, [stack.fronts[front].name, origin]).fetchone()
    planned = min(planned, built)  # the jobs are there before the plan's own is ended, and another worker may take them
    confirmed = min(confirmed, seen.led)  # a later push may have been confirmed as well
    moments = (seen.sent, saved, planned, built, confirmed, seen.led, seen.seen)
    return Steps(*(after - before for before, after in itertools.pairwise(moments)))


def medians(found: Sequence[Steps]) -> Steps:
    """The median of each step."""
    return Steps(*(statistics.median(step) for step in zip(*map(astuple, found), strict=True)))

"""Forms that act on jobs: which jobs they mean, as the page showed them, and how a form is known that is sent twice."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from flask import request
from werkzeug.exceptions import BadRequest

from appliance.queue.administration import JobFilter, JobRow
from appliance.queue.job_acts import Question, Seen
from appliance.web.admin.pages.forms import Form

#: Jobs that one form may name.
_MOST: Final = 500
_TOKEN: Final = re.compile(
    r"(\d{1,18})\.(pending|running|done|failed|superseded|cancelled)\.(\d{1,9})\.(\d{1,9})\.(-?\d{1,9})"
)
_NUMBER: Final = re.compile(r"-?\d{1,4}")


def token_of(job: JobRow) -> str:
    """Return what a form sends of a job that is selected: the job as the page shows it."""
    return f"{job.id}.{job.state}.{job.attempt}.{job.triggers}.{job.priority}"


def seen_jobs() -> list[Seen]:
    """Return the jobs that are selected, or the one whose own button was used, as the page showed them."""
    tokens = request.form.getlist("only") or request.form.getlist("job")
    found = [_TOKEN.fullmatch(token) for token in tokens[:_MOST]]
    rows = [token.groups() for token in found if token is not None]
    seen = [Seen(int(job), state, int(attempt), int(asked), int(rank)) for job, state, attempt, asked, rank in rows]  # type: ignore[arg-type]
    return list({job.id: job for job in seen}.values())


def priority_of(form: Form) -> int:
    """Return the priority that a form gives; what is wrong with it is noted in the form."""
    text = form.text("priority")
    if _NUMBER.fullmatch(text):
        return int(text)
    form.refuse("priority", "The priority is a whole number from -9999 to 9999.")
    return 0


def form_number(*what: str) -> str:
    """Return the number of a form: the same when the same is sent once more, another after another choice."""
    sent = (request.form.get("form", ""), *what)
    return hashlib.blake2b("\n".join(sent).encode(), digest_size=16).hexdigest()


def question_of(wanted: JobFilter, form: Form) -> Question:
    """Return the question that a form answers.

    Raises:
        BadRequest: it does not say which jobs there were.
    """
    try:
        expected, newest, at = int(form.text("expected")), int(form.text("newest")), float(form.text("at"))
    except ValueError as error:
        raise BadRequest from error
    if not (0 <= expected < 10**12 and 0 <= newest < 2**63 and 0 <= at < 10**12):
        raise BadRequest
    return Question(wanted, expected, newest, at)

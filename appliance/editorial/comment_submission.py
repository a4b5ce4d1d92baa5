"""What a reader submits, its checked and rendered form, and what became of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from appliance.content import contact_details
from appliance.content.markup import render_comment
from appliance.content.models import Comment, Site
from appliance.content.networks import network_of
from appliance.errors import ContentError

#: accepted: published; held: waits for approval; refused: not saved, see the problems; discarded: kept as spam or
#: dropped, which its sender is not told.
Outcome = Literal["accepted", "held", "refused", "discarded"]

_LINK: Final = re.compile(r"<a ", re.IGNORECASE)
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
#: The most characters that are kept of what a browser says of itself.
_AGENT_LIMIT, _REFERRER_LIMIT = 400, 1000


@dataclass(frozen=True, slots=True)
class Submission:
    """A comment as a reader submits it, with what is known of its sender."""

    site: Site
    #: The id of the entry.
    entry: int
    text: str
    name: str = ""
    email: str = ""
    website: str = ""
    #: The id of the comment that this one replies to.
    parent: int | None = None
    #: The nonce of the form: of two submissions with the same one the second gets the result of the first.
    nonce: str = ""
    address: str = ""
    user_agent: str = ""
    referrer: str = ""
    #: Whether to tell the reader of replies by mail.
    notify: bool = False


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """Why a submission is refused."""

    #: name, email, website, text or parent; empty when it is not about one field.
    field: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a submission."""

    outcome: Outcome
    #: The saved comment; None when nothing was saved.
    comment: Comment | None = None
    problems: tuple[FieldProblem, ...] = ()
    #: Why it is held or counts as spam.
    reason: str = ""
    #: Whether this is the result of an earlier submission with the same nonce.
    repeated: bool = False
    #: The id of the reader's wish to be told of replies, which they still have to confirm.
    notice: int | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A submission with its fields cleaned and its text rendered. Fields with a problem are empty."""

    submission: Submission
    name: str
    email: str
    website: str
    text: str
    html: str
    network: str
    text_digest: str
    problems: tuple[FieldProblem, ...]

    @property
    def link_count(self) -> int:
        """The number of links in the text."""
        return count_links(self.html)


def prepare(submission: Submission) -> Prepared:
    """Clean the fields of a submission and render its text; needs no database."""
    problems: list[FieldProblem] = []

    def clean(field: str, value: str, how: Callable[[str], str]) -> str:
        try:
            return how(value)
        except ContentError as error:
            problems.append(FieldProblem(field, sentence(error)))
            return ""

    text = clean("text", submission.text, contact_details.clean_reader_text)
    return Prepared(
        submission,
        name=clean("name", submission.name, contact_details.clean_name),
        email=clean("email", submission.email, contact_details.clean_email),
        website=clean("website", submission.website, contact_details.clean_url),
        text=text,
        html=clean("text", text, _render) if text else "",
        network=network_of(submission.address),
        text_digest=digest(text),
        problems=tuple(problems),
    )


def count_links(html: str) -> int:
    """The number of links in a rendered comment."""
    return len(_LINK.findall(html))


def sentence(error: ContentError) -> str:
    """The sentence of an error, as readers see it."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def digest(text: str) -> str:
    """A digest of a text that ignores case and spaces."""
    return hashlib.blake2b(" ".join(text.casefold().split()).encode(), digest_size=16).hexdigest()


def kept_agent(submission: Submission) -> str:
    """What is kept of the name of the sender's browser."""
    return _CONTROL.sub(" ", submission.user_agent)[:_AGENT_LIMIT]


def kept_referrer(submission: Submission) -> str:
    """What is kept of the page that the sender came from."""
    return _CONTROL.sub(" ", submission.referrer)[:_REFERRER_LIMIT]


def _render(text: str) -> str:
    html = render_comment(text)
    if not html:
        raise ContentError("nothing of the comment can be shown; write a few words")
    return html

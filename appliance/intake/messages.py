"""The messages between the web process and the intake: one JSON object in a line for each request and each answer.

Both sides validate what they receive. A request that does not fit its model is refused before anything is looked up.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

#: The most bytes of a request or an answer, its line end included.
MESSAGE_LIMIT: Final = 262_144
#: Results on a page of a search.
RESULTS: Final = 10
#: The farthest page of a search.
LAST_PAGE: Final = 50
#: The most seconds that a request may ask the intake to wait.
LONGEST_WAIT: Final = 5

SiteName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
#: An id of the database.
Number = Annotated[int, Field(ge=1, le=2**62)]
#: What the intake signed and gave out earlier. Anything else is refused there.
Token = Annotated[str, Field(max_length=500)]


class Message(BaseModel):
    """Base of all messages: immutable, with the listed keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# --- Requests ---


class Sender(Message):
    """Who sends something, as far as the web process can tell."""

    #: The IP address.
    address: str = Field(max_length=45)
    user_agent: str = Field("", max_length=1000)
    referrer: str = Field("", max_length=2000)
    #: The name of the front end that passed the request on, as in the settings; empty when none did.
    front_end: str = Field("", max_length=63)


class Draft(Message):
    """What a reader wrote into the comment form."""

    entry: Number
    #: The comment that this one replies to.
    parent: Number | None = None
    name: str = Field("", max_length=2000)
    email: str = Field("", max_length=2000)
    website: str = Field("", max_length=4000)
    text: str = Field("", max_length=100_000)
    #: Whether to tell the reader of replies by mail.
    notify: bool = False


class FormRequest(Message):
    """Asks what a comment form needs: the entry, and a token that says when the form was made."""

    op: Literal["form"] = "form"
    site: SiteName
    entry: Number
    parent: Number | None = None
    sender: Sender | None = None


class PreviewRequest(Message):
    """Asks how a comment would look."""

    op: Literal["preview"] = "preview"
    site: SiteName
    draft: Draft
    sender: Sender
    token: Token = ""


class CommentRequest(Message):
    """Posts a comment."""

    op: Literal["comment"] = "comment"
    site: SiteName
    draft: Draft
    sender: Sender
    #: The token of the form. Without one, or with one that is too young or too old, the answer is “confirm”.
    token: Token = ""
    #: What stood in the field that people do not see.
    trap: str = Field("", max_length=2000)
    #: Seconds to wait until the reader's front end shows the comment.
    wait: float = Field(1.0, ge=0, le=LONGEST_WAIT)


class StatusRequest(Message):
    """Asks whether the reader's front end shows a comment by now. `receipt` is that of the answer to the comment."""

    op: Literal["status"] = "status"
    site: SiteName
    receipt: Token
    front_end: str = Field("", max_length=63)
    wait: float = Field(1.0, ge=0, le=LONGEST_WAIT)
    sender: Sender | None = None


class DeleteRequest(Message):
    """Deletes a comment by the receipt that its writer has; without `confirmed` only says what would be deleted."""

    op: Literal["delete"] = "delete"
    site: SiteName
    receipt: Token
    confirmed: bool = False
    sender: Sender | None = None


class NoticeRequest(Message):
    """Confirms or ends notices of replies, by a token from a mail; without `confirmed` only says what would happen."""

    op: Literal["notice"] = "notice"
    site: SiteName
    action: Literal["confirm", "unsubscribe"]
    token: Token
    confirmed: bool = False
    #: Whether to end all notices of the address on the site, not only those of the entry.
    everywhere: bool = False
    sender: Sender | None = None


class SearchRequest(Message):
    """Searches the published entries of a site."""

    op: Literal["search"] = "search"
    site: SiteName
    query: str = Field(max_length=1000)
    page: int = Field(1, ge=1, le=LAST_PAGE)
    sender: Sender | None = None


class SiteRequest(Message):
    """Asks how a site presents itself."""

    op: Literal["site"] = "site"
    site: SiteName
    sender: Sender | None = None


class ReadyRequest(Message):
    """Asks whether the intake can save now."""

    op: Literal["ready"] = "ready"


class ProcessReport(Message):
    """Says how a web process is doing. The intake keeps it in the list of processes."""

    op: Literal["process"] = "process"
    #: Names one run of the process: a process that replaces itself keeps its id.
    run: str = Field(pattern=r"^[0-9a-f]{16}$")
    #: Whether it is a part of the daemon that the intake is a part of.
    with_work: bool
    workers: int = Field(ge=0, le=1000)
    #: Bytes of it and its workers.
    memory: int = Field(ge=0, le=2**62)
    #: Requests that were answered in this run.
    requests: int = Field(ge=0, le=2**62)
    #: Seconds since this run began.
    age: float = Field(0.0, ge=0, le=1e10)


Request = Annotated[
    FormRequest
    | PreviewRequest
    | CommentRequest
    | StatusRequest
    | DeleteRequest
    | NoticeRequest
    | SearchRequest
    | SiteRequest
    | ProcessReport
    | ReadyRequest,
    Field(discriminator="op"),
]


# --- Answers ---


class SiteAnswer(Message):
    """How a site presents itself."""

    kind: Literal["site"] = "site"
    name: str
    title: str
    #: The public address of the site, with a slash at its end.
    url: str
    #: The path of the site on its host, such as `/` or `/blog/`.
    root: str
    #: A BCP 47 tag.
    language: str
    #: The setting `accent` of the theme, if it has one.
    accent: str = ""


class Problem(Message):
    """Why a field of a form is refused, in a sentence."""

    #: name, email, website, text, parent, notify; empty when it is not about one field.
    field: str = ""
    sentence: str


class FormAnswer(Message):
    """What a comment form needs."""

    kind: Literal["form"] = "form"
    site: SiteAnswer
    #: The title and the path of the page of the entry.
    title: str
    page: str
    #: Why the entry takes no comments; empty when it does.
    closed: str = ""
    token: Token
    #: The name of who wrote the comment that is replied to, and its HTML.
    parent_name: str = ""
    parent_html: str = ""
    #: Whether readers may ask to be told of replies.
    notices: bool = False


class PreviewAnswer(Message):
    """How a comment would look, or why it is refused; the form is shown with either."""

    kind: Literal["preview"] = "preview"
    form: FormAnswer
    html: str = ""
    problems: tuple[Problem, ...] = ()


class CommentAnswer(Message):
    """What became of a comment. Whatever is not accepted or held was not saved, and its form is shown again."""

    kind: Literal["comment"] = "comment"
    #: accepted: saved and published; held: saved, waits for approval; confirm: to be sent once more; refused: see
    #: problems; discarded: saved as spam or dropped, which its sender is not told.
    outcome: Literal["accepted", "held", "confirm", "refused", "discarded"]
    site: SiteAnswer
    #: The path of the page of the entry, with the anchor of the comment if it was accepted.
    page: str
    #: Whether the reader's front end shows the comment.
    visible: bool = False
    #: For “status” and “delete”.
    receipt: Token = ""
    #: Minutes in which the reader may delete the comment; 0 for not at all.
    delete_minutes: int = 0
    form: FormAnswer | None = None
    #: How the comment would look, if it is to be confirmed.
    html: str = ""
    problems: tuple[Problem, ...] = ()
    #: The mail address that a confirmation of notices was sent to.
    confirmation_sent: str = ""


class DeleteAnswer(Message):
    """What deleting does or did."""

    kind: Literal["delete"] = "delete"
    site: SiteAnswer
    page: str
    #: possible: asks for confirmation; deleted; expired: the time is over or the receipt is not ours.
    outcome: Literal["possible", "deleted", "expired"]
    html: str = ""


class NoticeAnswer(Message):
    """What confirming or ending notices does or did."""

    kind: Literal["notice"] = "notice"
    site: SiteAnswer
    page: str
    title: str = ""
    outcome: Literal["possible", "done", "expired"]
    #: Whether all notices of the address on the site are ended.
    everywhere: bool = False


class SearchResult(Message):
    """An entry that was found."""

    title: str
    #: The path of its page.
    page: str
    #: ISO 8601, in the time zone of the site.
    date: str
    #: A part of its text in pieces, each with whether it is a word that was searched for.
    snippet: tuple[tuple[str, bool], ...]


class SearchAnswer(Message):
    """A page of the entries that were found."""

    kind: Literal["search"] = "search"
    site: SiteAnswer
    query: str
    results: tuple[SearchResult, ...]
    page: int
    #: The number of entries found, counted up to a limit.
    total: int
    #: Whether there are more than `total`.
    more: bool = False


class ProcessAnswer(Message):
    """What a web process is asked to do."""

    kind: Literal["process"] = "process"
    #: Whether to end gracefully and let a fresh process take its place.
    recycle: bool = False


class ReadyAnswer(Message):
    """The intake can save."""

    kind: Literal["ready"] = "ready"


class ErrorAnswer(Message):
    """The request was not carried out, and nothing was saved."""

    kind: Literal["error"] = "error"
    #: missing: no such site or entry; busy: too many requests, later ones may succeed; limited: this sender sends too
    #: much; unavailable: the database cannot be used now; invalid: the message does not fit its model.
    reason: Literal["missing", "busy", "limited", "unavailable", "invalid"]
    sentence: str
    #: Seconds after which to try again.
    retry_after: int = 0


Answer = Annotated[
    SiteAnswer
    | FormAnswer
    | PreviewAnswer
    | CommentAnswer
    | DeleteAnswer
    | NoticeAnswer
    | SearchAnswer
    | ProcessAnswer
    | ReadyAnswer
    | ErrorAnswer,
    Field(discriminator="kind"),
]

#: What an account gets that may not use the intake.
REFUSED: Final = ErrorAnswer(reason="invalid", sentence="This account may not use the intake.")

REQUEST: Final[TypeAdapter[Request]] = TypeAdapter(Request)
ANSWER: Final[TypeAdapter[Answer]] = TypeAdapter(Answer)

"""Entries and pages: listed, read, added, edited, published and deleted, and how far each change is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from appliance import db, editorial
from appliance.accounts import ownership
from appliance.content.models import EntryKind, EntryStatus
from appliance.content.sites import find_site
from appliance.editorial import EntryFilter, publication
from appliance.errors import AmbiguousName, ContentError
from appliance.web.admin import guard
from appliance.web.api.fields import Id, Moment, Name, PageOf, PageQuery, Rows, Sent, Shown, left_out
from appliance.web.api.operations import Answer, Call, found, operation
from appliance.web.api.problems import NotThere, Problem
from appliance.web.api.publication_model import EntryStatus as EntryProgress

_LONGEST = 1_000_000


class Entry(Shown):
    """An entry or page in a list."""

    id: int
    kind: EntryKind
    status: EntryStatus
    title: str
    slug: str
    date: datetime = Field(description="When it was or will be published.")
    modified: datetime


class EntryDetails(Entry):
    """An entry or page with all that belongs to it."""

    version: str = Field(description="The ETag, for If-Match.")
    expires: datetime | None
    address: str | None
    folder: str
    authors: list[str]
    categories: list[str] = Field(description="From the topmost down, such as `News/Local`; the primary one first.")
    tags: list[str]
    aliases: list[str] = Field(description="Former addresses below the site, which redirect to it.")
    allow_comments: bool
    comments: dict[str, int] = Field(description="Number of comments by status.")
    assets: list[str] = Field(description="Paths of its files.")
    source: str | None = Field(description="The source that it comes from and has to be edited in.")
    source_path: str | None
    extra: dict[str, Any]
    sanitised: bool = Field(
        description="Whether scripts, forms, frames and styles are left out of its HTML, since its author may not"
        " publish them. The text itself is kept as it was written."
    )
    format: Literal["markdown", "html"]
    summary: str
    excerpt: str = Field(description="HTML.")
    text: str
    html: str = Field(description="What the text was rendered to.")


class EntryQuery(PageQuery):
    """Which entries."""

    status: EntryStatus | None = None
    kind: EntryKind | None = None
    author: str = Field("", max_length=400, description="A name or slug.")
    category: str = Field("", max_length=400, description="Such as `News/Local`; those below it count too.")
    tag: str = Field("", max_length=400, description="A name or slug.")
    since: Moment = ""
    until: Moment = ""
    text: str = Field("", max_length=400, description="A part of the title or the text, in upper or lower case.")
    order: Literal["date", "oldest", "modified", "title", "id"] = "date"


Reference = Annotated[str, Field(min_length=1, max_length=1000, description="Its id, slug, or address.")]


class EntryReference(Sent):
    """Which entry."""

    reference: Reference


class ChosenEntries(Sent):
    """Which entries."""

    entries: list[Reference] = Field(min_length=1, max_length=500)
    versions: dict[Id, str] = Field(default={}, description="The versions that the decision is based on, by id.")


class EntryFields(Sent):
    """The fields of an entry that can be given. Those that are left out keep their values."""

    slug: str = Field(default_factory=left_out, max_length=400)
    date: Moment = Field(default_factory=left_out, description="The time of publication, past or future.")
    status: EntryStatus = Field(default_factory=left_out, description="`scheduled` needs a `date` in the future.")
    kind: EntryKind = Field(default_factory=left_out)
    format: Literal["markdown", "html"] = Field(default_factory=left_out)
    expires: Moment | None = Field(None, description="When the entry stops being public; null for never.")
    address: str | None = Field(None, max_length=1000, description="Below the site; null for that of the theme.")
    folder: str = Field(default_factory=left_out, max_length=1000, description="Of a page.")
    excerpt: str = Field(
        default_factory=left_out, max_length=_LONGEST, description="Markdown; empty for the beginning of the text."
    )
    summary: str = Field(
        default_factory=left_out, max_length=10_000, description="Plain text; empty for that of the excerpt."
    )
    allow_comments: bool = Field(default_factory=left_out)
    authors: list[Name] = Field(default_factory=left_out, max_length=100)
    categories: list[Name] = Field(default_factory=left_out, max_length=100)
    tags: list[Name] = Field(default_factory=left_out, max_length=1000)
    aliases: list[Name] = Field(default_factory=left_out, max_length=1000)
    extra: dict[str, JsonValue] = Field(default_factory=left_out)
    sanitised: bool = Field(default_factory=left_out, description="False needs the right to publish HTML as written.")


class NewEntry(EntryFields):
    """A new entry or page. Without a status it is a draft."""

    title: str = Field(min_length=1, max_length=2000)
    text: str = Field("", max_length=_LONGEST)


class EntryEdit(EntryFields):
    """The fields of an entry that are to change; the others stay."""

    title: str = Field(default_factory=left_out, min_length=1, max_length=2000)
    text: str = Field(default_factory=left_out, max_length=_LONGEST)


@operation("GET", "/sites/{site}/entries", "entry.read", query=EntryQuery, answer=PageOf[Entry])
def list_entries(call: Call) -> Answer:
    """List entries and pages, drafts too."""
    asked: EntryQuery = call.query
    wanted = EntryFilter(
        status=asked.status or "", kind=asked.kind or "", author=asked.author, category=asked.category, tag=asked.tag,
        since=asked.since, until=asked.until, text=asked.text,
    )  # fmt: skip
    page = editorial.list_entries(
        call.config, call.site, wanted, order=asked.order, size=asked.size, after=asked.after, with_total=asked.total
    )
    return Answer(page)


@operation("GET", "/sites/{site}/entries/{entry}", "entry.read", answer=EntryDetails, has_version=True)
def read_entry(call: Call) -> Answer:
    """Return an entry or page with all that belongs to it."""
    details = _details(call)
    return Answer(details, details.version)


@operation(
    "GET", "/sites/{site}/entries/lookup", "entry.read", query=EntryReference, answer=EntryDetails, has_version=True
)
def look_up_entry(call: Call) -> Answer:
    """Return the entry or page with an id, a slug or an address, as the commands of the shell take them."""
    try:
        details = editorial.get_entry(call.config, call.site, call.query.reference)
    except AmbiguousName:
        raise
    except ContentError as error:
        raise NotThere(str(error)) from error
    return Answer(details, details.version)


@operation(
    "POST", "/sites/{site}/entries", "entry.add", body=NewEntry, answer=EntryDetails, status=201, has_version=True,
    may_wait=True,
)  # fmt: skip
def add_entry(call: Call) -> Answer:
    """Add an entry or page; you own it.

    A status other than `draft` needs the right to publish. HTML of those who may not publish it as written is
    sanitised.
    """
    values = call.body.model_dump(exclude_unset=True)
    guard.require("entry.add", call.site)
    if values.get("status", "draft") != "draft":
        guard.require("entry.publish", call.site, owns=True)
    with db.write():  # no author may be left with an entry that is not their own
        result = editorial.add_entry(
            call.config, call.site, values.pop("title"), values.pop("text", ""), as_written=call.may("entry.html"),
            later=True, **values,
        )  # fmt: skip
        ownership.own(result.subject.id, call.principal.user)
    details = editorial.get_entry(call.config, call.site, result.subject.id)
    place = f"/sites/{call.site}/entries/{details.id}"
    return Answer(details, details.version, place, entry=details.id)


@operation(
    "PATCH", "/sites/{site}/entries/{entry}", "entry.edit", body=EntryEdit, answer=EntryDetails, has_version=True,
    is_conditional=True, may_wait=True,
)  # fmt: skip
def edit_entry(call: Call) -> Answer:
    """Change the given fields of an entry, and keep all others.

    A `status` publishes, schedules or unpublishes it, and needs the right to do so. Authors edit entries of their own.
    """
    entry, owns = _details(call), _owns(call)
    changes = call.body.model_dump(exclude_unset=True)
    if set(changes) - {"status"} or not changes:
        guard.require("entry.edit", call.site, owns=owns)
    if "status" in changes:
        guard.require("entry.publish", call.site, owns=owns)
    result = editorial.edit_entry(
        call.config, call.site, entry.id, expected_version=call.expected(entry.version),
        as_written=call.may("entry.html"), later=True, **changes,
    )  # fmt: skip
    details = editorial.get_entry(call.config, call.site, entry.id)
    return Answer(details, details.version, entry=entry.id, changed=result.changed)


@operation(
    "DELETE", "/sites/{site}/entries/{entry}", "entry.delete", is_conditional=True, may_wait=True,
)  # fmt: skip
def delete_entry(call: Call) -> Answer:
    """Delete an entry or page with its comments."""
    entry, owns = _details(call), _owns(call)
    guard.require("entry.delete", call.site, owns=owns)
    expected = call.expected(entry.version)
    versions = {} if expected is None else {entry.id: expected}
    editorial.delete_entries(call.config, call.site, entry.id, expected_versions=versions, later=True)
    return Answer(entry=entry.id)


@operation("POST", "/sites/{site}/entries/delete", "entry.delete", body=ChosenEntries, answer=Rows[Entry])
def delete_entries(call: Call) -> Answer:
    """Delete entries and pages with their comments: all of them or none."""
    site, entries = find_site(call.config, call.site), []
    for reference in dict.fromkeys(call.body.entries):
        entries.append(editorial.find_entry(site, reference))
        guard.require("entry.delete", call.site, owns=ownership.owns(call.principal.user, entries[-1].id))
    rows = [editorial.get_entry(call.config, call.site, entry) for entry in entries]
    editorial.delete_entries(call.config, call.site, *entries, expected_versions=call.body.versions, later=True)
    return Answer({"rows": rows})


@operation("GET", "/sites/{site}/entries/{entry}/status", "entry.read", answer=EntryProgress)
def read_entry_status(call: Call) -> Answer:
    """Tell how far the newest change of an entry is, and on how many front ends it can be read.

    It also works for an entry that was deleted, for as long as the log of changes is kept.
    """
    return Answer(found(lambda: publication.read_publication(call.config, call.site, call.path["entry"])))


def _details(call: Call) -> editorial.EntryDetails:
    details: editorial.EntryDetails = found(lambda: editorial.get_entry(call.config, call.site, call.path["entry"]))
    if details.id != call.path["entry"]:  # a slug that looks like a number
        raise Problem(404, f"There is no entry {call.path['entry']} on the site {call.site}.", "not-found")
    return details


def _owns(call: Call) -> bool:
    return ownership.owns(call.principal.user, call.path["entry"])

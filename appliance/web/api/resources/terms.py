"""Authors, categories and tags: listed, read, renamed, merged and deleted."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from appliance import editorial
from appliance.content.sites import find_site
from appliance.content.term_edits import SAME_PARENT
from appliance.content.term_names import model_of
from appliance.editorial import TermFilter
from appliance.web.api.fields import CountOfRows, PageOf, PageQuery, Sent, Shown, left_out
from appliance.web.api.operations import Answer, Call, found, operation
from appliance.web.api.problems import NotThere


class Term(Shown):
    """An author, category or tag."""

    id: int
    kind: Literal["author", "category", "tag"]
    name: str = Field(description="Of a category, with those above it: `News/Local`.")
    slug: str
    path: str | None = Field(description="Of a category, slugs from the topmost down.")
    source: str | None
    entries: CountOfRows
    version: str = Field(description="The ETag, for If-Match.")


class TermQuery(PageQuery):
    """Which terms."""

    name: str = Field("", max_length=400, description="A part of the name, in upper or lower case.")


class TermReference(Sent):
    """Which term."""

    reference: str = Field(
        min_length=1, max_length=1000, description="Its name or slug; of a category with its parents."
    )


class TermEdit(Sent):
    """How a term is to be called."""

    name: str = Field(default_factory=left_out, min_length=1, max_length=400)
    slug: str = Field(default_factory=left_out, min_length=1, max_length=400)
    parent: str | None = Field(None, max_length=1000, description="Of a category; null for a topmost one.")


class Merger(Sent):
    """The term that takes the entries."""

    into: str = Field(min_length=1, max_length=1000, description="Its name or slug.")


class NumberOfEntries(Shown):
    """How many entries had the term."""

    entries: int


_PATH = "/sites/{site}/terms/{kind}"


@operation("GET", _PATH, "term.read", query=TermQuery, answer=PageOf[Term])
def list_terms(call: Call) -> Answer:
    """List authors, categories or tags."""
    asked: TermQuery = call.query
    page = editorial.list_terms(
        call.config, call.site, call.path["kind"], TermFilter(asked.name), size=asked.size, after=asked.after,
        with_total=asked.total,
    )  # fmt: skip
    return Answer(page)


@operation("GET", f"{_PATH}/lookup", "term.read", query=TermReference, answer=Term, has_version=True)
def look_up_term(call: Call) -> Answer:
    """Return the author, category or tag with a name or slug."""
    term: Any = found(lambda: editorial.get_term(call.config, call.site, call.path["kind"], call.query.reference))
    return Answer(term, term.version)


@operation("GET", f"{_PATH}/{{term}}", "term.read", answer=Term, has_version=True)
def read_term(call: Call) -> Answer:
    """Return an author, category or tag."""
    term = _term(call)
    return Answer(term, term.version)


@operation("PATCH", f"{_PATH}/{{term}}", "term.edit", body=TermEdit, answer=Term, has_version=True, is_conditional=True)
def edit_term(call: Call) -> Answer:
    """Rename a term, change its slug, or move a category. A new name alone keeps the slug, and so the addresses."""
    term, changes = _term(call), call.body.model_dump(exclude_unset=True)
    result = editorial.rename_term(
        call.config, call.site, term.kind, term.path or term.slug, changes.get("name"), slug=changes.get("slug"),
        parent=changes.get("parent", SAME_PARENT), expected_version=call.expected(term.version), later=True,
    )  # fmt: skip
    term = _term(call)
    return Answer(term, term.version, changed=result.changed)


@operation("POST", f"{_PATH}/{{term}}/merge", "term.edit", body=Merger, answer=NumberOfEntries, is_conditional=True)
def merge_term(call: Call) -> Answer:
    """Move all entries of a term to another of the same kind, and delete the term."""
    term = _term(call)
    result = editorial.merge_terms(
        call.config, call.site, term.kind, term.path or term.slug, call.body.into,
        expected_version=call.expected(term.version), later=True,
    )  # fmt: skip
    return Answer({"entries": result.subject})


@operation("DELETE", f"{_PATH}/{{term}}", "term.delete", answer=NumberOfEntries, is_conditional=True)
def delete_term(call: Call) -> Answer:
    """Delete a term, and keep its entries."""
    term = _term(call)
    result = editorial.delete_term(
        call.config, call.site, term.kind, term.path or term.slug, expected_version=call.expected(term.version),
        later=True,
    )  # fmt: skip
    return Answer({"entries": result.subject})


def _term(call: Call) -> Any:
    kind, number = call.path["kind"], call.path["term"]
    model = model_of(kind)
    row = model.get_or_none(model.id == number, model.site == find_site(call.config, call.site))
    if row is None:
        raise NotThere(f"There is no {kind} {number} on the site {call.site}.")
    return editorial.get_term(call.config, call.site, kind, row.path if kind == "category" else row.slug)

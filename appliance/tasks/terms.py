"""Authors, categories and tags from the shell: listed, renamed, merged, removed."""

from __future__ import annotations

from invoke import Context, task

from appliance import editorial
from appliance.content.term_edits import SAME
from appliance.content.term_names import called
from appliance.errors import ContentError
from appliance.tasks.console import command, opened, tell, tell_json
from appliance.tasks.edited import ACTOR, JSON, LATER, SITE, VERBOSE, counted, report
from appliance.tasks.listing import show_list

_TERM = {
    "kind": "author, category or tag.",
    "name": "Its name or slug; a category from the topmost down, such as News/Local.",
}


@task(name="terms", positional=["kind"], help={"kind": "author, category or tag.", **JSON, **SITE, **VERBOSE})
@command
def terms_list(_context: Context, kind: str, json: bool = False, site: str = "", verbose: bool = False) -> None:
    """The authors, categories or tags with how many entries each has."""
    with opened() as (config, _):
        found = editorial.terms(config, site, kind)
    if json:
        tell_json(found)
    elif not found:
        tell("none")
    else:
        columns = {
            "entries": [f"{one['entries']:,}" for one in found],
            "name": [one["name"] for one in found],
            "slug": [one.get("path", one["slug"]) for one in found],
        }
        show_list(columns, {"name": 1, "slug": 1})


@task(
    positional=["kind", "name"],
    help={
        **_TERM,
        "to": "Its new name; the slug, and with it the addresses, stay.",
        "slug": "Its new slug, which gives its pages other addresses.",
        "parent": "For categories: the one it is to be below; empty for the top.",
        **LATER, **SITE, **VERBOSE,
    },
)  # fmt: skip
@command
def rename(
    _context: Context, kind: str, name: str, to: str | None = None, slug: str | None = None, parent: str | None = None,
    later: bool = False, site: str = "", verbose: bool = False,
) -> None:  # fmt: skip
    """Give an author, a category or a tag another name, slug or place."""
    if all(value is None for value in (to, slug, parent)):
        raise ContentError("Name what is to change: --to, --slug or --parent.")
    with opened() as (config, _):
        done = editorial.rename(
            config, site, kind, name, to, slug=slug, parent=SAME if parent is None else parent or None, actor=ACTOR,
            later=later,
        )  # fmt: skip
        term = done.subject
        report(done, f"{kind} “{name}” is now “{called(term)}” ({getattr(term, 'path', term.slug)})")


@task(
    positional=["kind", "name"],
    help={**_TERM, "into": "The one that its entries move to, named likewise.", **LATER, **SITE, **VERBOSE},
)
@command
def merge(
    _context: Context, kind: str, name: str, into: str = "", later: bool = False, site: str = "", verbose: bool = False
) -> None:
    """Move all entries of an author, a category or a tag to another, and remove it."""
    if not into:
        raise ContentError(f"Name the one that the entries of “{name}” move to: --into.")
    with opened() as (config, _):
        done = editorial.merge(config, site, kind, name, into, actor=ACTOR, later=later)
        report(done, f"{kind} “{name}” merged into “{into}”, {counted(done.subject, 'entry', 'entries')}")


@task(name="delete-term", positional=["kind", "name"], help={**_TERM, **LATER, **SITE, **VERBOSE})
@command
def delete_term(
    _context: Context, kind: str, name: str, later: bool = False, site: str = "", verbose: bool = False
) -> None:
    """Remove an author, a category or a tag; its entries stay without it."""
    with opened() as (config, _):
        done = editorial.delete_term(config, site, kind, name, actor=ACTOR, later=later)
        report(done, f"{kind} “{name}” removed, {counted(done.subject, 'entry', 'entries')} without it")

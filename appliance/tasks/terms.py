"""Commands about authors, categories and tags: list, rename, merge and delete them."""

from __future__ import annotations

from invoke import Context, task

from appliance.content.term_edits import SAME_PARENT
from appliance.errors import ContentError
from appliance.tasks.command_line import command, pluralize, print_json, print_line
from appliance.tasks.edit_output import print_result
from appliance.tasks.list_output import print_columns, read_rows, row_json
from appliance.tasks.option_help import JSON, LATER, SITE, VERBOSE
from appliance.tasks.verbs.terms import open_terms

_TERM_HELP = {
    "kind": "author, category or tag.",
    "name": "Its name or slug; for a category the full path, such as News/Local.",
}


@task(name="terms", positional=["kind"], help={"kind": "author, category or tag.", **JSON, **SITE, **VERBOSE})
@command
def terms_list(_context: Context, kind: str, json: bool = False, site: str = "", verbose: bool = False) -> None:
    """List the authors, categories or tags with the number of entries of each."""
    with open_terms() as verbs:
        rows = read_rows(lambda size, after: verbs.list_terms(site, kind, size=size, after=after), limit=0)
    if json:
        print_json([row_json(row) for row in rows])
    elif not rows:
        print_line("none")
    else:
        columns = {
            "entries": [str(row.entries) for row in rows],
            "name": [row.name for row in rows],
            "slug": [row.path or row.slug for row in rows],
        }
        print_columns(columns, {"name": 1, "slug": 1})


@task(
    positional=["kind", "name"],
    help={
        **_TERM_HELP,
        "to": "Its new name. The slug and the addresses stay the same.",
        "slug": "Its new slug, which changes the addresses of its pages.",
        "parent": "For categories: the new parent category; empty for the top level.",
        **LATER,
        **SITE,
        **VERBOSE,
    },
)
@command
def rename(
    _context: Context,
    kind: str,
    name: str,
    to: str | None = None,
    slug: str | None = None,
    parent: str | None = None,
    later: bool = False,
    site: str = "",
    verbose: bool = False,
) -> None:
    """Change the name, the slug or the parent of an author, a category or a tag."""
    if all(value is None for value in (to, slug, parent)):
        raise ContentError("Give something to change: --to, --slug or --parent.")
    with open_terms(later=later) as verbs:
        new_parent = SAME_PARENT if parent is None else parent or None
        result = verbs.rename_term(site, kind, name, to, slug=slug, parent=new_parent)
        term = result.subject
        print_result(result, f"{kind} “{name}” is now “{term.name}” ({term.path or term.slug})")


@task(
    positional=["kind", "name"],
    help={**_TERM_HELP, "into": "The name or slug of the term that receives its entries.", **LATER, **SITE, **VERBOSE},
)
@command
def merge(
    _context: Context, kind: str, name: str, into: str = "", later: bool = False, site: str = "", verbose: bool = False
) -> None:
    """Move all entries of an author, a category or a tag to another one, and delete it."""
    if not into:
        raise ContentError(f"Give the term that receives the entries of “{name}”: --into.")
    with open_terms(later=later) as verbs:
        result = verbs.merge_terms(site, kind, name, into)
        print_result(result, f"{kind} “{name}” merged into “{into}”, {pluralize(result.subject, 'entry', 'entries')}")


@task(name="delete-term", positional=["kind", "name"], help={**_TERM_HELP, **LATER, **SITE, **VERBOSE})
@command
def delete_term(
    _context: Context, kind: str, name: str, later: bool = False, site: str = "", verbose: bool = False
) -> None:
    """Delete an author, a category or a tag. Its entries are kept."""
    with open_terms(later=later) as verbs:
        result = verbs.delete_term(site, kind, name)
        print_result(result, f"{kind} “{name}” removed, {pluralize(result.subject, 'entry', 'entries')} without it")

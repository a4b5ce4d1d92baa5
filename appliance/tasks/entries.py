"""Commands about entries and pages: add, edit, show, list and delete them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invoke import Context, task

from appliance.content.models import ENTRY_STATUSES
from appliance.editorial import EditResult, EntryDetails, EntryFilter
from appliance.editorial.queries.entries import ENTRY_ORDERS
from appliance.errors import ApplianceError, ContentError
from appliance.tasks import entry_file
from appliance.tasks.command_line import command, pluralize, print_json, print_line
from appliance.tasks.edit_output import print_result, require_arguments
from appliance.tasks.entry_options import DATE_FORMS, HELP, REPEATED, with_entry_fields
from appliance.tasks.list_output import format_date, one_line, print_columns, read_rows, row_json
from appliance.tasks.option_help import ENTRY, JSON, LATER, SITE, VERBOSE
from appliance.tasks.verbs.entries import EntryLike, EntryVerbs, open_entries


@task(
    positional=["title"],
    iterable=REPEATED,
    help={"title": "Its title.", **HELP, **JSON, **LATER, **SITE, **VERBOSE},
)
@command
@with_entry_fields
def add(
    _context: Context,
    title: str,
    fields: Mapping[str, Any],
    json: bool = False,
    later: bool = False,
    site: str = "",
    verbose: bool = False,
) -> None:
    """Add an entry or a page; by default a draft dated now."""
    with open_entries(later=later) as verbs:
        result = verbs.add_entry(site, **{**fields, "title": title})
        if json:
            counts = {"files": result.files, "faults": result.faults, "conflicts": result.conflicts}
            print_json({**counts, **row_json(verbs.get_entry(site, result.subject.id))})
            return
        print_result(result, f"{_label(result.subject)} added, {result.subject.status}")


@task(
    positional=["entry"],
    iterable=REPEATED,
    help={
        "entry": ENTRY,
        "title": "A new title.",
        **HELP,
        "author": "An author, replacing the current ones; may be repeated, and empty for no author.",
        "category": "A category, replacing the current ones; may be repeated, and empty for no category.",
        "tag": "A tag, replacing the current ones; may be repeated, and empty for no tag.",
        "expect_version": "Edit the entry only if it still has this version, which content.show prints.",
        "editor": "Open the entry in the editor named by EDITOR, as front matter and text.",
        **LATER,
        **SITE,
        **VERBOSE,
    },
)
@command
@with_entry_fields
def edit(
    _context: Context,
    entry: str,
    title: str | None = None,
    *,
    fields: dict[str, Any],
    expect_version: str | None = None,
    editor: bool = False,
    later: bool = False,
    site: str = "",
    verbose: bool = False,
) -> None:
    """Change the given fields of an entry or page, and leave all others as they are."""
    fields |= {} if title is None else {"title": title}
    if not fields and not editor:
        raise ContentError("Give something to change, such as --title or --text, or use --editor.")
    with open_entries(later=later) as verbs:
        if editor:
            result = _edit_in_editor(verbs, site, entry, fields, expect_version)
        else:
            result = verbs.edit_entry(site, entry, expected_version=expect_version, **fields)
        print_result(result, f"{_label(result.subject)} edited, {result.subject.status}")


@task(positional=["entry"], help={"entry": ENTRY, **JSON, **SITE, **VERBOSE})
@command
def show(_context: Context, entry: str, json: bool = False, site: str = "", verbose: bool = False) -> None:
    """Show all properties of an entry, and its text."""
    with open_entries() as verbs:
        details = verbs.get_entry(site, entry)
    if json:
        print_json(row_json(details))
        return
    print_line(f"{details.kind} {details.id}  {details.status}  {details.title}")
    for name, value in _properties(details):
        print_line(f"  {name:<12}{value}")
    if details.text:
        print_line("")
        print_line(details.text.rstrip())


@task(
    name="list",
    help={
        "status": f"Entries with this status: {', '.join(ENTRY_STATUSES)}.",
        "kind": "entry or page.",
        "author": "Entries by this author.",
        "category": "Entries in this category or below it, such as News/Local.",
        "tag": "Entries with this tag.",
        "since": f"Entries published since this date: {DATE_FORMS}.",
        "until": "Entries published before this date.",
        "text": "Entries with a title or text that contains this.",
        "sort": f"The order: {', '.join(ENTRY_ORDERS)}.",
        "limit": "List at most this many; 0 lists all.",
        **JSON,
        **SITE,
        **VERBOSE,
    },
)
@command
def entries_list(
    _context: Context,
    status: str = "",
    kind: str = "",
    author: str = "",
    category: str = "",
    tag: str = "",
    since: str = "",
    until: str = "",
    text: str = "",
    sort: str = "date",
    limit: int = 50,
    json: bool = False,
    site: str = "",
    verbose: bool = False,
) -> None:
    """List entries and pages that match all given options, the newest first."""
    wanted = EntryFilter(status, kind, author, category, tag, since, until, text)
    with open_entries() as verbs:
        rows = read_rows(
            lambda size, after: verbs.list_entries(site, wanted, order=sort or "date", size=size, after=after), limit
        )
    if json:
        print_json([row_json(row) for row in rows])
    elif not rows:
        print_line("no entries")
    else:
        columns: dict[str, list[str]] = {
            "id": [str(row.id) for row in rows],
            "date": [format_date(row.date) for row in rows],
            "status": [row.status for row in rows],
            "kind": [row.kind for row in rows],
            "slug": [row.slug for row in rows],
            "title": [one_line(row.title) for row in rows],
        }
        if len(set(columns["kind"])) < 2:
            del columns["kind"]
        print_columns(columns, {"slug": 2, "title": 3})


@task(help={**LATER, **SITE, **VERBOSE})
@command
def delete(context: Context, later: bool = False, site: str = "", verbose: bool = False) -> None:
    """Delete entries, given by id, slug or address, with their comments. Either all are deleted or none."""
    with open_entries(later=later) as verbs:
        named = require_arguments(context, "the entries to delete, by id, slug or address")
        result = verbs.delete_entries(site, *named)
        several = pluralize(len(result.subject), "entry", "entries")
        print_result(result, f"{_label(result.subject[0]) if len(result.subject) == 1 else several} removed")


def _edit_in_editor(
    verbs: EntryVerbs, site: str, entry: str, named: Mapping[str, Any], expected: str | None
) -> EditResult[EntryLike]:
    """Open an entry in the person's editor and save the result. When it cannot be saved, the file is kept.

    Raises:
        ContentError: there is no terminal, or the file cannot be used.
    """
    if not sys.stdin.isatty():
        raise ContentError("--editor needs a terminal; use an option such as --file instead.")
    details = verbs.get_editable_entry(site, entry)
    before = entry_file.render(details).encode()
    number, path = tempfile.mkstemp(prefix=f"{details.slug[:40]}-", suffix=".md")
    file = Path(path)
    with os.fdopen(number, "wb") as stream:
        stream.write(before)
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    try:
        subprocess.run([*editor, path], check=True)
        edits = {**entry_file.changed_fields(before, file.read_bytes()), **named}
        result = verbs.edit_entry(site, str(details.id), expected_version=expected or details.version, **edits)
    except subprocess.CalledProcessError as error:
        fault = f"{editor[0]} ended with status {error.returncode}"
        raise ContentError(f"{fault}; nothing changed, and your text is kept in {file}.") from error
    except (ApplianceError, OSError) as error:
        fault = str(error).removesuffix(".")
        raise ContentError(f"{fault}; nothing changed, and your text is kept in {file}.") from error
    file.unlink()
    return result


def _label(entry: EntryLike) -> str:
    return f"{entry.kind} {entry.id} “{entry.title}” ({entry.slug})"


def _properties(details: EntryDetails) -> list[tuple[str, str]]:
    """Return the properties that are not empty, by name."""
    comments = ", ".join(f"{count} {status}" for status, count in details.comments.items())
    source = f"{details.source} ({details.source_path})" if details.source else ""
    properties = {
        "slug": details.slug,
        "date": format_date(details.date),
        "modified": format_date(details.modified),
        "version": details.version,
        "expires": format_date(details.expires),
        "address": details.address or "",
        "folder": details.folder,
        "authors": ", ".join(details.authors),
        "categories": ", ".join(details.categories),
        "tags": ", ".join(details.tags),
        "comments": comments if details.allow_comments else f"closed {comments}",
        "files": ", ".join(details.assets),
        "formerly": ", ".join(details.aliases),
        "source": source,
        "format": details.format if details.format != "markdown" else "",
        "summary": details.summary,
    }
    return [(name, value.strip()) for name, value in properties.items() if value]

"""Entries and pages from the shell: added, edited, looked at, listed, removed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from invoke import Context, task

from appliance import editorial
from appliance.config import Config
from appliance.content.models import ENTRY_STATUSES, Entry
from appliance.editorial.entries import SORTS
from appliance.errors import ApplianceError, ContentError
from appliance.tasks import draft
from appliance.tasks.console import command, opened, tell, tell_json
from appliance.tasks.edited import ACTOR, ENTRY, JSON, LATER, SITE, VERBOSE, counted, report, words
from appliance.tasks.listing import cut, one_line, one_more, short, show_list

_MOMENT = "now, 2026-11-22, 2026-11-22 08:30 or tomorrow 08:30, by the site's clock"
_NAMED = {
    "text": "The text.",
    "file": "The file that holds the text, with or without front matter; - for standard input.",
    "slug": "What names it in its address.",
    "date": f"When it was or is to be published: {_MOMENT}.",
    "status": f"One of {', '.join(ENTRY_STATUSES)}.",
    "author": "Who wrote it; may be repeated.",
    "category": "A category, such as News or News/Local; may be repeated, the primary one first.",
    "tag": "A tag; may be repeated.",
    "kind": "entry or page.",
    "folder": "For pages: the folder it is in, such as about/team.",
    "address": "Its own address below the site, in place of that of the theme.",
    "excerpt": "What stands in listings, in Markdown; empty for the beginning of the text.",
    "format": "What the text is: markdown or html.",
    "expires": "When it is to be withdrawn, written like the date; never for not at all.",
    "comments": "Whether readers may comment: yes or no.",
}
#: A repeated option; None where it was not given.
_Many = Sequence[str] | None


@task(
    positional=["title"],
    iterable=["author", "category", "tag"],
    help={"title": "Its title.", **_NAMED, **JSON, **LATER, **SITE, **VERBOSE},
)
@command
def add(
    _context: Context, title: str, text: str | None = None, file: str | None = None, author: _Many = None,
    category: _Many = None, tag: _Many = None, date: str | None = None, status: str | None = None,
    slug: str | None = None, kind: str | None = None, folder: str | None = None, address: str | None = None,
    excerpt: str | None = None, format: str | None = None, expires: str | None = None, comments: str | None = None,
    json: bool = False, later: bool = False, site: str = "", verbose: bool = False,
) -> None:  # fmt: skip
    """Add an entry or a page: a draft of now, unless something else is named."""
    named = _named(
        title=title, text=text, file=file, authors=author, categories=category, tags=tag, date=date, status=status,
        slug=slug, kind=kind, folder=folder, address=address, excerpt=excerpt, format=format, expires=expires,
        comments=comments,
    )  # fmt: skip
    with opened() as (config, _):
        done = editorial.add(config, site, actor=ACTOR, later=later, **named)
        if json:
            tell_json({"files": done.files, "faults": done.faults, **editorial.show(config, site, done.subject)})
            return
        report(done, f"{_said(done.subject)} added, {done.subject.status}")


@task(
    positional=["entry"],
    iterable=["author", "category", "tag"],
    help={
        "entry": ENTRY, "title": "Another title.", **_NAMED,
        "author": "Who wrote it, in place of whom it has; may be repeated, and empty for nobody.",
        "category": "A category, in place of those it has; may be repeated, and empty for none.",
        "tag": "A tag, in place of those it has; may be repeated, and empty for none.",
        "editor": "Open it in the editor that EDITOR names, with what there is to say of it above the text.",
        **LATER, **SITE, **VERBOSE,
    },
)  # fmt: skip
@command
def edit(
    _context: Context, entry: str, title: str | None = None, text: str | None = None, file: str | None = None,
    author: _Many = None, category: _Many = None, tag: _Many = None, date: str | None = None,
    status: str | None = None, slug: str | None = None, kind: str | None = None, folder: str | None = None,
    address: str | None = None, excerpt: str | None = None, format: str | None = None, expires: str | None = None,
    comments: str | None = None, editor: bool = False, later: bool = False, site: str = "", verbose: bool = False,
) -> None:  # fmt: skip
    """Change what is named of an entry or page, and nothing else."""
    named = _named(
        title=title, text=text, file=file, authors=author, categories=category, tags=tag, date=date, status=status,
        slug=slug, kind=kind, folder=folder, address=address, excerpt=excerpt, format=format, expires=expires,
        comments=comments,
    )  # fmt: skip
    if not named and not editor:
        raise ContentError("Name what is to change, such as --title or --text, or open it with --editor.")
    with opened() as (config, _):
        if editor:
            done = _edit_by_hand(config, site, entry, named, later)
        else:
            done = editorial.edit(config, site, entry, actor=ACTOR, later=later, **named)
        report(done, f"{_said(done.subject)} edited, {done.subject.status}")


@task(positional=["entry"], help={"entry": ENTRY, **JSON, **SITE, **VERBOSE})
@command
def show(_context: Context, entry: str, json: bool = False, site: str = "", verbose: bool = False) -> None:
    """All there is to say of an entry, and its text."""
    with opened() as (config, _):
        shown = editorial.show(config, site, entry)
    if json:
        tell_json(shown)
        return
    tell(f"{shown['kind']} {shown['id']}  {shown['status']}  {shown['title']}")
    for name, value in _facts(shown):
        tell(f"  {name:<12}{value}")
    if shown["text"]:
        tell("")
        tell(shown["text"].rstrip())


@task(
    name="list",
    help={
        "status": f"Those of this status: {', '.join(ENTRY_STATUSES)}.",
        "kind": "entry or page.",
        "author": "Those of this author.",
        "category": "Those in this category or below it, such as News/Local.",
        "tag": "Those with this tag.",
        "since": f"Those published since: {_MOMENT}.",
        "until": "Those published before, written like since.",
        "text": "Those whose title or text contains this.",
        "sort": f"In which order: {', '.join(SORTS)}.",
        "limit": "This many at most; 0 for all.",
        **JSON, **SITE, **VERBOSE,
    },
)  # fmt: skip
@command
def entries_list(
    _context: Context, status: str = "", kind: str = "", author: str = "", category: str = "", tag: str = "",
    since: str = "", until: str = "", text: str = "", sort: str = "date", limit: int = 50, json: bool = False,
    site: str = "", verbose: bool = False,
) -> None:  # fmt: skip
    """The entries and pages for which all that is named holds, the latest first."""
    with opened() as (config, _):
        found = editorial.list_(
            config, site, status=status, kind=kind, author=author, category=category, tag=tag, since=since, until=until,
            text=text, sort=sort, limit=one_more(limit),
        )  # fmt: skip
    found = cut(found, limit)
    if json:
        tell_json(found)
    elif not found:
        tell("no entries")
    else:
        columns = {
            "id": [str(one["id"]) for one in found],
            "date": [short(one["date"]) for one in found],
            "status": [one["status"] for one in found],
            "kind": [one["kind"] for one in found],
            "slug": [one["slug"] for one in found],
            "title": [one_line(one["title"]) for one in found],
        }
        if len(set(columns["kind"])) < 2:
            del columns["kind"]
        show_list(columns, {"slug": 2, "title": 3})


@task(help={**LATER, **SITE, **VERBOSE})
@command
def delete(context: Context, later: bool = False, site: str = "", verbose: bool = False) -> None:
    """Remove the entries named by id, slug or address, with their comments: all of them or none."""
    with opened() as (config, _):
        named = words(context, "the entries to be removed, by id, slug or address")
        done = editorial.delete(config, site, *named, actor=ACTOR, later=later)
        several = counted(len(done.subject), "entry", "entries")
        report(done, f"{_said(done.subject[0]) if len(done.subject) == 1 else several} removed")


def _named(**given: Any) -> dict[str, Any]:
    """What the options name: those of the file, and over them those that were typed.

    Raises:
        ContentError: an option makes no sense.
    """
    text, file = given.pop("text"), given.pop("file")
    if text is not None and file is not None:
        raise ContentError("--text and --file both give the text; use one of them.")
    named = draft.read(_read(file)) if file is not None else {} if text is None else {"text": text}
    comments, expires = given.pop("comments"), given.pop("expires")
    if comments is not None:
        if comments not in ("yes", "no"):
            raise ContentError(f"--comments: “{comments}” says neither yes nor no; write one of them.")
        named["allow_comments"] = comments == "yes"
    if expires is not None:
        named["expires"] = None if expires in ("", "never") else expires
    if given["address"] is not None:
        named["address"] = given.pop("address").strip("/") or None
    for name, value in given.items():
        if name in ("authors", "categories", "tags"):
            named |= {name: [one for one in value if one.strip()]} if value else {}
        elif value is not None:
            named[name] = value
    return named


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).expanduser().read_bytes()
    except OSError as error:
        raise ContentError(f"{file}: cannot be read: {error.strerror}; name a file of text.") from error


def _edit_by_hand(
    config: Config, site: str, entry: str, named: Mapping[str, Any], later: bool
) -> editorial.Done[Entry]:
    """Have a person edit an entry in a file; what they wrote is kept where it cannot be used.

    Raises:
        ContentError: there is nobody to do so, or what they wrote cannot be used.
    """
    if not sys.stdin.isatty():
        raise ContentError("--editor needs a terminal; name what is to change instead, such as --file.")
    row = editorial.site_named(config, site)
    subject = editorial.own_entry(config, row, entry)
    before = draft.write(editorial.show(config, site, subject)).encode()
    number, path = tempfile.mkstemp(prefix=f"{subject.slug[:40]}-", suffix=".md")
    file = Path(path)
    with os.fdopen(number, "wb") as stream:
        stream.write(before)
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    try:
        subprocess.run([*editor, path], check=True)
        edits = {**draft.differences(before, file.read_bytes()), **named}
        done = editorial.edit(config, site, subject, actor=ACTOR, later=later, **edits)
    except subprocess.CalledProcessError as error:
        fault = f"{editor[0]} ended with status {error.returncode}"
        raise ContentError(f"{fault}; nothing changed, and what you wrote is in {file}.") from error
    except (ApplianceError, OSError) as error:
        fault = str(error).removesuffix(".")
        raise ContentError(f"{fault}; nothing changed, and what you wrote is in {file}.") from error
    file.unlink()
    return done


def _said(entry: Entry) -> str:
    return f"{entry.kind} {entry.id} “{entry.title}” ({entry.slug})"


def _facts(shown: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is worth a line, with its name."""
    comments = ", ".join(f"{count} {status}" for status, count in shown["comments"].items())
    source = f"{shown['source']} ({shown['source_path']})" if shown["source"] else ""
    facts = {
        "slug": shown["slug"], "date": short(shown["date"]), "modified": short(shown["modified"]),
        "expires": short(shown["expires"]), "address": shown["address"], "folder": shown["folder"],
        "authors": ", ".join(shown["authors"]), "categories": ", ".join(shown["categories"]),
        "tags": ", ".join(shown["tags"]), "comments": comments if shown["allow_comments"] else f"closed {comments}",
        "files": ", ".join(shown["assets"]), "formerly": ", ".join(shown["aliases"]), "source": source,
        "format": shown["format"] if shown["format"] != "markdown" else "", "summary": shown["summary"],
    }  # fmt: skip
    return [(name, value.strip()) for name, value in facts.items() if value]

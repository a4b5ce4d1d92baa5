"""Why a published file is as it is: what it is, what it shows, and what last had it built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from invoke import Context, task
from rich.table import Table
from rich.text import Text

from appliance import db
from appliance.building import provenance
from appliance.building.provenance import EntryRead, ListingShown, Provenance
from appliance.queue.selection import Shown
from appliance.tasks.console import command, opened, out, tell, tell_json
from appliance.tasks.edited import JSON, VERBOSE, counted
from appliance.tasks.job_views import because, lasting, standing

#: Things of one sort that are listed.
_MOST: Final = 10

_HOW: Final = {
    "queue": "through the queue",
    "now": "at once, by whoever publishes",
    "hand": "when it is asked for by path",
}


@task(
    positional=["path"],
    help={"path": "The file: its path below the docroot, or its whole address.", **JSON, **VERBOSE},
)
@command
def why(_context: Context, path: str, json: bool = False, verbose: bool = False) -> None:
    """Say what a published file shows, and what last had it built."""
    with opened() as (config, _):
        found, now = provenance.of(config, path), db.now()
    if json:
        tell_json(asdict(found))
        return
    _show(Text.assemble((found.path, "bold"), "  ", found.site), list(_lines(found, now)))


def _show(title: Text, lines: Sequence[tuple[str, str]]) -> None:
    """Names and what there is to say of each: fitted to a terminal, whole lines elsewhere."""
    out.print(title)
    if not out.is_terminal:
        for name, value in lines:
            tell(f"  {name:<10} {value}".rstrip())
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines:
        table.add_row(f"  {name}", Text(value))
    out.print(table, soft_wrap=False)


def _lines(found: Provenance, now: float) -> Iterator[tuple[str, str]]:
    yield "address", found.url
    yield "is", _what(found)
    every = f", at most every {lasting(found.every)}" if found.every else ""
    yield "built", f"{_HOW[found.build]}; priority {found.priority}{every}"
    yield "stands", _stands(found, now)
    for sort, names in found.shared.items():
        yield sort, ", ".join(names)
    yield from _entries(found.entries)
    yield from _some("uploads", found.uploads)
    yield from _some("categories", found.categories)
    if found.listing:
        yield from _listing(found.listing)
    yield from _history(found, now)


def _what(found: Provenance) -> str:
    of = f", {found.about}" if found.about else ""
    period = f", {found.period}" if found.period and found.type != "redirect" else ""
    if found.type == "static":
        return f"a file of the theme, {found.template}"
    if found.type == "asset":
        return f"an upload{of}"
    if found.type == "thumbnail":
        return f"a copy {found.template} pixels wide{of}"
    return f"{found.type}, made by {found.template}{of}{period}"


def _stands(found: Provenance, now: float) -> str:
    if found.digest is None:
        return "not published yet" if found.wanted else "gone"
    when = f"{lasting(now - found.published_at)} ago, " if found.published_at is not None else ""
    told = f"published {when}version {found.version}, {found.size:,} bytes, {found.digest[:16]}…"
    if not found.wanted:
        return f"{told}; no longer wanted, to be deleted"
    told += "" if found.in_place else "; the docroot has another file or none there"
    if found.stale:
        return f"{told}; stale: something it shows changed since"
    later = f", but {counted(found.unplanned, 'change')} of the site not planned yet" if found.unplanned else ""
    return f"{told}; up to date{later}"


def _some(name: str, things: Sequence[str]) -> Iterator[tuple[str, str]]:
    """A line a thing, the first with a name; of many, the first and how many more."""
    for number, thing in enumerate(things[:_MOST]):
        yield ("" if number else name), thing
    if len(things) > _MOST:
        yield "", f"and {len(things) - _MOST:,} more; --json lists all"


def _entries(entries: Sequence[EntryRead]) -> Iterator[tuple[str, str]]:
    """What is shown of which entries, those of which the same is shown together."""
    groups: dict[str, list[EntryRead]] = {}
    for entry in entries:
        groups.setdefault(entry.aspects, []).append(entry)
    for number, (aspects, some) in enumerate(groups.items()):
        of = f"{counted(len(some), 'entry', 'entries')}: " if len(some) > 1 else ""
        yield ("" if number else "shows"), f"{of}{aspects or 'all'} of"
        yield from _some("", [f"  {_named(entry)}" for entry in some])


def _named(entry: EntryRead) -> str:
    return f"entry {entry.id} “{entry.title}”" if entry.title else f"entry {entry.id}, which is gone"


def _listing(shown: ListingShown) -> Iterator[tuple[str, str]]:
    pages = -(-shown.total // shown.per_page) if shown.per_page else 1
    page = f"page {shown.page} of {pages:,} of " if shown.page > 1 or pages > 1 else ""
    differs = "" if shown.as_built else "; others than when it was built"
    yield "listing", f"{page}{counted(shown.total, 'entry', 'entries')}{differs}"
    yield from _some("", [f"  {_named(entry)}" for entry in shown.entries])


def _history(found: Provenance, now: float) -> Iterator[tuple[str, str]]:
    if found.waiting:
        job = found.waiting.job
        yield "waiting", f"job {job.id}, {job.state}{', ' if (how := standing(job, now)) else ''}{how}"
        yield from (("", f"because {because(trigger, now)}") for trigger in found.waiting.chain)
    last = found.last if not found.waiting or found.last != found.waiting else None
    if last:
        yield from _job("last job", last, now)
    if found.changed and (not found.last or found.changed.job.id != found.last.job.id):
        yield from _job("changed by", found.changed, now)
    if not found.last:
        yield "last job", "none is kept any more; the settings say how long they are"


def _job(name: str, shown: Shown, now: float) -> Iterator[tuple[str, str]]:
    job = shown.job
    when = f", {lasting(now - job.finished_at)} ago" if job.finished_at is not None else ""
    said = job.outcome if job.state == "done" else standing(job, now)
    yield name, f"{job.id}, {job.state}{when}{f': {said}' if said else ''}"
    yield from (("", f"because {because(trigger, now)}") for trigger in shown.chain)

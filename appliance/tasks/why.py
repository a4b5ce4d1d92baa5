"""The command that explains a published file: what it is made from, what it shows, and which job built it last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Final

from invoke import Context, task

from appliance import db
from appliance.editorial import provenance
from appliance.editorial.dependencies import EntryUse
from appliance.editorial.provenance import ListingUse, Provenance
from appliance.queue.administration import JobDetails
from appliance.tasks.command_line import (
    command,
    console,
    is_terminal,
    open_installation,
    pluralize,
    print_json,
    print_line,
    print_styled,
)
from appliance.tasks.job_output import describe_state, describe_trigger, format_duration
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.terminal_text import escape_text

#: The most items of one kind that are listed.
_LIMIT: Final = 10

_BUILD_MODES: Final = {
    "queue": "through the queue",
    "now": "immediately, by the process that publishes",
    "hand": "when requested by path",
}


@task(
    positional=["path"],
    help={"path": "The path of the file below the docroot, or its full address.", **JSON, **VERBOSE},
)
@command
def why(_context: Context, path: str, json: bool = False, verbose: bool = False) -> None:
    """Explain a published file: what it shows, and which job built it last."""
    with open_installation() as (config, _):
        found, now = provenance.find_provenance(config, path), db.now()
    if json:
        print_json(asdict(found))
        return
    print_styled((found.path, "bold"), "  ", found.site)
    _print_properties(list(_properties(found, now)))


def _print_properties(lines: Sequence[tuple[str, str]]) -> None:
    """Print names and values, fitted to a terminal or as whole lines elsewhere."""
    if not is_terminal():
        for name, value in lines:
            print_line(f"  {name:<10} {value}".rstrip())
        return
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines:
        table.add_row(f"  {name}", Text(escape_text(value)))
    console().print(table, soft_wrap=False)


def _properties(found: Provenance, now: float) -> Iterator[tuple[str, str]]:
    yield "address", found.url
    yield "is", _describe_artifact(found)
    every = f", at most every {format_duration(found.every)}" if found.every else ""
    yield "built", f"{_BUILD_MODES[found.build]}; priority {found.priority}{every}"
    yield "stands", _describe_publication(found, now)
    for kind, names in found.shared.items():
        yield kind, ", ".join(names)
    yield from _entry_properties(found.entries)
    yield from _shortened("uploads", found.uploads)
    yield from _shortened("categories", found.categories)
    if found.listing:
        yield from _listing_properties(found.listing)
    yield from _job_properties(found, now)


def _describe_artifact(found: Provenance) -> str:
    subject = f", {found.about}" if found.about else ""
    period = f", {found.period}" if found.period and found.type != "redirect" else ""
    if found.type == "static":
        return f"a file of the theme, {found.template}"
    if found.type == "asset":
        return f"an upload{subject}"
    if found.type == "thumbnail":
        return f"a copy {found.template} pixels wide{subject}"
    return f"{found.type}, made by {found.template}{subject}{period}"


def _describe_publication(found: Provenance, now: float) -> str:
    if found.digest is None:
        return "not published yet" if found.wanted else "gone"
    when = f"{format_duration(now - found.published_at)} ago, " if found.published_at is not None else ""
    text = f"published {when}version {found.version}, {found.size:,} bytes, {found.digest[:16]}…"
    if not found.wanted:
        return f"{text}; no longer wanted, to be deleted"
    text += "" if found.in_place else "; the docroot has another file or none there"
    if found.stale:
        return f"{text}; stale: something it shows has changed since"
    later = f", but {pluralize(found.unplanned, 'change')} of the site not planned yet" if found.unplanned else ""
    return f"{text}; up to date{later}"


def _shortened(name: str, values: Sequence[str]) -> Iterator[tuple[str, str]]:
    """One line per value, the first with a name. A long list ends with the number of further values."""
    for number, value in enumerate(values[:_LIMIT]):
        yield ("" if number else name), value
    if len(values) > _LIMIT:
        yield "", f"and {len(values) - _LIMIT:,} more; --json lists all"


def _entry_properties(entries: Sequence[EntryUse]) -> Iterator[tuple[str, str]]:
    """The entries that a file shows, grouped by the aspects that it shows of them."""
    groups: dict[str, list[EntryUse]] = {}
    for entry in entries:
        groups.setdefault(entry.aspects, []).append(entry)
    for number, (aspects, members) in enumerate(groups.items()):
        count = f"{pluralize(len(members), 'entry', 'entries')}: " if len(members) > 1 else ""
        yield ("" if number else "shows"), f"{count}{aspects or 'all'} of"
        yield from _shortened("", [f"  {_entry_label(entry)}" for entry in members])


def _entry_label(entry: EntryUse) -> str:
    return f"entry {entry.id} “{entry.title}”" if entry.title else f"entry {entry.id}, which is gone"


def _listing_properties(listing: ListingUse) -> Iterator[tuple[str, str]]:
    page = f"page {listing.page}, one of {listing.pages:,}, of " if listing.pages > 1 else ""
    differs = "" if listing.as_built else "; others than when it was built"
    yield "listing", f"{page}{pluralize(listing.total, 'entry', 'entries')}{differs}"
    yield from _shortened("", [f"  {_entry_label(entry)}" for entry in listing.entries])


def _job_properties(found: Provenance, now: float) -> Iterator[tuple[str, str]]:
    if found.waiting:
        job = found.waiting.job
        yield "waiting", f"job {job.id}, {job.state}{', ' if (how := describe_state(job, now)) else ''}{how}"
        yield from (("", f"because {describe_trigger(trigger, now)}") for trigger in found.waiting.chain)
    last = found.last if not found.waiting or found.last != found.waiting else None
    if last:
        yield from _describe_job("last job", last, now)
    if found.changed and (not found.last or found.changed.job.id != found.last.job.id):
        yield from _describe_job("changed by", found.changed, now)
    if not found.last:
        yield "last job", "none is kept any more; schedule.keep_jobs in the settings says for how long"


def _describe_job(name: str, details: JobDetails, now: float) -> Iterator[tuple[str, str]]:
    job = details.job
    when = f", {format_duration(now - job.finished_at)} ago" if job.finished_at is not None else ""
    result = job.outcome if job.state == "done" else describe_state(job, now)
    yield name, f"{job.id}, {job.state}{when}{f': {result}' if result else ''}"
    yield from (("", f"because {describe_trigger(trigger, now)}") for trigger in details.chain)

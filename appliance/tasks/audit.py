"""Commands about the audit: what people and their programs did, and whether anybody changed that afterwards."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from invoke import Context, task

from appliance import audit, clock
from appliance.audit import AuditFilter, AuditRow, Head, Verification
from appliance.audit.chain import canonical_json
from appliance.errors import AuditError
from appliance.tasks.command_line import (
    command,
    exit_with,
    open_installation,
    print_json,
    print_line,
    remaining_arguments,
    warn,
)
from appliance.tasks.edit_output import parse_id
from appliance.tasks.list_output import one_line, print_columns, read_rows, row_json
from appliance.tasks.option_help import JSON, VERBOSE
from appliance.tasks.verbs.audit import open_audit

_FILTER: Final = {
    "site": "What was done on this site.",
    "actor": "What was done by this user or account.",
    "action": "A kind of act such as entry.edit, or entry. for all about entries.",
    "subject": "What was done to things of this kind, such as entry, or to one of them: entry/7.",
    "via": "What came in this way: shell, browser, api, schedule, playbook, source, webhook or python.",
    "since": "Since this date: 2026-11-22 or 2026-11-22 08:30, in the time zone of the schedule.",
    "until": "Before this date.",
}
#: A head as the log has it, on a line for people or for programs.
_ANCHOR: Final = re.compile(r"\bnumber\W{1,4}(\d{1,18})\W{1,4}digest\W{1,4}([0-9a-f]{64})\b")


@task(name="list", help={**_FILTER, "limit": "List at most this many; 0 lists all.", **JSON, **VERBOSE})
@command
def audit_list(
    _context: Context,
    site: str = "",
    actor: str = "",
    action: str = "",
    subject: str = "",
    via: str = "",
    since: str = "",
    until: str = "",
    limit: int = 50,
    json: bool = False,
    verbose: bool = False,
) -> None:
    """List what people and their programs did, the newest first."""
    wanted = _filter(site, actor, action, subject, via)
    with open_audit() as verbs:
        rows = read_rows(lambda size, after: verbs.list_audit(wanted, since, until, size=size, after=after), limit)
        zone = verbs.timezone
    if json:
        print_json([row_json(row) for row in rows])
    elif not rows:
        print_line("none")
    else:
        print_columns(
            {
                "id": [str(row.id) for row in rows],
                "time": [_format_time(zone, row.at) for row in rows],
                "who": [row.actor for row in rows],
                "via": [row.via for row in rows],
                "action": [row.action for row in rows],
                "site": [row.site for row in rows],
                "subject": [f"{row.subject} {row.subject_id}".strip() for row in rows],
                "name": [one_line(row.label) for row in rows],
            },
            {"name": 1},
        )


@task(positional=["number"], help={"number": "The number of the row, as `audit.list` shows it.", **JSON, **VERBOSE})
@command
def show(_context: Context, number: int, json: bool = False, verbose: bool = False) -> None:
    """Show a row of the audit: who did what, from where, and what it changed."""
    number = parse_id(number, "a row by the number that audit.list shows")
    with open_audit() as verbs:
        row, zone = verbs.find_row(number), verbs.timezone
    if row is None:
        raise AuditError(f"the audit has no row {number}; audit.list shows them")
    if json:
        print_json(row_json(row))
    else:
        for name, value in _described(zone, row):
            print_line(f"{name + ':':<12} {value}")


@task(auto_shortflags=False, help={**_FILTER, **VERBOSE})
@command
def export(
    context: Context,
    site: str = "",
    actor: str = "",
    action: str = "",
    subject: str = "",
    via: str = "",
    since: str = "",
    until: str = "",
    verbose: bool = False,
) -> None:
    """Export rows of the audit as lines of JSON, the oldest first, by which anybody can verify them.

    They go to the file that follows, or to standard output.
    """
    files = remaining_arguments(context)
    if len(files) > 1:
        raise AuditError(f"{' and '.join(files)} are too many files to export to; name one")
    with open_audit() as verbs:
        rows = verbs.all_rows(_filter(site, actor, action, subject, via), since, until)
        if not files:
            audit.export(sys.stdout, rows)
        for file in files:
            print_line(f"{file}: {_export_file(file, rows):,} rows")


def _export_file(file: str, rows: Iterable[AuditRow]) -> int:
    try:
        return audit.export_file(Path(file), rows)
    except OSError as error:
        raise AuditError(f"{file}: cannot be written: {error.strerror}; fix that and export again") from error


@task(
    iterable=["expect"],
    help={
        "expect": "NUMBER:DIGEST of a row that an earlier run printed and that must still be there; may be repeated.",
        "anchors": "A file with the log of publishing hosts, such as the output of journalctl; - for standard input."
        " All rows that it names must still be there.",
        **JSON,
        **VERBOSE,
    },
)
@command
def verify(
    _context: Context,
    expect: Sequence[str] | None = None,
    anchors: str = "",
    json: bool = False,
    verbose: bool = False,
) -> None:
    """Verify that nobody changed, removed, inserted or reordered rows of the audit; exit status 2 if somebody did."""
    expected = [*map(audit.parse_head, expect or ()), *(_read_anchors(anchors) if anchors else ())]
    with open_installation():
        found = audit.verify(expected)
    if json:
        print_json(_verification_json(found, len(expected)))
    else:
        print_line(f"{found.rows:,} rows of the audit fit together")
        print_line(f"the newest row is {found.head}" if found.head.number else "there is no row yet")
    if found.fault:
        exit_with(f"{found.fault}.", 2)
    if anchors and not expected:
        warn(f"{anchors} names no row of the audit, so its end was not compared with anything.")


def _filter(site: str, actor: str, action: str, subject: str, via: str) -> AuditFilter:
    kind, _, number = subject.partition("/")
    return AuditFilter(site=site, actor=actor, action=action, subject=kind, subject_id=number, via=via)


def _read_anchors(name: str) -> list[Head]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8", "replace")
    except OSError as error:
        raise AuditError(f"{name}: cannot be read: {error.strerror}; name the file with the log") from error
    return [Head(int(number), digest) for number, digest in dict.fromkeys(_ANCHOR.findall(text))]


def _verification_json(found: Verification, expected: int) -> dict[str, Any]:
    return {
        "fits": not found.fault,
        "rows": found.rows,
        "newest": {"number": found.head.number, "digest": found.head.digest},
        "compared": expected,
        "row": found.row,
        "fault": found.fault,
    }


def _described(zone: str, row: AuditRow) -> Iterator[tuple[str, str]]:
    about = f"{row.subject} {row.subject_id}".strip()
    texts = {
        "time": _format_time(zone, row.at, seconds=True), "who": row.actor, "via": row.via, "address": row.address,
        "request": row.request, "token": row.token, "action": row.action, "site": row.site, "subject": about,
        "name": row.label,
    }  # fmt: skip
    yield from ((name, value) for name, value in texts.items() if value)
    before, after = row.before or {}, row.after or {}
    for name in dict.fromkeys([*before, *after]):
        values = [canonical_json(side[name]) if name in side else "–" for side in (before, after)]
        yield name, " → ".join(values)
    yield "digest", row.digest


def _format_time(zone: str, time: float, *, seconds: bool = False) -> str:
    local = clock.to_datetime(time, ZoneInfo(zone))
    return local.strftime("%Y-%m-%d %H:%M:%S %Z" if seconds else "%Y-%m-%d %H:%M")

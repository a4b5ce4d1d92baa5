"""What is not all right, in sentences, the gravest first.

Each finding looks at what was read and says what is wrong, since when or how much, and what follows from it. A sentence
names things as the pages about them do, so that nobody has to look twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from appliance.config import Config
from appliance.delivery.diagnostics import judgements
from appliance.delivery.target_state import TargetState
from appliance.overview.durations import duration
from appliance.overview.facts import Facts
from appliance.queue.processes import HEARTBEAT_INTERVAL, ProcessRow

#: Seconds until it is worth a word that a target is behind, a due job waits, a periodic task has not run, and that a
#: process does not answer.
_BEHIND: Final = 30.0
_WAITS: Final = 600.0
_OVERDUE: Final = 180.0
_SILENT: Final = 4 * HEARTBEAT_INTERVAL
#: Shares of a disk that are free when it is nearly full, and when it is about to be.
_FULL: Final = 0.03
_NEARLY_FULL: Final = 0.1
_MIB: Final = 1 << 20
#: Seconds after which what a host saw of its disks is old.
_STALE: Final = 600.0


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is not all right."""

    #: Whether readers miss something, or soon will.
    is_grave: bool
    #: What is wrong, without a period.
    sentence: str
    #: More about it, as sentences.
    more: str = ""
    #: The page about it, and the text of the link; empty without one.
    address: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether all is well, in one sentence; what else is wrong comes after it."""

    #: 'good', 'warn' or 'bad'.
    state: str
    sentence: str
    more: str = ""
    address: str = ""
    link: str = ""
    others: Sequence[Trouble] = ()


def judge(config: Config, facts: Facts) -> Verdict:
    """Return the verdict."""
    found = [trouble for find in _FINDINGS for trouble in find(config, facts)]
    found.sort(key=lambda trouble: not trouble.is_grave)
    if not found:
        return Verdict("good", _all_well(config, facts), _on_their_way(facts))
    first, *others = found
    state = "bad" if first.is_grave else "warn"
    return Verdict(state, first.sentence, first.more, first.address, first.link, others)


def _all_well(config: Config, facts: Facts) -> str:
    number = len(config.targets)
    if facts.visibility.sites is not None:
        return f"All is well on your site{'s' if len(facts.visibility.sites) != 1 else ''}"
    if not facts.visibility.targets or not number:
        return "All is well: everything is published"
    if any(not target.level for target in facts.work.targets):
        return f"All is well: new pages are on their way to {counted(number, 'front end')}"
    return "Every page is on the front end" if number == 1 else f"Every page is on all {number} front ends"


def _on_their_way(facts: Facts) -> str:
    totals = facts.work.totals
    if not totals.pending and not totals.running:
        return "No job waits."
    wait = "waits" if totals.pending == 1 else "wait"
    run = "runs" if totals.running == 1 else "run"
    return f"{counted(totals.pending, 'job')} {wait}, {totals.running:,} {run}."


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 job`, `2 jobs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _docroots(_config: Config, facts: Facts) -> Iterator[Trouble]:
    for disk in facts.surroundings.disks:
        if disk.fault and disk.at > facts.surroundings.at - _STALE:
            yield Trouble(True, f"Nothing can be published from {disk.host}", _sentence(disk.fault))


def _workers(_config: Config, facts: Facts) -> Iterator[Trouble]:
    """Jobs wait, and nobody takes them."""
    totals, now = facts.work.totals, facts.work.at
    if not facts.visibility.processes or not totals.pending:
        return
    workers = [row for row in facts.work.processes if row.role == "worker" and not _is_silent(row, now)]
    waits = now - (totals.oldest_at or now)
    if not workers and waits > _BEHIND:
        sentence = f"No worker runs, and {counted(totals.pending, 'job')} {'waits' if totals.pending == 1 else 'wait'}"
        more = "Start the service, or publish by “appliance drain”."
        yield Trouble(True, sentence, more, "/processes", "Processes")
    elif workers and all(row.request == "pause" for row in workers):
        more = f"{counted(totals.pending, 'job')} {'waits' if totals.pending == 1 else 'wait'}."
        yield Trouble(False, "All workers are paused", more, "/processes", "Processes")
    elif waits > _WAITS:
        more = f"{counted(totals.pending, 'job')} {'is' if totals.pending == 1 else 'are'} waiting in all."
        sentence = f"The oldest job that is due has been waiting for {duration(waits)}"
        yield Trouble(False, sentence, more, "/jobs?q=state:pending", "Jobs")


def _front_ends(config: Config, facts: Facts) -> Iterator[Trouble]:
    """Front ends that are behind for more than a moment, as one trouble, and what else is wrong with targets."""
    names = {target.name for target in config.targets}
    late = [target for target in facts.work.targets if target.name in names and _is_late(target)]
    if late:
        level = len(names) - len(late)
        if level:
            sentence = f"Every page is on {level} of {len(names)} front ends"
        else:
            sentence = "The front end lacks pages" if len(names) == 1 else "No front end has every page"
        is_grave = any(target.error and not target.paused for target in late)
        more = " ".join(_lag(target) for target in sorted(late, key=lambda target: -target.lag)[:3])
        if len(late) > 3:
            more += f" {len(late) - 3} more are behind."
        only = late[0].name if len(late) == 1 else ""
        yield Trouble(is_grave, sentence, more, f"/targets/{only}" if only else "/targets", only or "Front ends")
    for target in facts.work.targets:
        if target in late:
            continue
        address = f"/targets/{target.name}"
        if _is_late(target):
            yield Trouble(False, f"The docroot of {target.name.partition(':')[2]} is behind", _lag(target), address)
        elif target.paused:
            yield Trouble(False, f"{target.name} is paused", "It gets nothing until it is resumed.", address, "Resume")
        elif target.error and target.circuit != "closed":
            yield Trouble(False, f"{target.name} cannot be reached", _error(target), address, target.name)


def _is_late(target: TargetState) -> bool:
    return not target.level and (target.lag > _BEHIND or target.failures >= 3)


def _lag(target: TargetState) -> str:
    behind = f"{target.name} is {duration(target.lag)} behind"
    if target.paused:
        return f"{behind}, since it is paused."
    if target.error:
        return f"{behind}: {_error(target)} It is tried again by itself."
    ahead = " What is published now reaches it first." if target.has_backlog else ""
    return f"{behind}, with {target.waiting:,}{'+' if target.more_waiting else ''} files waiting.{ahead}"


def _error(target: TargetState) -> str:
    first = (target.error or "").strip().partition("\n")[0]
    return _sentence(judgements.strip_target_name(first, target.name))


def _failures(_config: Config, facts: Facts) -> Iterator[Trouble]:
    failed = facts.work.totals.failed
    if not failed.number:
        return
    causes = facts.failures.causes
    jobs = f"{failed} job{'' if failed.number == 1 else 's'}"
    why = f" for {'the same reason' if causes == 1 and failed.number > 1 else counted(causes, 'reason')}"
    sentence = f"{jobs} failed{why if causes else ''}"
    newest = facts.failures.groups[0] if facts.failures.groups else None
    more = f"Last {newest.key}: {_sentence(newest.sentence)}" if newest else ""
    yield Trouble(True, sentence, more, "/failures", "Failures")


def _disks(_config: Config, facts: Facts) -> Iterator[Trouble]:
    for disk in facts.surroundings.disks:
        if disk.free is None or not disk.total or disk.at < facts.surroundings.at - _STALE:
            continue
        share = disk.free / disk.total
        if share < _NEARLY_FULL and disk.free < 5 * 1024 * _MIB:
            more = f"{disk.free // _MIB:,} MiB of {disk.total // _MIB:,} MiB are free."
            what = "docroot" if disk.holds == "docroot" else "database"
            is_full = share < _FULL or disk.free < 200 * _MIB
            sentence = f"The disk of the {what} on {disk.host} is {'almost full' if is_full else 'filling up'}"
            yield Trouble(is_full, sentence, more)


def _schedule(_config: Config, facts: Facts) -> Iterator[Trouble]:
    now = facts.surroundings.at
    late = [task for task in facts.surroundings.tasks if task.next_at is not None and task.next_at < now - _OVERDUE]
    ran = [task for task in late if task.due_at is not None]
    if ran:
        first = min(ran, key=lambda task: task.next_at or 0)
        more = f"{first.name} has been due for {duration(now - (first.next_at or now))}."
        yield Trouble(False, "Periodic tasks do not run", more, "/schedule", "Schedule")
    for task in facts.surroundings.tasks:
        if task.error:
            sentence = f"The periodic task {task.name} failed"
            yield Trouble(False, sentence, _sentence(task.error.partition("\n")[0]), "/schedule", "Schedule")


def _sources(_config: Config, facts: Facts) -> Iterator[Trouble]:
    for source in facts.surroundings.sources:
        if source.error:
            sentence = f"The last pull of the source {source.name} failed"
            yield Trouble(False, sentence, _sentence(source.error.partition("\n")[0]), "/schedule", "Sources")


def _conflicts(_config: Config, facts: Facts) -> Iterator[Trouble]:
    found = facts.surroundings.conflicts
    if found:
        more = " ".join(_sentence(sentence) for sentence in found[:3])
        if len(found) > 3:
            more += f" {len(found) - 3} more; “appliance status” lists them."
        yield Trouble(False, f"{counted(len(found), 'file')} cannot be published", more)


def _processes(_config: Config, facts: Facts) -> Iterator[Trouble]:
    silent = [row for row in facts.work.processes if _is_silent(row, facts.work.at)]
    if silent:
        more = ", ".join(f"{row.role} {row.name}" for row in silent[:3]) + ("…" if len(silent) > 3 else ".")
        sentence = "1 process does not answer" if len(silent) == 1 else f"{len(silent)} processes do not answer"
        yield Trouble(False, sentence, more, "/processes", "Processes")


def _is_silent(row: ProcessRow, now: float) -> bool:
    return row.beat_at < now - _SILENT


def _sentence(text: str) -> str:
    """A text as a sentence: with a capital letter unless it begins with a path or a name, and a period."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


#: What is looked for, the gravest first.
_FINDINGS: Final[tuple[Callable[[Config, Facts], Iterator[Trouble]], ...]] = (
    _docroots,
    _workers,
    _front_ends,
    _failures,
    _disks,
    _schedule,
    _processes,
    _sources,
    _conflicts,
)

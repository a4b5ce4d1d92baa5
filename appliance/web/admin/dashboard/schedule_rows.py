"""Periodic tasks and sources as the pages about them show them: each in a state, with its last and its next time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from appliance.importing.sources import SourceState
from appliance.queue.models import State
from appliance.queue.periodic import TaskOverview
from appliance.web.admin.pages.own_addresses import with_query

#: Seconds after its due time from which a task is called late.
_LATE: Final = 60.0
#: Names that a sentence lists.
_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A periodic task."""

    overview: TaskOverview
    does: str

    @property
    def name(self) -> str:
        """Its name, which one asks for it by."""
        return self.overview.state.name

    @property
    def address(self) -> str:
        """The page about it."""
        return with_query("/schedule/task", name=self.name)

    @property
    def when(self) -> str:
        """Its rule in words."""
        rule = self.overview.task.rule
        return rule.words if rule else "when there is something to do"

    @property
    def state(self) -> tuple[str, str]:
        """Its state in words, and the kind of the mark: good, off, bad or busy."""
        known = self.overview.state
        if self.overview.runs_on:
            return f"running on {self.overview.runs_on}", "busy"
        if self.overview.is_asked_for:
            return "asked for", "busy"
        if known.error:
            return "failed", "bad"
        return ("done", "good") if known.done_at is not None else ("not yet", "off")

    def is_late(self, now: float) -> bool:
        """Whether it should have run some time ago."""
        next_at = self.overview.state.next_at
        return next_at is not None and next_at < now - _LATE and not self.overview.runs_on


@dataclass(frozen=True, slots=True)
class ShownSource:
    """A source, the place of which is for those alone who may pull it."""

    known: SourceState
    may_pull: bool
    #: Of an open pull: `pending` or `running`, and its worker.
    job: tuple[State, str] | None
    #: When it is pulled by itself next, if that is known.
    next_at: float | None

    @property
    def address(self) -> str:
        """The page about it."""
        return f"/sites/{self.known.site}/sources/{self.known.name}"

    @property
    def state(self) -> tuple[str, str]:
        """Its state in words, and the kind of the mark: good, off, bad or busy."""
        if self.job is not None:
            state, worker = self.job
            return (f"being pulled by {worker}" if state == "running" else "waits for a worker"), "busy"
        marks = {"changed": ("changed", "good"), "unchanged": ("unchanged", "good"), "failed": ("failed", "bad")}
        return marks.get(self.known.outcome, ("never pulled", "off"))


def shown_tasks(found: Sequence[TaskOverview], describe: Callable[[str], str]) -> list[ShownTask]:
    """Return periodic tasks with what they do."""
    return [ShownTask(each, describe(each.state.name)) for each in found]


def shown_sources(
    states: Sequence[SourceState],
    jobs: Mapping[str, tuple[State, str]],
    due: Mapping[str, float | None],
    may_pull: Collection[str],
) -> list[ShownSource]:
    """Return sources with their open pulls.

    Args:
        states: the states of the sources.
        jobs: open pulls by `SITE/SOURCE`.
        due: when periodic tasks are due, by name.
        may_pull: the sites whose sources the user may pull.
    """
    return [
        ShownSource(
            state if state.site in may_pull else replace(state, place=""),
            state.site in may_pull,
            jobs.get(f"{state.site}/{state.name}"),
            due.get(f"pull {state.site}/{state.name}"),
        )
        for state in states
    ]


def summary(tasks: Sequence[ShownTask], now: float, *, is_run: bool) -> tuple[str, str]:
    """Return the state of all tasks as good, warn or bad, and as a sentence.

    Args:
        tasks: the tasks.
        now: the time of the database.
        is_run: whether any process runs them.
    """
    if failed := [task.name for task in tasks if task.state[1] == "bad"]:
        return "bad", f"{_counted(len(failed))} failed at the last run: {_listed(failed)}."
    if late := [task.name for task in tasks if task.is_late(now)]:
        who = "" if is_run else " No process runs them."
        return "bad", f"{_counted(len(late))} {'is' if len(late) == 1 else 'are'} late: {_listed(late)}.{who}"
    if not is_run:
        return "warn", "No process runs the schedule; tasks run only where cron calls appliance periodic."
    return "good", f"{_counted(len(tasks))}, all of which ran as they should."


def _counted(number: int) -> str:
    return "1 periodic task" if number == 1 else f"{number:,} periodic tasks"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")

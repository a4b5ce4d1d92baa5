"""Progress of a long command: a bar on a terminal, or a line every few seconds elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from appliance import clock
from appliance.tasks.command_line import console

#: Seconds between two lines where there is no terminal.
_INTERVAL: Final = 5.0


class ProgressBar:
    """Shows how far a command has come. Without a `unit` it draws once per percent.

    With a `unit` such as `jobs` it also shows counts and the rate, and prints lines where there is no terminal.
    """

    def __init__(self, verb: str, unit: str = "") -> None:
        self._verb = verb
        self._unit = unit
        self._progress: Progress | None = None
        self._printed_at = clock.monotonic()
        self._percent = -1

    def __enter__(self) -> Self:
        if console().is_terminal:
            counts = [MofNCompleteColumn(), _Rate()] if self._unit else [TaskProgressColumn()]
            # Drawn in `update`: a thread that draws must not be alive when worker processes are forked.
            self._progress = Progress(
                TextColumn(self._verb),
                BarColumn(),
                *counts,
                TimeRemainingColumn(),
                console=console(),
                auto_refresh=False,
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task("")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    def update(self, done: int, total: int, *_: int) -> None:
        """Show that `done` of `total` are done."""
        if self._progress:
            percent = 100 * done // max(total, 1)
            if self._unit or percent != self._percent:
                self._percent = percent
                self._progress.update(self._task, completed=done, total=total, refresh=True)
        elif self._unit and clock.monotonic() - self._printed_at > _INTERVAL:
            self._printed_at = clock.monotonic()
            print(f"{done:,} of {total:,} {self._unit}", flush=True)


class _Rate(ProgressColumn):
    """The number of steps per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")

"""Publishing: plan and enqueue, drain the queue, work as a daemon, and see how it stands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from invoke import Context, task
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from appliance import clock, publishing, running
from appliance.config import Config, QueueSettings
from appliance.delivery import courier, marker
from appliance.delivery import metrics as figures
from appliance.delivery.cursors import TargetState
from appliance.delivery.targets import everywhere
from appliance.planning.plan import Plan, Wish
from appliance.queue import store
from appliance.queue.kinds import registry
from appliance.tasks.console import command, leave, opened, out, tell, tell_json, warn
from appliance.tasks.plan_views import explained_json, plan_json, plan_line, show_explained
from appliance.tasks.target_views import target_json


@task(
    iterable=["site", "match"],
    auto_shortflags=False,
    help={
        "all": "Ask for every artifact: one nothing of which changed is only looked after, and put back if it is gone.",
        "allow-removals": "Delete however large a part of the site is no longer wanted.",
        "force": "Build everything, or what the patterns name, whether anything of it changed or not.",
        "json": "One JSON document instead of lines.",
        "limit": "With --plan: list at most this many files of the same reasons; 0 for all.",
        "match": "Build the artifacts whose path below the docroot matches this pattern; may be repeated,"
        " and patterns may also follow plainly.",
        "plan": "Say what would be built and deleted, and why; nothing is changed.",
        "site": "Only this site; may be repeated.",
        "verbose": "Show the stack trace of an error.",
    },
)
@command
def publish(
    context: Context, match: Sequence[str] | None = None, site: Sequence[str] | None = None, all: bool = False,
    plan: bool = False, force: bool = False, allow_removals: bool = False, limit: int = 10, json: bool = False,
    verbose: bool = False,
) -> None:  # fmt: skip
    """Plan what the changes since the last time touch, and put it on the queue; with --plan only say what that is."""
    patterns = [*(match or ()), *shlex.split(context.remainder or "")]
    wish = Wish(everything=all, force=force, patterns=patterns, allow_removals=allow_removals, explain=plan)
    with opened() as (config, _):
        began = clock.monotonic()
        plans = publishing.publish(config, list(site or ()), wish)
        if json:
            tell_json([explained_json(one) if plan else plan_json(one) for one in plans])
        elif plan:
            _explain(plans, limit)
        else:
            for one in plans:
                tell(plan_line(one, clock.monotonic() - began))
            if away := marker.fault(config):
                warn(f"It waits on the queue: {away}")
    faults = [fault for one in plans for fault in (*one.faults, one.refusal) if fault]
    if patterns and not any(one.answers.total() for one in plans):
        faults.append(
            f"No artifact matches {' or '.join(patterns)}; a pattern is matched with the whole path below the docroot,"
            " such as 2026/*/index.html."
        )
    if faults:
        leave("\n".join(faults), 1)


def _explain(plans: Sequence[Plan], limit: int) -> None:
    shown = [show_explained(plan, limit) for plan in plans]
    if any(shown):
        warn(f"Only the first {limit:,} files of the same reasons are listed; --limit 0 lists all.")


_LIMITS = {
    "workers": "Worker processes; those of the settings when not given.",
    "pause": "Seconds each worker rests between two jobs.",
    "rate": "Jobs a second each worker starts at most.",
    "memory": "MiB of memory above which a worker is replaced by a fresh one.",
    "jobs-per-worker": "Jobs after which a worker is replaced by a fresh one.",
}


def _limited(config: Config, **limits: float) -> Config:
    """The settings with the limits that were given on the command line."""
    given = {name: value for name, value in limits.items() if value}
    if not given:
        return config
    queue = QueueSettings.model_validate(config.queue.model_dump() | given)
    return config.model_copy(update={"queue": queue})


@task(
    help={
        **_LIMITS,
        "limit": "Work on this many jobs at most.",
        "verbose": "Tell every push to standard error, and show the stack trace of an error.",
    }
)
@command
def drain(
    _context: Context,
    workers: int = 0,
    limit: int = 0,
    pause: float = 0.0,
    rate: float = 0.0,
    memory: int = 0,
    jobs_per_worker: int = 0,
    verbose: bool = False,
) -> None:
    """Work until nothing waits and every target is level; exit status 1 when jobs failed, 2 when a target lags."""
    with opened() as (config, _), _Meter() as meter:
        began = clock.monotonic()
        drained = running.drain(
            _limited(config, pause=pause, rate=rate, memory=memory, jobs_per_worker=jobs_per_worker),
            workers=workers or None,
            limit=limit or None,
            report=warn if verbose else courier.silence,
            progress=meter.show,
        )
        seconds = clock.monotonic() - began
    _tell_drained(drained, seconds)


@task(
    help={
        **_LIMITS,
        "only": f"Run only these of the host's processes, separated by commas: {', '.join(running.PARTS)}.",
        "once": "End when no job is due, for cron and timers; wait neither for retries nor for targets.",
        "limit": "With --once: work on this many jobs at most.",
        "verbose": "Tell every push to standard error, and show the stack trace of an error.",
    }
)
@command
def work(
    _context: Context,
    workers: int = 0,
    once: bool = False,
    only: str | None = None,
    limit: int = 0,
    pause: float = 0.0,
    rate: float = 0.0,
    memory: int = 0,
    jobs_per_worker: int = 0,
    verbose: bool = False,
) -> None:
    """Work on whatever comes, until stopped; with --once until nothing is due, exit status 1 when jobs are failed."""
    if limit and not once:
        leave("--limit is for work --once and drain; a daemon has --jobs-per-worker, --pause and --rate", 1)
    parts = running.PARTS if only is None else _parts(only)
    if once and only is not None:
        leave("--only is for the daemon; work --once runs workers and errands, so leave one of the two away", 1)
    with opened() as (plain, _):
        config = _limited(plain, pause=pause, rate=rate, memory=memory, jobs_per_worker=jobs_per_worker)
        if not once:
            report = warn if verbose else courier.silence
            running.work(config, workers=workers or None, only=parts, report=report)
            return
        began = clock.monotonic()
        done = running.work_off(config, workers=workers or None, limit=limit or None)
        seconds = clock.monotonic() - began
    _tell_drained(done, seconds)


def _parts(words: str) -> list[str]:
    """The parts that a command line names, each once."""
    known, parts = ", ".join(running.PARTS), [word.strip() for word in words.split(",")]
    for part in parts:
        if part not in running.PARTS:
            what = f"“{part}” is none of the host's processes" if part else "a name is missing"
            leave(f"--only: {what}; name some of {known}, with commas between them", 1)
    return [part for part in running.PARTS if part in parts]


def _tell_drained(drained: running.Drained, seconds: float) -> None:
    rate = f", {drained.done / seconds:,.0f} a second" if drained.done > 10 else ""
    tell(f"{drained.done} jobs in {seconds:.2f} s{rate}; {drained.changed} files changed")
    for target in drained.targets:
        tell(f"{target.name}: {_standing(target)}")
    for key, message in drained.waiting:
        tell(f"{key}: waits: {message}")
    sentences = [f"{key}: failed: {message}" for key, message in drained.failed]
    if drained.stopped:
        sentences.append("Interrupted; what was not done is kept on the queue.")
    if drained.exit_code:
        leave("\n".join(sentences), drained.exit_code)


@task(
    help={
        "json": "One JSON document instead of lines.",
        "metrics": "Write figures for Prometheus to this file instead, for node_exporter; - for standard output.",
        "verbose": "Show the stack trace of an error.",
    }
)
@command
def status(_context: Context, json: bool = False, metrics: str = "", verbose: bool = False) -> None:
    """Say what is on the queue, what failed, and how far each target is."""
    with opened() as (config, _):
        if metrics:
            _tell_metrics(config, metrics)
            return
        counts, failed, unknown = store.counts(), store.failures(), registry.unknown()
        states, away = courier.status(everywhere(config)), marker.fault(config)
    if json:
        failures = [{"kind": kind, "key": key, "error": message} for kind, key, message in failed]
        known = {"jobs": counts, "failed": failures, "unknown": unknown, "away": away}
        tell_json({**known, "targets": [target_json(t) for t in states]})
        return
    tell("jobs: " + ", ".join(f"{number:,} {state}" for state, number in counts.items()))
    for kind, number in unknown.items():
        tell(f"left alone: {number:,} of the kind “{kind}”, which this release does not know")
    for _, key, message in failed:
        tell(f"failed: {key}: {message}")
    if away:
        tell(f"nothing is published for now: {away}")
    for target in states:
        tell(f"{target.name}: {_standing(target)}")


def _tell_metrics(config: Config, file: str) -> None:
    if file == "-":
        print(figures.text(config).decode(), end="")
    else:
        figures.write(config, Path(file).absolute())


def _standing(target: TargetState) -> str:
    if target.level:
        return "level"
    error = f"; {target.error}" if target.error else ""
    return f"behind by {target.waiting} files, for {target.lag:.0f} s{error}"


class _Rate(ProgressColumn):
    """Jobs a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")


class _Meter:
    """How far a drain has come: a bar on a terminal, a line every few seconds elsewhere."""

    _EVERY = 5.0

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._told = clock.monotonic()

    def __enter__(self) -> Self:
        if out.is_terminal:
            # Drawn by our own calls: a drawing thread must not be alive when processes are forked.
            self._bar = Progress(
                TextColumn("publishing"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn(),
                console=out, auto_refresh=False, transient=True,
            )  # fmt: skip
            self._bar.start()
            self._task = self._bar.add_task("")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def show(self, done: int, total: int, _behind: int) -> None:
        """Draw or tell it."""
        if self._bar:
            self._bar.update(self._task, completed=done, total=total, refresh=True)
        elif clock.monotonic() - self._told > self._EVERY:
            self._told = clock.monotonic()
            print(f"{done:,} of {total:,} jobs", flush=True)

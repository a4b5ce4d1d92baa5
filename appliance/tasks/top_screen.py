"""What `top` shows: the overview as text, the most important first, so that a small terminal cuts off the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from appliance.config import Config
from appliance.overview import rows
from appliance.overview.durations import duration, relative
from appliance.overview.facts import Facts
from appliance.overview.flow import Point, Series
from appliance.overview.troubles import Verdict, counted, judge
from appliance.terminal_text import escape_line

#: The styles of marks.
_STYLES: Final = {"good": "green", "busy": "cyan", "warn": "yellow", "bad": "bold red", "off": "dim"}
_BARS: Final = " ▁▂▃▄▅▆▇█"


def screen(config: Config, facts: Facts, series: Series) -> Group:
    """Return all of it."""
    return Group(*_parts(config, facts, series))


def away(reason: str) -> Text:
    """Return what is shown while the database is away."""
    return _text(f"● The database cannot be read: {reason}", "bold red")


def _parts(config: Config, facts: Facts, series: Series) -> Iterator[RenderableType]:
    yield from _verdict(judge(config, facts))
    yield Text()
    yield _numbers(config, facts)
    if series.hour:
        yield Text()
        yield _files(series.hour)
    if facts.work.targets:
        yield from _titled("Front ends", _targets(facts))
    if facts.failures.groups:
        yield from _titled("Last failures", _failures(facts))
    yield from _titled("Hosts", _hosts(facts))
    yield from _titled("Next on the schedule", _tasks(facts))


def _verdict(verdict: Verdict) -> Iterator[Text]:
    style = _STYLES[verdict.state]
    yield Text.assemble(("● ", style), (escape_line(verdict.sentence), "bold"))
    if verdict.more:
        yield _text(f"  {verdict.more}", "dim")
    for trouble in verdict.others:
        mark = ("● ", _STYLES["bad" if trouble.is_grave else "warn"])
        yield Text.assemble(mark, f"{escape_line(trouble.sentence)}. ", (escape_line(trouble.more), "dim"))


def _numbers(config: Config, facts: Facts) -> Table:
    totals, flow = facts.work.totals, facts.flow
    oldest = facts.work.at - totals.oldest_at if totals.oldest_at is not None else 0.0
    share = f"{flow.unchanged:.0%} unchanged" if flow.unchanged is not None else ""
    causes = counted(facts.failures.causes, "reason") if totals.failed.number else ""
    goal = "everywhere" if config.targets else "published"
    return _table(
        ["waiting", "running", "failed", "done in the last hour", f"change → {goal}"],
        [
            [
                f"{totals.pending:,}", f"{totals.running:,}",
                Text(str(totals.failed), "bold red" if totals.failed.number else ""), f"{flow.done:,}",
                _latency(flow.overall.median),
            ],
            [
                Text(f"oldest {duration(oldest)}" if oldest > 0 else "", "dim"),
                Text(counted(totals.hosts, "host") if totals.running else "", "dim"), Text(causes, "dim"),
                Text(share, "dim"), Text(f"99 %: {_latency(flow.overall.most)}", "dim"),
            ],
        ],
    )  # fmt: skip


def _files(hour: Sequence[Point]) -> Text:
    """A bar for each minute of the last hour."""
    most = max(point.published for point in hour)
    bars = "".join(_BARS[-(-8 * point.published // most) if most else 0] for point in hour)
    return Text.assemble(("files a minute ", "dim"), (bars, "cyan"), (f" {most:,} at most", "dim"))


def _targets(facts: Facts) -> Table:
    return _table(
        ["target", "state", ">lag", ">files waiting", "last push"],
        [
            [
                row.name, Text(row.state, _STYLES[row.mark]), "" if row.lag is None else duration(row.lag), row.waiting,
                "never" if row.pushed_at is None else relative(row.pushed_at - facts.work.at),
            ]
            for row in rows.target_rows(facts)
        ],
    )  # fmt: skip


def _failures(facts: Facts) -> Table:
    return _table(
        [">jobs", "last", "what is wrong"],
        [
            [str(group.number), relative(group.last_at - facts.work.at), group.sentence or group.error_class]
            for group in facts.failures.groups
        ],
    )


def _hosts(facts: Facts) -> Table:
    disks = {
        name: ", ".join(
            f"{disk.free} ({disk.share} %) for the {disk.holds}"
            for disk in rows.disk_rows(facts)
            if disk.host == name and disk.free
        )
        for name in {disk.host for disk in facts.surroundings.disks}
    }
    found: list[list[str | Text]] = [
        [host.name, f"{host.roles}{f' ({host.paused} paused)' if host.paused else ''}", f"{host.jobs:,}", host.memory,
         disks.pop(host.name, "")]
        for host in rows.host_rows(facts)
    ]  # fmt: skip
    found += [[name, Text("nothing runs", "dim"), "", "", free] for name, free in sorted(disks.items())]
    return _table(["host", "runs", ">jobs", ">memory", "free on disk"], found)


def _tasks(facts: Facts) -> Table:
    now = facts.surroundings.at
    return _table(
        ["task", "next", "last"],
        [
            [task.name, "due" if (task.next_at or 0) < now else relative((task.next_at or now) - now),
             Text("failed", "bold red") if task.error else relative(task.done_at - now) if task.done_at else "never"]
            for task in rows.task_rows(facts)
        ],
    )  # fmt: skip


def _latency(seconds: float | None) -> str:
    return "–" if seconds is None else duration(seconds)


def _titled(title: str, body: RenderableType) -> Iterator[RenderableType]:
    yield Text()
    yield Text(title, "bold")
    yield body


def _table(heads: Sequence[str], lines: Sequence[Sequence[str | Text]]) -> Table:
    """A table; the name of a column of numbers begins with `>`."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for head in heads:
        is_last = head == heads[-1]
        table.add_column(
            head.removeprefix(">"), justify="right" if head.startswith(">") else "left", no_wrap=not is_last,
            overflow="ellipsis" if not is_last else "fold",
        )  # fmt: skip
    for line in lines:
        table.add_row(*(cell if isinstance(cell, Text) else Text(escape_line(cell)) for cell in line))
    return table


def _text(text: str, style: str) -> Text:
    return Text(escape_line(text), style)

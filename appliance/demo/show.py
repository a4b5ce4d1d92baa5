"""The demonstration: a site of its own, two front ends of its own, and how soon they show what somebody says.

    front ends ─► content ─► publish ─► drain ─► daemon ─► a comment, timed ─► level ─► compared ─► all ended

Guarantees that it may be run again in the same folder, after a run that was killed too, and that it leaves no
process behind.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from appliance import clock, publishing, running
from appliance.config import Config
from appliance.content import comments
from appliance.delivery import courier
from appliance.delivery.targets import targets
from appliance.demo import folder as folders
from appliance.demo import frontend, mirror, sample
from appliance.demo.daemon import Daemon
from appliance.demo.frontend import FrontEnd
from appliance.demo.reader import await_text
from appliance.errors import DemoError
from appliance.planning.plan import Wish
from appliance.queue import store
from appliance.queue.wakeup import DatabaseWake

WORKERS = 2

#: Names of the front ends.
NAMES = ("front1", "front2")

#: Seconds a comment, and all that follows from it, may take at most.
_PATIENCE = 30.0

#: Differences that are named one by one.
_NAMED = 3


class Audience(Protocol):
    """To whom the demonstration is shown."""

    def begin(self, what: str) -> None:
        """A step begins."""

    def end(self, result: str, seconds: float) -> None:
        """It has come to a good end, in so many seconds."""

    def figure(self, sentence: str) -> None:
        """What the demonstration is for."""


@dataclass(frozen=True)
class Shown:
    """What a demonstration came to."""

    #: Milliseconds from before the comment was saved until it was readable, by front end.
    milliseconds: dict[str, float]
    #: Files that are the same in the docroot and on every front end.
    files: int


@dataclass(frozen=True)
class Stage:
    """What stands while the block of `stage` runs: an installation with front ends, everything published."""

    config: Config
    front_ends: list[FrontEnd]
    daemon: Daemon


@contextmanager
def stage(folder: Path, audience: Audience) -> Iterator[Stage]:
    """Set up everything in `folder` and publish it; the daemon works while the block runs, then all is ended.

    Raises:
        DemoError, DeliveryError: a sentence says what is missing or went wrong.
    """
    frontend.require_programs()
    folder = folder.absolute()
    with ExitStack() as stack:
        lock = stack.enter_context(folders.claim(folder))
        temporary = stack.enter_context(folders.temporary(folder))
        front_ends = [FrontEnd(folder / name, sample.key_file(folder), name) for name in NAMES]
        with _step(audience, "Front ends") as tell:
            for front_end in front_ends:
                stack.enter_context(front_end)
            frontend.pin(sample.known_hosts_file(folder), front_ends)
            tell(" and ".join(front_end.url for front_end in front_ends))
        config = sample.write_settings(folder, temporary, front_ends)
        stack.enter_context(publishing.installation(config))
        _bring_content(config, audience)
        _publish(config, audience)
        with _step(audience, "Daemon") as tell:
            daemon = stack.enter_context(Daemon(config, temporary, lock))
            tell("waits for work, connected to both front ends")
        yield Stage(config, front_ends, daemon)


def perform(standing: Stage, audience: Audience) -> Shown:
    """Post a comment, measure how soon both front ends show it, and compare all docroots.

    Raises:
        DemoError: the comment did not arrive, a target lags, a job failed, or files differ.
    """
    milliseconds = _comment(standing, audience)
    with _step(audience, "Level") as tell:
        _await_level(standing.config)
        tell("nothing waits, both front ends have confirmed everything")
    with _step(audience, "Compared") as tell:
        found = mirror.compare(standing.config.docroot, [f.docroot for f in standing.front_ends])
        if found.differences:
            more = f", and {len(found.differences) - _NAMED} more" if len(found.differences) > _NAMED else ""
            raise DemoError(f"the front ends differ from the docroot: {'; '.join(found.differences[:_NAMED])}{more}")
        tell(f"docroot and both front ends are byte-identical: {found.files} files, {found.bytes / 1e6:.1f} MB")
    return Shown(milliseconds, found.files)


def await_end(standing: Stage) -> None:
    """Wait until somebody interrupts.

    Raises:
        DemoError: the daemon or a server has ended by itself.
    """
    handles = {os.pidfd_open(standing.daemon.process.pid): "the daemon"}
    handles |= {os.pidfd_open(pid): f"a server of {f.name}" for f in standing.front_ends for pid in f.pids}
    try:
        ended = select.select(list(handles), [], [])[0]
        raise DemoError(f"{handles[ended[0]]} has ended; see the logs in {standing.config.path.parent}")
    finally:
        for handle in handles:
            os.close(handle)


def _bring_content(config: Config, audience: Audience) -> None:
    with _step(audience, "Content") as tell:
        report = sample.bring_content(config)
        if report.skipped:
            raise DemoError(f"the sample content cannot be read: {'; '.join(report.lines())}")
        added = sample.bring_comments()
        texts, files = report.texts.total(), report.assets.total()
        new = "" if report.added or added else ", all there already"
        tell(f"{texts} texts, {files} pictures, {sample.comment_count()} comments{new}")


def _publish(config: Config, audience: Audience) -> None:
    with _step(audience, "Planned") as tell:
        # Everything, so that a docroot that somebody emptied is filled again; what is there is not written.
        (plan,) = publishing.publish(config, wish=Wish(everything=True))
        if plan.faults:
            raise DemoError(f"the sample site cannot be published: {'; '.join(plan.faults)}")
        tell(f"{plan.wanted} files to publish, each a job on the queue")
    with _step(audience, "Published") as tell:
        drained = running.drain(config, workers=WORKERS)
        if drained.stopped:
            raise KeyboardInterrupt
        _require_all_well(config, drained.failed)
        tell(f"{drained.done} jobs by {WORKERS} workers, sent to both front ends")


def _require_all_well(config: Config, failed: Sequence[tuple[str, str]]) -> None:
    if failed:
        path, message = failed[0]
        raise DemoError(f"{len(failed)} jobs failed, the first of them {path}: {message}")
    for target in courier.status(targets(config)):
        if not target.level:
            raise DemoError(f"{target.name} lags by {target.waiting} files: {target.error or 'no error was reported'}")


def _comment(standing: Stage, audience: Audience) -> dict[str, float]:
    entry = sample.newest_entry()
    # The moment makes it a text that no page has said before.
    text = f"Posted by the demo at {clock.local(clock.now()):%Y-%m-%d %H:%M:%S.%f} UTC."
    audience.begin("Comment")
    began = clock.monotonic()
    comments.add(entry, "A reader", text, actor=sample.SOURCE)
    publishing.publish(standing.config)
    seen = await_text(standing.front_ends, sample.address_of(entry), text, _PATIENCE)
    milliseconds = {name: 1000 * (moment - began) for name, moment in seen.items()}
    if late := [f.url for f in standing.front_ends if f.name not in seen]:
        raise DemoError(
            f"the comment is not on {' and '.join(late)} after {_PATIENCE:.0f} s; see {standing.daemon.log}"
        )
    each = ", ".join(f"{name} after {milliseconds[name]:.0f} ms" for name in sorted(milliseconds))
    audience.end(f"on “{entry.title}”: readable on {each}", max(milliseconds.values()) / 1000)
    audience.figure(f"On both front ends {max(milliseconds.values()):.0f} ms after it was posted")
    return milliseconds


def _await_level(config: Config) -> None:
    wake, deadline = DatabaseWake(), clock.monotonic() + _PATIENCE
    while store.unfinished() or not all(target.level for target in courier.status(targets(config))):
        if clock.monotonic() > deadline:
            break
        wake.wait(0.2)
    _require_all_well(config, [(key, message) for _, key, message in store.failures()])


@contextmanager
def _step(audience: Audience, what: str) -> Iterator[Callable[[str], None]]:
    """A step, with its time; what the block tells last is its result."""
    audience.begin(what)
    began, said = clock.monotonic(), [""]
    yield lambda result: said.__setitem__(0, result)
    audience.end(said[0], clock.monotonic() - began)

"""The demo: it publishes a sample site to two front ends, then measures how soon a new comment appears on both.

    front ends ─► content ─► publish ─► drain ─► daemon ─► a comment, timed ─► search ─► level ─► compared ─► all ended

The comment goes the way of a reader's: through the form of a page, nginx, the web process and the intake.

It can run again in the same folder, even after a run that was killed, and leaves no process behind.
"""

from __future__ import annotations

import http.client
import os
import select
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from appliance import clock, installation, publishing, running
from appliance.config import Config
from appliance.db.listener import CommitListener
from appliance.delivery import target_state
from appliance.delivery.targets import front_ends
from appliance.demo import comparison, frontend, sample
from appliance.demo import folder as folders
from appliance.demo.comment_form import open_form
from appliance.demo.daemon import Daemon
from appliance.demo.frontend import FrontEnd
from appliance.demo.nginx import Upstream
from appliance.demo.reader import count_results, wait_for_text
from appliance.errors import DemoError
from appliance.planning.plan import PublishOptions
from appliance.queue import store

WORKERS = 2

#: The names of the front ends.
NAMES = ("front1", "front2")

#: The most seconds until a comment, and everything it changes, is published.
_TIMEOUT = 30.0

#: The most differences to list.
_LISTED = 3


class Reporter(Protocol):
    """Receives the progress of the demo."""

    def begin(self, step: str) -> None:
        """Report that a step begins."""

    def end(self, result: str, seconds: float) -> None:
        """Report that the step succeeded, and how many seconds it took."""

    def figure(self, sentence: str) -> None:
        """Report the main figure of the demo."""


@dataclass(frozen=True)
class DemoResult:
    """The result of a demo."""

    #: Milliseconds from before the form was sent until the comment was readable, by front end.
    milliseconds: dict[str, float]
    #: The number of files, identical in the docroot and on every front end.
    files: int


@dataclass(frozen=True)
class RunningDemo:
    """A running demo: an installation, its front ends and its daemon."""

    config: Config
    front_ends: list[FrontEnd]
    daemon: Daemon


@contextmanager
def start_demo(folder: Path, reporter: Reporter) -> Iterator[RunningDemo]:
    """Set up the demo in `folder` and publish the site. The daemon runs until the block ends.

    Raises:
        DemoError, DeliveryError: a program is missing, or a step failed.
    """
    frontend.require_programs()
    folder = folder.absolute()
    with ExitStack() as stack:
        lock = stack.enter_context(folders.lock_folder(folder))
        temporary = stack.enter_context(folders.socket_folder(folder))
        upstream = Upstream(sample.WEB_PATH, sample.web_address(temporary))
        front_ends = [FrontEnd(folder / name, sample.key_file(folder), name, upstream=upstream) for name in NAMES]
        with _step(reporter, "Front ends") as finish:
            for front_end in front_ends:
                stack.enter_context(front_end)
            frontend.write_known_hosts(sample.known_hosts_file(folder), front_ends)
            finish(" and ".join(front_end.url for front_end in front_ends))
        config = sample.write_settings(folder, temporary, front_ends)
        stack.enter_context(installation.open_installation(config))
        _import_content(config, reporter)
        _publish(config, reporter)
        with _step(reporter, "Daemon") as finish:
            daemon = stack.enter_context(Daemon(config, temporary, lock))
            address = sample.address_of(sample.newest_entry())
            for front_end in front_ends:
                open_form(front_end, address, _TIMEOUT)
            finish("waiting for work, connected to both front ends, which reach the web process")
        yield RunningDemo(config, front_ends, daemon)


def time_comment(demo_site: RunningDemo, reporter: Reporter) -> DemoResult:
    """Post a comment, measure how soon both front ends show it, search, and compare all docroots.

    Raises:
        DemoError: the comment did not appear, the search finds nothing, a target lags, a job failed, or files differ.
    """
    milliseconds = _post_comment(demo_site, reporter)
    _search(demo_site, reporter)
    with _step(reporter, "Level") as finish:
        _wait_until_level(demo_site.config)
        finish("the queue is empty, both front ends have confirmed everything")
    with _step(reporter, "Compared") as finish:
        found = comparison.compare_folders(demo_site.config.docroot, [f.docroot for f in demo_site.front_ends])
        if found.differences:
            more = f", and {len(found.differences) - _LISTED} more" if len(found.differences) > _LISTED else ""
            raise DemoError(f"the front ends differ from the docroot: {'; '.join(found.differences[:_LISTED])}{more}")
        finish(f"docroot and both front ends are byte-identical: {found.files} files, {found.bytes / 1e6:.1f} MB")
    return DemoResult(milliseconds, found.files)


def wait_for_exit(demo_site: RunningDemo) -> None:
    """Wait until the person interrupts the demo.

    Raises:
        DemoError: the daemon or a server has ended by itself.
    """
    handles = {os.pidfd_open(demo_site.daemon.process.pid): "the daemon"}
    handles |= {os.pidfd_open(pid): f"a server of {f.name}" for f in demo_site.front_ends for pid in f.pids}
    try:
        ended = select.select(list(handles), [], [])[0]
        raise DemoError(f"{handles[ended[0]]} has ended; see the logs in {demo_site.config.path.parent}")
    finally:
        for handle in handles:
            os.close(handle)


def _import_content(config: Config, reporter: Reporter) -> None:
    with _step(reporter, "Content") as finish:
        report = sample.import_content(config)
        if report.skipped:
            raise DemoError(f"the sample content cannot be read: {'; '.join(report.lines())}")
        added = sample.add_comments()
        texts, files = report.texts.total(), report.assets.total()
        new = "" if report.added or added else ", all of it present already"
        finish(f"{texts} texts, {files} pictures, {sample.comment_count()} comments{new}")


def _publish(config: Config, reporter: Reporter) -> None:
    with _step(reporter, "Planned") as finish:
        # Publish everything, to fill a docroot that was emptied. Files that exist are not rebuilt.
        (plan,) = publishing.publish(config, options=PublishOptions(everything=True))
        if plan.faults:
            raise DemoError(f"the sample site cannot be published: {'; '.join(plan.faults)}")
        finish(f"{plan.artifact_count} files to publish, each a job on the queue")
    with _step(reporter, "Published") as finish:
        drained = running.drain(config, workers=WORKERS)
        if drained.interrupted:
            raise KeyboardInterrupt
        _require_success(config, drained.failed)
        finish(f"{drained.jobs_done} jobs by {WORKERS} workers, sent to both front ends")


def _require_success(config: Config, failed: Sequence[tuple[str, str]]) -> None:
    if failed:
        path, message = failed[0]
        raise DemoError(f"{len(failed)} jobs failed, the first of them {path}: {message}")
    for target in target_state.read_all(front_ends(config)):
        if not target.level:
            raise DemoError(f"{target.name} lags by {target.waiting} files: {target.error or 'no error was reported'}")


def _post_comment(demo_site: RunningDemo, reporter: Reporter) -> dict[str, float]:
    entry = sample.newest_entry()
    address = sample.address_of(entry)
    # With the time the text is new to every page.
    text = f"Posted by the demo at {clock.to_datetime(clock.now()):%Y-%m-%d %H:%M:%S.%f} UTC."
    reporter.begin("Comment")
    form = open_form(demo_site.front_ends[0], address, _TIMEOUT)
    with ThreadPoolExecutor(1) as pool:
        began = clock.monotonic()
        sending = pool.submit(form.send, "A reader", text)
        seen = wait_for_text(demo_site.front_ends, address, text, _TIMEOUT, lambda: _is_refused(sending))
        status, _ = sending.result()
    if _is_refused(sending):
        raise DemoError(f"the web process answered the comment with {status}; see {demo_site.daemon.log}")
    milliseconds = {name: 1000 * (moment - began) for name, moment in seen.items()}
    if late := [f.url for f in demo_site.front_ends if f.name not in seen]:
        raise DemoError(
            f"the comment is not on {' and '.join(late)} after {_TIMEOUT:.0f} s; see {demo_site.daemon.log}"
        )
    each = ", ".join(f"{name} after {milliseconds[name]:.0f} ms" for name in sorted(milliseconds))
    reporter.end(f"sent through the form of “{entry.title}”: readable on {each}", max(milliseconds.values()) / 1000)
    reporter.figure(f"On both front ends {max(milliseconds.values()):.0f} ms after it was sent")
    return milliseconds


def _search(demo_site: RunningDemo, reporter: Reporter) -> None:
    """Search on the last front end, as soon as the words of what was imported are known."""
    asked, deadline = demo_site.front_ends[-1], clock.monotonic() + _TIMEOUT
    with _step(reporter, "Search") as finish:
        while not (found := count_results(asked, sample.search_address())):
            if clock.monotonic() > deadline:
                raise DemoError(f"the search finds nothing; see {demo_site.daemon.log}")
            clock.sleep(0.05)
        finish(f"{found} entries with the word “{sample.WORD}”, found on {asked.name}")


def _is_refused(sending: Future[tuple[int, str]]) -> bool:
    """Whether a comment was sent, and not taken. A reader whose comment was taken is led on."""
    return sending.done() and (sending.exception() is not None or sending.result()[0] != http.client.SEE_OTHER)


def _wait_until_level(config: Config) -> None:
    wake, deadline = CommitListener(), clock.monotonic() + _TIMEOUT
    while store.count_unfinished() or not all(target.level for target in target_state.read_all(front_ends(config))):
        if clock.monotonic() > deadline:
            break
        wake.wait(0.2)
    _require_success(config, [(key, message) for _, key, message in store.recent_failures()])


@contextmanager
def _step(reporter: Reporter, name: str) -> Iterator[Callable[[str], None]]:
    """Report a step and its duration. The block calls the yielded function with the result."""
    reporter.begin(name)
    began, results = clock.monotonic(), [""]
    yield results.append
    reporter.end(results[-1], clock.monotonic() - began)

"""The publish queue's rows: what Movable Type promises of it, and where it breaks its own promise."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest

from appliance import clock, db, publishing
from appliance import config as settings
from appliance.building import publish_job as publishing_kind
from appliance.building.docroot import Docroot
from appliance.config import Config, QueueSettings
from appliance.content import comments, entries, sites
from appliance.content.entries import EntryData
from appliance.content.models import Entry, Site
from appliance.delivery import journal
from appliance.installation import open_installation
from appliance.planning.plan import PublishOptions
from appliance.queue import administration, store
from appliance.queue.administration import JobFilter, TextFilter
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.heartbeat import Heartbeat
from appliance.queue.retry import RetryPolicy
from appliance.queue.worker import Batch, JobKind, Worker
from tests.acceptance.conftest import Shell
from tests.local_site import archive, index

AGEING = 60.0


class NoWait:
    def wait(self, timeout: float) -> bool:
        return False


class Host:
    """A publishing host on either database, whose one worker works when it is told to."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.site: Site = sites.sync(config)["blog"]
        self.publisher = publishing_kind.Publisher(config, Docroot.prepare(config))
        retry = publishing_kind.publish_kind(config, Docroot(config.docroot, config.staging_folder)).retry
        self.worker = Worker("here:1", [JobKind("publish", self.publisher.perform, retry)], config.queue, NoWait())

    def save(self, title: str, entry: Entry | None = None, text: str = "") -> Entry:
        data = EntryData(title=title, slug=title.lower(), published_at=1_790_000_000, text=text)
        return entries.save(self.site, data, entry=entry)[0]

    def publish(self, everything: bool = False) -> Counter[str]:
        (plan,) = publishing.publish(self.config, options=PublishOptions(everything=everything))
        return Counter(dict(plan.enqueue_results))

    def work(self) -> None:
        self.worker.run(once=True)

    def text(self, path: str) -> str:
        return (self.config.docroot / path).read_text("utf-8")


@pytest.fixture
def host(database: Config) -> Iterator[Host]:
    made = Host(database)
    yield made
    made.publisher._builder.close()


def page_of(entry: Entry) -> str:
    row = db.execute("SELECT path FROM artifact WHERE type = 'entry' AND subject = ?", [entry.id]).fetchone()
    return str(row[0])


@pytest.mark.conformance("B1")
def test_one_row_a_job_one_job_a_file(host: Host) -> None:
    host.save("One")
    host.publish()
    paths = [path for (path,) in db.execute("SELECT path FROM artifact WHERE wanted ORDER BY path").fetchall()]
    assert len(paths) > 5
    assert [row.key for row in administration.find(JobFilter(), "path", 1000)] == paths
    host.work()
    assert administration.count(JobFilter()) == {"done": len(paths)}
    assert all((host.config.docroot / path).is_file() for path in paths)


@pytest.mark.conformance("B2")
def test_a_file_that_waits_is_not_added_again(host: Host) -> None:
    entry = host.save("One")
    first = host.publish()
    before = [row.id for row in administration.find(JobFilter(), "id", 1000)]
    host.save("One", entry, text="more")
    again = host.publish()
    assert (again["added"], again["follow-up"]) == (0, 0)
    assert 0 < again["coalesced"] <= first["added"] == len(before)
    assert [row.id for row in administration.find(JobFilter(), "id", 1000)] == before


@pytest.mark.conformance("B3")
def test_a_comment_saved_while_its_page_is_built_appears(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """There it never did, and the queue was empty afterwards."""
    entry = host.save("One")
    host.publish()
    host.work()
    host.save("One", entry, text="more")
    host.publish()
    page, said = page_of(entry), [0]
    build = host.publisher._build

    def meanwhile(artifact, makes, now):  # type: ignore[no-untyped-def]
        made = build(artifact, makes, now)
        if artifact.path == page and said[0] < 2:
            said[0] += 1
            comments.add(entry, f"Reader {said[0]}", f"What I say, {said[0]}.")
            answers.append(host.publish())
            comments.add(entry, f"Reader {said[0]}", "And more.")
            answers.append(host.publish())
        return made

    answers: list[Counter[str]] = []
    monkeypatch.setattr(host.publisher, "_build", meanwhile)
    host.work()
    assert [answer["follow-up"] > 0 for answer in answers[:2]] == [True, False]
    assert "What I say, 1." in host.text(page)
    assert "What I say, 2." in host.text(page)
    assert store.count_unfinished() == 0


def forked(body: Callable[[], object]) -> int:
    """Run `body` in a process of its own; its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        body()
        status = 0
    finally:
        os._exit(status)


def ended(children: Sequence[int]) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


@pytest.mark.conformance("B6")
def test_a_claimed_job_is_nobody_elses(database: Config, tmp_path: Path) -> None:
    """Four worker processes, of two hosts as far as the queue can tell."""
    enqueue("k", [JobRequest(f"{n}") for n in range(400)], ageing=AGEING)

    def work(name: str) -> None:
        db.open_database(database)
        taken = []
        while claims := store.claim(name, ["k"], 7, 30.0):
            taken += [claim.key for claim in claims]
            store.complete(dict.fromkeys(claims, "changed"))
        (tmp_path / name).write_text(json.dumps(taken))

    names = ["pub1:1", "pub1:2", "pub2:1", "pub2:2"]
    assert ended([forked(lambda name=name: work(name)) for name in names]) == [0] * 4  # type: ignore[misc]
    taken = Counter(key for name in names for key in json.loads((tmp_path / name).read_text()))
    assert taken == Counter(str(n) for n in range(400))
    assert administration.count(JobFilter()) == {"done": 400}


@pytest.mark.conformance("B7")
def test_a_job_of_a_vanished_worker_is_tried_again_then_failed(database: Config) -> None:
    retries = database.queue.retries
    enqueue("k", [JobRequest("a.html")], ageing=AGEING)

    def take() -> None:
        db.open_database(database)
        os.write(ready, b"." if store.claim("gone:1", ["k"], 1, 30.0) else b"!")
        signal.pause()

    for lost in range(1, retries + 2):
        heard, ready = os.pipe()
        child = forked(take)
        assert os.read(heard, 1) == b"."
        os.kill(child, signal.SIGKILL)
        assert ended([child]) == [-signal.SIGKILL]
        os.close(heard)
        os.close(ready)
        assert store.rescue(retries) == 0  # nobody knows yet
        db.backend().now_at(lost * 31.0)
        assert store.rescue(retries) == 1
        (job,) = administration.find(JobFilter())
        assert (job.failures, job.state) == (lost, "pending" if lost <= retries else "failed")
        db.execute("UPDATE job SET run_at = 0")
        db.backend().now_at(0)
    assert retries == 5
    answers = enqueue("k", [JobRequest("a.html")], ageing=AGEING)
    assert answers["added"] == 1
    assert administration.count(JobFilter()) == {"failed": 1, "pending": 1}


@pytest.mark.conformance("B7")
def test_a_failure_is_counted_once_a_run_and_kept(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """There a failed publish was deleted at once, and a failed sync tried for ever, 14 times counted as 2."""
    # No retry becomes due by itself, however slow the machine is.
    monkeypatch.setattr("appliance.queue.retry.random.uniform", lambda _least, most: 60.0 * most)
    entry = host.save("One")
    host.publish()
    page = page_of(entry)
    (host.config.docroot / page / "in the way").mkdir(parents=True)  # no file can be put here
    wanted = JobFilter(keys=[TextFilter("equals", page)])
    for run in range(1, host.config.queue.retries + 2):
        host.work()
        (job,) = administration.find(wanted)
        assert (job.attempt, job.failures) == (run, run)
        db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")
    host.work()
    (job,) = administration.find(wanted)
    assert (job.state, job.attempt, job.error_class) == ("failed", 6, "IsADirectoryError")
    shown = administration.show(job.id)
    assert shown
    assert "Traceback" in (shown.trace or "")
    (host.config.docroot / page / "in the way").rmdir()
    (host.config.docroot / page).rmdir()
    administration.retry(wanted)
    host.work()
    assert (host.config.docroot / page).is_file()
    assert administration.count(JobFilter(states=["failed"])) == {}


@pytest.mark.conformance("B6")
def test_journal_and_jobs_are_of_one_transaction(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """There one file of 1,063 was on no target and the queue empty: a deadlock's rollback had been swallowed."""
    host.save("One")
    host.publish()
    append, broken = journal.append, [True]

    def fails_once(*arguments):  # type: ignore[no-untyped-def]
        append(*arguments)
        if broken.pop() if broken else False:
            raise OSError("the transaction is rolled back")

    monkeypatch.setattr(journal, "append", fails_once)
    host.work()
    db.execute("UPDATE job SET run_at = 0 WHERE state = 'pending'")
    host.work()
    assert not broken
    assert store.count_unfinished() == 0
    published = {path for (path,) in db.execute("SELECT path FROM publication").fetchall()}
    files = {f.relative_to(host.config.docroot).as_posix() for f in host.config.docroot.rglob("*") if f.is_file()}
    assert published == files == {row.key for row in administration.find(JobFilter(states=["done"]), limit=1000)}


@pytest.mark.conformance("B6")
def test_a_build_longer_than_its_lease_runs_once(database: Config) -> None:
    """There leases of 60 s were never renewed, and a longer build ran twice."""
    # Renewed after a third of it: what is left is as long as the heartbeat may be kept from its turn.
    short = QueueSettings(lease=1.0)
    enqueue("k", [JobRequest("a.html")], ageing=AGEING)
    runs: list[int] = []

    def build(claims: Sequence[store.Claim], batch: Batch) -> None:
        runs.append(claims[0].attempt)
        first = lease()
        while lease() < first + 3 * short.lease:  # three times as long as it was given
            assert store.rescue(5) == 0
            assert store.claim("other", ["k"], 1, 30.0) == []
            clock.sleep(0.01)
        batch.complete(claims, lambda held: dict.fromkeys(held, "changed"))

    def lease() -> float:
        return float(db.execute("SELECT lease_until FROM job").fetchone()[0])

    worker = Worker("here:1", [JobKind("k", build, RetryPolicy())], short, NoWait())
    with Heartbeat(worker.heartbeat, every=0.05):
        worker.run(once=True)
    assert runs == [1]
    assert administration.count(JobFilter()) == {"done": 1}


@pytest.mark.conformance("B9")
def test_other_work_runs_through_the_same_queue(host: Host) -> None:
    sent: list[str] = []

    def send(claims: Sequence[store.Claim], batch: Batch) -> None:
        sent.extend(claim.payload or "" for claim in claims)
        batch.complete(claims, lambda held: dict.fromkeys(held, "changed"))

    host.worker.kinds["letter"] = JobKind("letter", send)
    host.save("One")
    host.publish()
    enqueue("letter", [JobRequest("ada", 20, payload='{"to": "ada"}')], ageing=AGEING)
    host.work()
    assert sent == ['{"to": "ada"}']
    assert administration.count(JobFilter(kinds=["letter"])) == {"done": 1}
    assert set(administration.count(JobFilter())) == {"done"}


class Installed:
    """An installation whose processes are started by commands; its content is edited here."""

    def __init__(self, folder: Path, queue: str = "") -> None:
        self.shell = Shell(folder)
        self.shell.settings(queue)
        self.shell.theme(index("index.html") + archive("entry", "{slug}.html"), entry_html="{{ entry.html }}")
        self.config = settings.load(folder / "appliance.toml")
        self.made: dict[str, Entry] = {}

    def write(self, *titles: str, text: str = "Hello.") -> None:
        """Save entries of these titles and publish."""
        for title in titles:
            data = EntryData(title=title, slug=title, published_at=1_790_000_000, text=text)
            self.made[title] = entries.save(Site.get(), data, entry=self.made.get(title))[0]
        publishing.publish(self.config)


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[..., Installed]]:
    with ExitStack() as stack:

        def make(queue: str = "") -> Installed:
            made = Installed(tmp_path / "site", queue)
            stack.enter_context(open_installation(made.config))
            return made

        yield make


@pytest.mark.slow
@pytest.mark.conformance("B5")
def test_the_daemon_starts_on_a_job_at_once(install: Callable[..., Installed]) -> None:
    """There the daemon slept 5 s after every batch."""
    site = install()
    daemon = site.shell.start("work", "--workers", "1")
    try:
        for number in range(4):
            site.write("one", text=f"Said {number}.")
            site.shell.await_that(lambda: store.count_unfinished() == 0, daemon)
        assert "Said 3." in (site.config.docroot / "one.html").read_text("utf-8")
        rows = administration.find(JobFilter(keys=[TextFilter("equals", "one.html")]), "id")
        waits = [(row.claimed_at or 0) - row.created_at for row in rows]
        assert len(waits) >= 4  # the daemon's own verification may have asked once more
        assert median(waits[1:]) < 0.5  # the first waited for the daemon to be started
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)
    assert daemon.returncode == 0


@pytest.mark.slow
@pytest.mark.conformance("B5")
@pytest.mark.conformance("B8")
def test_a_run_ends_when_the_queue_is_empty_or_its_limit_reached(install: Callable[..., Installed]) -> None:
    """Workers are limited by their own settings: here they are replaced after two jobs."""
    site = install("[queue]\nworkers = 1\njobs_per_worker = 2")
    site.write("one", "two", "three", "four")
    site.shell.run("work", "--once", "--limit", "3")
    assert administration.count(JobFilter()) == {"done": 3, "pending": 2}
    site.shell.run("work", "--once")
    assert administration.count(JobFilter()) == {"done": 5}
    assert len(list(site.config.docroot.glob("*.html"))) == 5
    jobs = Counter(row.worker for row in administration.find(JobFilter()))
    assert max(jobs.values()) == 2


@pytest.mark.conformance("B8")
def test_a_rate_and_a_pause(database: Config) -> None:
    enqueue("k", [JobRequest(f"{n}") for n in range(9)], ageing=AGEING)
    starts: list[float] = []

    def note(claims: Sequence[store.Claim], batch: Batch) -> None:
        starts.extend(clock.monotonic() for _ in claims)
        batch.complete(claims, lambda held: dict.fromkeys(held, "changed"))

    def work(limits: QueueSettings, jobs: int) -> None:
        Worker("here:1", [JobKind("k", note, RetryPolicy())], limits, NoWait()).run(jobs, once=True)

    work(QueueSettings(pause=0.02), 3)
    assert min(after - before for before, after in pairwise(starts)) >= 0.02
    before = clock.monotonic()
    work(QueueSettings(rate=20.0, batch=2), 6)
    assert len(starts) == 9
    assert clock.monotonic() - before >= 6 / 20

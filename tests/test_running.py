"""The processes of a publishing host on each database: drain, work off, and the daemon."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from appliance import clock, db, running
from appliance.config import Config, QueueSettings
from appliance.db.listener import CommitListener
from appliance.queue import processes, store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.running import process_mains
from appliance.running.process_mains import RunOptions
from tests.local_site import LocalSite, archive, index, local_site, tree
from tests.postgresql import Server

pytestmark = pytest.mark.slow

THEME = archive("entry", "{slug}/index.html") + index("index.html")


@pytest.fixture
def shop(database: Config, tmp_path: Path) -> Iterator[LocalSite]:
    with local_site(tmp_path, THEME, database=database.database) as made:
        yield made


def filled(shop: LocalSite, entries: int) -> None:
    for number in range(entries):
        shop.save(f"Entry {number}")
    shop.publish()


def limited(config: Config, **queue: Any) -> Config:
    return config.model_copy(update={"queue": QueueSettings(**{"workers": 2, **queue})})


def complete(shop: LocalSite) -> None:
    """Every file is there, was published once for each time it changed, and no job or process is left."""
    assert sorted(shop.tree()) == shop.paths()
    assert (store.count_unfinished(), store.recent_failures(), processes.list_processes()) == (0, [], [])


def await_that(true: Callable[[], Any], seconds: float = 20) -> Any:
    end = clock.monotonic() + seconds
    while not (found := true()):
        assert clock.monotonic() < end
        clock.sleep(0.01)
    return found


@contextmanager
def daemon(config: Config, **options: Any) -> Iterator[int]:
    """A daemon in a process of its own; yields its process id. It must end well, and soon, when told to."""
    db.disconnect()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            db.open_database(config)
            running.work(config, **options)
            code = 0
        finally:
            os._exit(code)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        began = clock.monotonic()
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert clock.monotonic() - began < 5


def files(folder: Path) -> set[str]:
    """The names of all files below `folder`, while others write there."""
    found = {os.path.relpath(f"{top}/{name}", folder) for top, _, names in os.walk(folder) for name in names}
    return {name for name in found if ".~tmp~" not in name}


def named(role: str) -> list[str]:
    return [row.name for row in processes.list_processes() if row.role == role]


def test_a_drain_leaves_nothing(shop: LocalSite) -> None:
    filled(shop, 120)
    drained = running.drain(limited(shop.config))
    assert (drained.exit_code, drained.jobs_done) == (0, 121)
    complete(shop)
    assert len(shop.journal()) == 121


def test_jobs_that_former_settings_called_for_find_a_worker(shop: LocalSite) -> None:
    """Such as spam checks after the service was given up: no setting calls for the errands worker any more."""
    assert not process_mains.has_errands_worker(shop.config, RunOptions(1))
    enqueue("mail", [JobRequest("comment/1/1", payload='{"comment": 1, "author": 1}')], ageing=60.0)
    assert process_mains.has_errands_worker(shop.config, RunOptions(1))
    running.drain(limited(shop.config))
    assert db.execute("SELECT state, outcome FROM job WHERE kind = 'mail'").fetchone() == ("done", "unchanged")
    assert not process_mains.has_errands_worker(shop.config, RunOptions(1))


def test_what_people_ask_the_admin_application_for_finds_a_worker(shop: LocalSite) -> None:
    """Such as a check of a target, which waits for another machine."""
    admin = shop.config.admin.model_copy(update={"url": "https://admin.example/"})
    assert process_mains.has_errands_worker(shop.config.model_copy(update={"admin": admin}), RunOptions(1))


def test_working_off_waits_for_no_retry(shop: LocalSite) -> None:
    filled(shop, 20)
    db.execute("UPDATE job SET run_at = run_at + 600 WHERE key = 'entry-3/index.html'")
    done = running.run_due_jobs(limited(shop.config))
    assert done.exit_code == 0
    assert store.count_unfinished() == 1
    assert "entry-3/index.html" not in shop.tree()
    assert len(shop.journal()) == 20


def test_limits_hold_across_workers_that_are_replaced(shop: LocalSite) -> None:
    filled(shop, 60)
    running.run_due_jobs(limited(shop.config, jobs_per_worker=4), limit=31)
    assert len(shop.journal()) == 31
    running.drain(limited(shop.config, jobs_per_worker=9, limit=7))
    assert len(shop.journal()) == 38
    running.drain(limited(shop.config, jobs_per_worker=9))
    complete(shop)


def test_workers_are_replaced_without_back_off(shop: LocalSite) -> None:
    filled(shop, 40)
    began = clock.monotonic()
    assert running.drain(limited(shop.config, workers=1, jobs_per_worker=5)).exit_code == 0
    assert clock.monotonic() - began < 6, "eight back-offs would take 25 s"
    complete(shop)


def others_than(former: list[str]) -> list[str]:
    """Two workers, none of them one of these, once they are there."""

    def found() -> list[str]:
        there = named("worker")  # looked at once: who leaves may be seen in one look and not in the next
        return there if len(there) == 2 and not set(there) & set(former) else []

    return list(await_that(found))


def test_a_daemon_works_at_once_pauses_resumes_and_recycles(shop: LocalSite) -> None:
    with daemon(limited(shop.config)) as pid:
        workers = others_than([])
        assert named("supervisor") == [f"here:{pid}"]
        shop.save("First")
        shop.publish()
        await_that(lambda: "first/index.html" in shop.tree() and store.count_unfinished() == 0)
        processes.request(f"here:{pid}", "pause")
        await_that(lambda: {r.doing for r in processes.list_processes() if r.role == "worker"} == {"paused"})
        shop.save("Second")
        shop.publish()
        asked = store.count_unfinished()
        clock.sleep(0.3)
        assert store.count_unfinished() == asked > 1
        processes.request(f"here:{pid}", "resume")
        await_that(lambda: store.count_unfinished() == 0)
        processes.request(f"here:{pid}", "recycle")
        workers = others_than(workers)
        os.kill(pid, signal.SIGHUP)
        first, second = others_than(workers)
        processes.request(first, "recycle")
        assert second in others_than([first])
        shop.save("Third")
        shop.publish()
        await_that(lambda: "third/index.html" in shop.tree() and store.count_unfinished() == 0)
    complete(shop)


def test_a_daemon_told_to_stop_counts_no_attempt(shop: LocalSite) -> None:
    # A second's work, so that it can be told in the middle of it; a pause would do that with batches of one job only.
    entry = shop.folder / "theme" / "entry.html"
    entry.write_text("{% for i in range(50000) %}{% set x = i %}{% endfor %}{{ entry.title }}", "utf-8")
    filled(shop, 300)
    with daemon(limited(shop.config)):
        await_that(lambda: len(files(shop.docroot)) > 20)
    assert 20 < len(shop.tree()) < 301
    assert store.count_by_state()["running"] == 0
    assert db.execute("SELECT MAX(failures) FROM job").fetchone() == (0,)
    assert processes.list_processes() == []
    running.drain(limited(shop.config))
    complete(shop)
    assert len(shop.journal()) == 301


def test_a_killed_worker_takes_no_row_along_and_its_jobs_are_done(shop: LocalSite) -> None:
    filled(shop, 200)
    with daemon(limited(shop.config, pause=0.005)):
        (holder, *_) = await_that(lambda: len(files(shop.docroot)) > 5 and store.holder_names())
        os.kill(int(holder.partition(":")[2]), signal.SIGKILL)
        await_that(lambda: holder not in [row.name for row in processes.list_processes()])
        await_that(lambda: store.count_unfinished() == 0)
    complete(shop)


def test_a_child_does_not_touch_its_parents_connections(database: Config) -> None:
    wake = CommitListener()
    before = db.database.connection()
    child = os.fork()
    if not child:
        db.open_database(database)
        with db.write():
            db.notify()
        CommitListener().close()
        db.database.close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert wake.wait(5), "the child's news arrives"
    assert db.execute("SELECT 1").fetchone() == (1,)
    assert db.database.connection() is before
    wake.close()


def restart(server: Server) -> None:
    """Every connection is ended, as a restarted server or a failover does it."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )


def test_a_database_that_drops_every_connection_is_outlived(postgres: Server, tmp_path: Path) -> None:
    target = {"name": "copy", "address": str(tmp_path / "copy"), "other_path": True}
    with local_site(tmp_path, THEME, database=postgres.fresh(), targets=[target]) as shop:
        (tmp_path / "copy").mkdir()
        filled(shop, 400)
        over = threading.Event()

        def trouble() -> None:
            for _ in range(4):
                if over.wait(0.4):
                    return
                restart(postgres)

        thread = threading.Thread(target=trouble)
        with daemon(limited(shop.config)):
            await_that(lambda: len(files(shop.docroot)) > 5)
            thread.start()
            await_that(lambda: len(files(shop.docroot)) == 401 and files(tmp_path / "copy") == files(shop.docroot))
            thread.join()
        db.disconnect()
        complete(shop)
        assert tree(tmp_path / "copy") == shop.tree()
        assert len(shop.journal()) == 401


def test_a_drain_outlives_a_restart_of_the_server(tmp_path: Path) -> None:
    with Server() as server, local_site(tmp_path, THEME, database=server.fresh()) as shop:
        filled(shop, 400)

        def stop_and_go() -> None:
            while len(files(shop.docroot)) < 20:
                clock.sleep(0.01)
            server.restart()

        thread = threading.Thread(target=stop_and_go)
        db.disconnect()
        thread.start()
        drained = running.drain(limited(shop.config))
        thread.join()
        assert drained.exit_code == 0
        complete(shop)
        assert len(shop.journal()) == 401

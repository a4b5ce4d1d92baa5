"""The web process in the list of processes: named there, recycled from there, and followed while readers go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.errors import QueueError
from appliance.queue import processes
from appliance.queue.processes import ProcessRow
from tests.web.test_web_life import Web
from tests.web_stack import WebStack, web_stack

pytestmark = pytest.mark.slow


@contextmanager
def readers(stack: WebStack) -> Iterator[list[object]]:
    """While the block runs, readers ask for forms through both front ends; yields what went wrong."""
    wrong: list[object] = []
    over = threading.Event()
    form = stack.endpoint(f"comments/form?entry={stack.entry_id('first')}")

    def read(front: int) -> None:
        while not over.wait(0.3):  # within what one network may ask for
            try:
                answer = stack.get(form, front)
            except OSError as error:
                wrong.append(error)
            else:
                if answer.status != 200:
                    wrong.append((answer.status, answer.text))

    threads = [threading.Thread(target=read, args=(front,)) for front in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        over.set()
        for thread in threads:
            thread.join()


def row_of(stack: WebStack) -> ProcessRow:
    found: ProcessRow = stack.await_that(
        lambda: next((row for row in processes.list_processes() if row.role == "web" and row.keeper), None)
    )
    return found


def intake_of(stack: WebStack) -> ProcessRow:
    found: ProcessRow = stack.await_that(
        lambda: next((row for row in processes.list_processes() if row.role == "intake"), None)
    )
    return found


def rows() -> dict[str, ProcessRow]:
    return {row.name: row for row in processes.list_processes()}


def test_one_with_an_account_of_its_own_is_recycled_too(tmp_path: Path) -> None:
    with web_stack(tmp_path) as stack:
        own = tmp_path / "own"
        own.mkdir()
        web = Web(own, intake=str(stack.config.intake_socket))
        web.start()
        try:
            name = processes.process_name("publisher", web.process.pid)
            first = stack.await_that(lambda: rows().get(name))
            assert (first.role, first.keeper) == ("web", "")
            processes.request(name, "recycle")
            stack.await_that(lambda: rows()[name].started_at > first.started_at)
            assert rows()[name].request is None
            assert web.log.read_text().count("release one begins") == 2
            assert row_of(stack).started_at <= first.started_at, "the other one goes on"
        finally:
            web.process.terminate()
            assert web.process.wait(40) == 0
        stack.await_that(lambda: name not in rows())


@pytest.mark.conformance("D4")
def test_the_web_process_of_a_daemon_is_listed_and_recycled(tmp_path: Path) -> None:
    with web_stack(tmp_path) as stack:
        first = row_of(stack)
        assert first.doing == "answering readers, 2 workers"
        assert first.keeper == processes.process_name("publisher", stack.daemon.process.pid)
        assert first.memory > 20_000_000
        with readers(stack) as wrong:
            stack.await_that(lambda: row_of(stack).jobs > 0)
            processes.request(first.name, "recycle")
            stack.await_that(lambda: row_of(stack).name != first.name)
            fresh, intake = row_of(stack), intake_of(stack)
            processes.request(intake.name, "recycle")
            stack.await_that(lambda: intake_of(stack).name != intake.name)
            stack.await_that(lambda: row_of(stack).beat_at > intake_of(stack).started_at)
            assert row_of(stack).name == fresh.name
            assert abs(row_of(stack).started_at - fresh.started_at) < 1.0, "a fresh intake makes nobody younger"
            settings = stack.config.path.read_text("utf-8")
            stack.config.path.write_text(settings.replace("[web]\n", "[web]\nworkers = 3\n"), "utf-8")
            stack.await_that(lambda: row_of(stack).doing == "answering readers, 3 workers")
        assert wrong == []
        assert row_of(stack).request is None
        assert stack.comment("first", "After all that.").status == 303
        with pytest.raises(QueueError, match="pause the intake instead"):
            processes.request(row_of(stack).name, "pause")

"""Any process is killed at any moment while readers post: what was answered as accepted is there, and nothing twice."""

from __future__ import annotations

import contextlib
import os
import random
import re
import select
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path

import pytest

from appliance import clock
from appliance.demo.daemon import Daemon
from appliance.demo.frontend import descendants
from appliance.queue import processes
from tests import postgresql
from tests.web_stack import Answer, WebStack, web_stack

pytestmark = pytest.mark.slow

#: What is killed. `nginx` is a worker of a front end, `work` is the supervisor of everything on the publishing host.
VICTIMS = ("web worker", "gunicorn", "intake", "worker", "courier", "schedule", "nginx", "work")
#: How often each of them is; more are tried by hand.
ROUNDS = int(os.environ.get("APPLIANCE_ROUNDS", "1"))
READERS = 4
#: Seconds until readers are answered again, whatever was killed; more on a machine that is slow anyway.
RECOVERY = 20.0
SLUGS = ("first", "second", "third")
_PLACE = re.compile(r"#comment-(\d+)$")


@dataclass
class Reader(threading.Thread):
    """Posts one comment after another until told to stop, each from another network.

    With `persistent`, sends a form again until it is answered, as people do who press the button again.
    """

    stack: WebStack
    number: int
    persistent: bool
    stop: threading.Event
    #: Texts by the id in the address that the answer leads to.
    accepted: dict[str, int | None] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    __hash__ = threading.Thread.__hash__

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        """Post."""
        posted = 0
        while not self.stop.is_set():
            posted += 1
            stack = replace(self.stack, source=f"127.{30 + self.number}.{posted % 250}.1")
            slug, front, text = SLUGS[posted % len(SLUGS)], posted % 2, f"Comment {self.number}-{posted}."
            token = self._token(stack, slug, front)
            if token:
                self._post(stack, slug, text, token, front)

    def _token(self, stack: WebStack, slug: str, front: int) -> str:
        try:
            return stack.token(slug, front)
        except (OSError, HTTPException, ValueError, KeyError):  # refused, broken off, or an error page
            self.stop.wait(0.02)
            return ""

    def _post(self, stack: WebStack, slug: str, text: str, token: str, front: int) -> None:
        end = clock.monotonic() + 2 * RECOVERY
        while True:
            try:
                answer = stack.comment(slug, text, front, token=token)
            except (OSError, HTTPException):
                answer = None
            if answer is not None and answer.status == 303:
                self._note(text, answer)
                return
            if answer is not None and answer.status not in (429, 502, 503, 504):
                self.faults.append(f"{text} {answer.status}: {answer.text[-300:]}")
            if not self.persistent or clock.monotonic() > end:
                self.unanswered.add(text)
                return
            clock.sleep(0.02)

    def _note(self, text: str, answer: Answer) -> None:
        place = _PLACE.search(answer.location)
        if not place and "/comments/status?receipt=" not in answer.location:
            self.faults.append(f"{text} leads to {answer.location}")
        self.accepted[text] = int(place[1]) if place else None


@dataclass
class Killer:
    """Kills processes of a stack, and starts `work` again when it was that, as systemd does."""

    stack: WebStack
    chance: random.Random
    started: contextlib.ExitStack
    lock: int

    def kill(self, victim: str) -> None:
        """Kill one process of this kind."""
        if victim == "work":
            self._kill_work()
            return
        pids = self.stack.await_that(lambda: self._pids(victim))
        os.kill(self.chance.choice(pids), signal.SIGKILL)

    def _pids(self, victim: str) -> list[int]:
        if victim == "nginx":
            front = self.chance.choice(self.stack.fronts)
            masters = [pid for pid in front.pids if "nginx" in _command(pid)]
            return [child for master in masters for child in _children(master)]
        own = _children(self.stack.daemon.process.pid)
        known = {row.pid: row.role for row in processes.list_processes()}
        # Only one that has reported: before that a child may be the rsync that `work` tries, without which `work` ends.
        masters = [pid for pid in own if known.get(pid) == processes.WEB]
        if victim == "gunicorn":
            return masters
        if victim == "web worker":
            return [child for master in masters for child in _children(master)]
        return [pid for pid in own if known.get(pid) == victim]

    def _kill_work(self) -> None:
        former = self.stack.daemon.process
        tree = _handles(descendants(former.pid))
        former.kill()
        former.wait()
        self.stack.daemon = self.started.enter_context(
            Daemon(self.stack.config, self.stack.web_socket.parent / "ssh", self.lock)
        )
        end = clock.monotonic() + RECOVERY
        for handle in tree:
            assert select.select([handle], [], [], max(0.0, end - clock.monotonic()))[0], (
                "a process has outlived `work`"
            )
            os.close(handle)


def _handles(pids: list[int]) -> list[int]:
    found = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            found.append(os.pidfd_open(pid))
    return found


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    return ""


@contextlib.contextmanager
def readers(stack: WebStack) -> Iterator[list[Reader]]:
    stop = threading.Event()
    for slug in SLUGS:
        stack.entry_id(slug)  # the threads have no database
    made = [Reader(stack, number, number % 2 == 0, stop) for number in range(READERS)]
    try:
        for reader in made:
            reader.start()
        yield made
    finally:
        stop.set()
        for reader in made:
            reader.join(3 * RECOVERY)


def answered(made: list[Reader]) -> int:
    return sum(len(reader.accepted) for reader in made)


def wait_for_answers(stack: WebStack, made: list[Reader], before: int, seconds: float) -> float:
    """Wait for so many answers that one reader at least has begun after the call; returns the seconds it took."""
    began = clock.monotonic()
    stack.await_that(lambda: answered(made) > before + READERS, seconds)
    return clock.monotonic() - began


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_accepted_comment_is_lost_and_none_is_there_twice(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    database = ""
    if kind == "postgresql":
        server: postgresql.Server = request.getfixturevalue("postgres")
        database = server.fresh()
    chance = random.Random(os.environ.get("APPLIANCE_SEED", "comments"))
    order = [victim for _ in range(ROUNDS) for victim in chance.sample(VICTIMS, len(VICTIMS))]
    slowest: dict[str, float] = {}
    with web_stack(tmp_path, database, slugs=SLUGS) as stack, contextlib.ExitStack() as started:
        lock = started.enter_context((tmp_path / "lock-again").open("w"))
        killer = Killer(stack, chance, started, lock.fileno())
        with readers(stack) as made:
            undisturbed = wait_for_answers(stack, made, 0, RECOVERY * 3)
            patience = max(RECOVERY, 10 * undisturbed)
            for victim in order:
                clock.sleep(chance.uniform(0, 0.1))  # at any moment of posting
                before, began = answered(made), clock.monotonic()
                killer.kill(victim)
                wait_for_answers(stack, made, before, patience)
                slowest[victim] = max(slowest.get(victim, 0.0), round(clock.monotonic() - began, 1))
        check(stack, made)
    print(f"{kind}: seconds until {READERS + 1} answers: {undisturbed:.1f}, and after a kill at most {slowest}")


def check(stack: WebStack, made: list[Reader]) -> None:
    """What was saved is what was answered, and both front ends come to show it."""
    faults = [fault for reader in made for fault in reader.faults]
    assert faults == []
    saved = {row.text: row for row in stack.comments()}
    assert [text for text, count in Counter(row.text for row in stack.comments()).items() if count > 1] == []
    accepted = {text: place for reader in made for text, place in reader.accepted.items()}
    unanswered = {text for reader in made for text in reader.unanswered}
    assert len(accepted) > READERS * ROUNDS * len(VICTIMS)
    assert accepted.keys() <= saved.keys()
    assert saved.keys() - accepted.keys() <= unanswered
    assert {text for reader in made if reader.persistent for text in reader.unanswered} == set()
    assert all(place in (None, saved[text].id) for text, place in accepted.items())
    assert {row.status for row in saved.values()} == {"approved"}
    for front in (0, 1):
        for slug in SLUGS:
            expected = {row.text for row in saved.values() if row.entry_id == stack.entry_id(slug)}
            stack.await_that(lambda s=slug, f=front, e=expected: all(text in stack.page(s, f) for text in e))
            page = stack.page(slug, front)
            assert page.count('class="comment"') == len(expected)

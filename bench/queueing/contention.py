"""Many processes at one queue at once, and an exact account of what became of every request.

Each key has a row with a number. An enqueuer raises the numbers of a few keys and asks for work on them in one
transaction; a worker reads the number after its claim and writes what it saw when it ends the run. Workers also fail,
give back, and hang until their lease has run out, and then try to end the run all the same.

In the end three things must be true: what was seen last is what was written last, for every key (no request was lost:
the last run of each key started after the last change of it); what was seen never went back (a run that had lost its
lease had no effect); no (job, attempt) was handed out twice.
"""

from __future__ import annotations

import multiprocessing
import random
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from peewee import DatabaseError

from appliance import clock, db
from appliance.config import Config
from appliance.queue import store
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.store import Claim, FailureDetails

KIND = "bench"
_FORK = multiprocessing.get_context("fork")
_LEASE = 0.25
_AGEING = 60.0
_ENDLESS = 1_000_000

_TABLE = """
CREATE TABLE bench_key (name TEXT PRIMARY KEY, written BIGINT NOT NULL, seen BIGINT NOT NULL, ends BIGINT NOT NULL)
"""


@dataclass
class Account:
    """What one process, or all of them, did."""

    counts: Counter[str] = field(default_factory=Counter)
    #: Every run handed out, as (job, attempt).
    claims: list[tuple[int, int]] = field(default_factory=list)
    #: What each run that ended well saw, as (key, how many had ended before, seen).
    ends: list[tuple[str, int, int]] = field(default_factory=list)
    #: Stack traces of processes that died.
    errors: list[str] = field(default_factory=list)

    def add(self, other: Account) -> None:
        """Put two together."""
        self.counts += other.counts
        self.claims += other.claims
        self.ends += other.ends
        self.errors += other.errors


@dataclass
class Verdict:
    """The account of a whole run, and every promise it breaks as a sentence."""

    account: Account
    faults: list[str]

    def __str__(self) -> str:
        """The counts, one line."""
        return ", ".join(f"{number:,} {what}" for what, number in sorted(self.account.counts.items()))


def contend(config: Config, *, seconds: float, workers: int = 8, enqueuers: int = 4, keys: int = 40) -> Verdict:
    """Run for so many seconds, then until the queue is empty.

    Args:
        config: the installation, opened by the caller, its queue empty.
        seconds: how long there are new requests.
        workers: processes that claim.
        enqueuers: processes that ask.
        keys: of how many keys; fewer meet more often.
    """
    names = [f"key-{number}" for number in range(keys)]
    db.execute(_TABLE)
    with db.write():
        db.execute(f"INSERT INTO bench_key VALUES {', '.join(['(?, 0, 0, 0)'] * keys)}", names)
    quiet, empty = _FORK.Event(), _FORK.Event()
    asking = [_Process(config, _ask, names, quiet.is_set) for _ in range(enqueuers)]
    working = [_Process(config, _work, names, empty.is_set) for _ in range(workers)]
    try:
        until = clock.monotonic() + seconds
        account = Account()
        while clock.monotonic() < until and all(p.alive() for p in asking + working):
            account.counts["rescued"] += store.rescue(_ENDLESS)
            clock.sleep(0.05)
        quiet.set()
        for process in asking:
            account.add(process.end())
        while store.count_unfinished() and all(p.alive() for p in working):
            account.counts["rescued"] += store.rescue(_ENDLESS)
            clock.sleep(0.02)
    finally:
        quiet.set()
        empty.set()
    for process in working:
        account.add(process.end())
    faults = account.errors + _faults(account)
    db.execute("DROP TABLE bench_key")
    return Verdict(account, faults)


class _Process:
    """A forked process with a connection of its own, that sends its account when it ends."""

    def __init__(
        self, config: Config, main: Callable[..., None], names: Sequence[str], over: Callable[[], bool]
    ) -> None:
        self._receive, send = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(target=self._main, args=(send, config, main, names, over), daemon=True)
        self._process.start()
        send.close()

    @staticmethod
    def _main(send: Connection, config: Config, main: Any, names: Sequence[str], over: Callable[[], bool]) -> None:
        account = Account()
        try:
            opened = db.open_database(config)
            main(account, names, over)
            opened.close()
        except BaseException:  # told by the parent
            account.errors.append(traceback.format_exc())
        send.send(account)

    def alive(self) -> bool:
        """Whether it goes on."""
        return self._process.is_alive() and not self._receive.poll()

    def end(self) -> Account:
        """Its account, once it has ended."""
        account: Account = self._receive.recv()
        self._process.join()
        return account


def _again(account: Account, act: Callable[[], Any]) -> Any:
    """A transaction that another one was in the way of is done again, as every caller must; and counted."""
    while True:
        try:
            return act()
        except DatabaseError as error:
            if not db.is_conflict(error):
                raise
            account.counts["collisions"] += 1


def _ask(account: Account, names: Sequence[str], over: Callable[[], bool]) -> None:
    chance = random.Random()
    while not over():
        chosen = chance.sample(names, chance.randint(1, 4))
        requests = [JobRequest(name, chance.choice((1, 5, 9, 10))) for name in chosen]
        answers = _again(account, lambda: _change(chosen, requests))  # noqa: B023 - called at once
        account.counts["requests"] += len(requests)
        account.counts.update({f"answers {answer}": number for answer, number in answers.items()})
        clock.sleep(chance.uniform(0, 0.004))


def _change(chosen: Sequence[str], requests: Sequence[JobRequest]) -> Counter[Any]:
    with db.write():
        for name in sorted(chosen):
            db.execute("UPDATE bench_key SET written = written + 1 WHERE name = ?", [name])
        return Counter(enqueue(KIND, requests, ageing=_AGEING, causes=[Cause("changed")]))


def _work(account: Account, _names: Sequence[str], over: Callable[[], bool]) -> None:
    chance, hung = random.Random(), list[tuple[float, Claim, int]]()
    name = multiprocessing.current_process().name
    while not over():
        claims = _again(account, lambda: store.claim(name, [KIND], 4, _LEASE))
        account.claims += [(claim.id, claim.attempt) for claim in claims]
        for claim in claims:
            row = db.execute("SELECT written FROM bench_key WHERE name = ?", [claim.key]).fetchone()
            how = chance.random()
            if how < 0.06:
                hung.append((clock.monotonic() + _LEASE + 0.2, claim, row[0]))
            else:
                clock.sleep(chance.uniform(0, 0.002))
                _end(account, claim, row[0], how)
        while hung and (over() or hung[0][0] < clock.monotonic()):
            _, claim, seen = hung.pop(0)
            account.counts["runs that hung"] += 1
            account.counts["runs refused"] += not _again(account, lambda: _succeed(account, claim, seen))  # noqa: B023
        if not claims:
            clock.sleep(0.002)


def _end(account: Account, claim: Claim, seen: int, how: float) -> None:
    if how < 0.12:
        account.counts["runs failed"] += 1
        _again(account, lambda: store.fail(claim, FailureDetails("OSError", "no", ""), retry_after=0.01))
    elif how < 0.18:
        account.counts["runs released"] += 1
        _again(account, lambda: store.release([claim]))
    else:
        _again(account, lambda: _succeed(account, claim, seen))


def _succeed(account: Account, claim: Claim, seen: int) -> bool:
    """End a run with an effect, as `Desk.complete` does; returns whether it was still held."""
    with db.write():
        if not store.lock_held([claim]):
            return False
        raised = "UPDATE bench_key SET seen = ?, ends = ends + 1 WHERE name = ? RETURNING ends"
        ((number,),) = db.execute(raised, [seen, claim.key]).fetchall()
        store.complete({claim: "changed"})
    account.ends.append((claim.key, number, seen))
    account.counts["runs done"] += 1
    return True


def _faults(account: Account) -> list[str]:
    """Every promise that was broken."""
    found = []
    lost = db.execute("SELECT name, written, seen FROM bench_key WHERE written <> seen").fetchall()
    found += [f"{name}: change {written} was written last, {seen} seen last" for name, written, seen in lost]
    handed = Counter(account.claims)
    found += [f"job {job}, attempt {attempt} was handed out {n} times" for (job, attempt), n in handed.items() if n > 1]
    latest: dict[str, int] = {}
    for key, _, seen in sorted(account.ends):
        if seen < latest.get(key, 0):
            found.append(f"{key}: {seen} was seen after {latest[key]}")
        latest[key] = seen
    counted = db.execute("SELECT COALESCE(SUM(triggers), 0) FROM job").fetchone()[0]
    remembered = db.execute("SELECT COALESCE(SUM(times), 0) FROM job_trigger").fetchone()[0]
    if not counted == remembered == account.counts["requests"]:
        found.append(f"{account.counts['requests']} requests, {counted} counted, {remembered} remembered")
    if left := store.count_unfinished():
        found.append(f"{left} jobs are left")
    if failed := store.recent_failures():
        found.append(f"{len(failed)} jobs failed")
    account.counts["jobs"] = sum(store.count_by_state().values())
    account.counts["runs"] = len(account.claims)
    return found

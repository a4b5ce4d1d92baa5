"""How fast the queue is: jobs a second in batches, from asking to the start of the run, and what waiting costs."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from appliance import clock, db
from appliance.config import Config
from appliance.db.listener import CommitListener
from appliance.queue import store
from appliance.queue.enqueue import JobRequest, enqueue
from appliance.queue.store import Claim
from appliance.queue.supervisor import handle_signals
from appliance.queue.worker import Batch, JobKind, Worker

KIND = "bench"
_FORK = multiprocessing.get_context("fork")
_AGEING = 60.0
_LEASE = 30.0


@dataclass(frozen=True)
class Latency:
    """From asking until the run begins, in milliseconds."""

    median: float
    p95: float

    @staticmethod
    def of(seconds: Sequence[float]) -> Latency:
        """Of samples in seconds."""
        ordered = sorted(seconds)
        return Latency(statistics.median(ordered) * 1000, ordered[int(len(ordered) * 0.95)] * 1000)

    def __str__(self) -> str:
        """Median and 95th percentile."""
        return f"{self.median:.1f} / {self.p95:.1f} ms"


def throughput(config: Config, *, jobs: int, batch: int, processes: int) -> float:
    """Claimed and finished jobs a second, `batch` of them in each transaction, by so many processes together."""
    enqueue(KIND, (JobRequest(f"{random.random()}-{n}") for n in range(jobs)), ageing=_AGEING)
    go = _FORK.Event()
    ready = [_FORK.Event() for _ in range(processes)]
    workers = [_FORK.Process(target=_drain, args=(config, batch, event, go)) for event in ready]
    for worker in workers:
        worker.start()
    for event in ready:
        event.wait()
    began = clock.monotonic()
    go.set()
    for worker in workers:
        worker.join()
    seconds = clock.monotonic() - began
    if store.count_unfinished() or any(worker.exitcode for worker in workers):
        raise RuntimeError("the jobs were not all done")
    db.execute("DELETE FROM job_trigger")
    db.execute("DELETE FROM job")
    return jobs / seconds


def _drain(config: Config, batch: int, ready: Event, go: Event) -> None:
    opened = db.open_database(config)
    ready.set()
    go.wait()
    name = f"bench:{os.getpid()}"
    while claims := store.claim(name, [KIND], batch, _LEASE):
        store.complete(dict.fromkeys(claims, "changed"))
    opened.close()


class _Waiting:
    """A process with a real worker that waits, and says when each of its runs began."""

    def __init__(self, config: Config) -> None:
        self.receive, send = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(target=self._main, args=(config, send))
        self._process.start()
        self.receive.recv()

    @staticmethod
    def _main(config: Config, send: Connection) -> None:
        opened = db.open_database(config)

        def perform(claims: Sequence[Claim], batch: Batch) -> None:
            send.send(clock.monotonic())
            batch.complete(claims, lambda held: dict.fromkeys(held, "changed"))

        wake = CommitListener(lambda: worker.is_stopping())
        worker = Worker(f"bench:{os.getpid()}", [JobKind(KIND, perform)], config.queue, wake)
        with handle_signals(worker.stop):
            before = resource.getrusage(resource.RUSAGE_SELF)
            send.send(0.0)
            worker.run()
            after = resource.getrusage(resource.RUSAGE_SELF)
        send.send(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        opened.close()

    def end(self) -> float:
        """Stop it; returns the seconds of processor time that it took."""
        self._process.terminate()
        used: float = self.receive.recv()
        self._process.join()
        return used


def latency(config: Config, *, samples: int) -> Latency:
    """How long after the asking transaction began a waiting worker in another process began the run."""
    waiting, seconds = _Waiting(config), list[float]()
    for sample in range(samples):
        clock.sleep(random.uniform(0.01, 0.04))
        asked = clock.monotonic()
        enqueue(KIND, [JobRequest(f"latency-{sample}")], ageing=_AGEING)
        seconds.append(waiting.receive.recv() - asked)
    waiting.end()
    return Latency.of(seconds)


def idle(config: Config, *, seconds: float) -> float:
    """The share of one processor that a waiting worker takes, in percent."""
    waiting = _Waiting(config)
    clock.sleep(seconds)
    return waiting.end() / seconds * 100

"""A few threads for one kind of request, with a short queue before them and a limit of time.

Guarantees that a flood of requests takes neither all threads nor all connections to the database: what does not fit is
refused at once. Only these threads have a connection to the database, whatever the number of the web process's
connections; it is closed after an error of the database.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from appliance import clock, db

T = TypeVar("T")


class Busy(Exception):  # noqa: N818 - a state, not a mistake
    """There is too much to do now, or it takes too long."""


class Pool:
    """Runs functions in threads of its own; a context manager."""

    def __init__(self, name: str, threads: int, waiting: int, seconds: float) -> None:
        """Start the threads.

        Args:
            name: the name of the threads.
            threads: how many functions run at once.
            waiting: how many more may wait for a thread.
            seconds: how long one may take, with its wait.
        """
        self._seconds = seconds
        self._tasks: queue.Queue[tuple[Future[Any], Callable[[], Any]] | None] = queue.Queue(waiting)
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in a thread of the pool and return its result.

        Raises:
            Busy: too many wait already, or it took too long; it may still run.
        """
        future: Future[T] = Future()
        try:
            self._tasks.put_nowait((future, function))
        except queue.Full:
            raise Busy from None
        try:
            return future.result(self._seconds)
        except TimeoutError:
            if future.done():  # the function itself raised it
                raise
            future.cancel()
            raise Busy from None

    def close(self, deadline: float) -> None:
        """End the threads after what they are doing; wait until `deadline` by the monotonic clock."""
        for _ in self._threads:
            try:
                self._tasks.put(None, timeout=max(0.0, deadline - clock.monotonic()))
            except queue.Full:
                return  # all threads hang; they end with the process
        for thread in self._threads:
            thread.join(max(0.0, deadline - clock.monotonic()))

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, function = task
            if future.set_running_or_notify_cancel():
                perform(future, function)
            del task, future, function
        db.disconnect()


def perform(future: Future[T], function: Callable[[], T]) -> None:
    """Run a function and keep its result or its error in `future`; drop a connection that broke."""
    try:
        result = function()
    except BaseException as error:
        if db.is_unavailable(error):
            db.outage.record_loss(error)
            db.disconnect()
        future.set_exception(error)
    else:
        future.set_result(result)

"""The thread that saves comments: all that wait in one transaction, and each is answered after its commit.

Guarantees that a comment is in the database before anybody is told so. A flood makes batches larger, not transactions
more frequent, and what does not fit into the queue is refused at once. When a batch cannot be saved, each of its
comments is tried by itself, so that a bad one stops no other.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from typing import Final

from appliance import clock, db, logging
from appliance.config import Config
from appliance.editorial import reader_comments
from appliance.editorial.reader_comments import Submission, Verdict
from appliance.intake.pool import Busy

log = logging.get_logger("intake")

#: The most comments of a transaction, and the most that wait for one.
_BATCH: Final = 64
_WAITING: Final = 256
#: Seconds that a comment may wait for its commit. It may be saved after that: a form sent again finds it.
_PATIENCE: Final = 4.5

_Task = tuple[Submission, "Future[Verdict]"]


class Saver:
    """Saves submissions in a thread of its own."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tasks: queue.Queue[_Task | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="saver", daemon=True)
        self._thread.start()

    def save(self, submission: Submission) -> Verdict:
        """Save a submission and return what became of it, once that is committed.

        Raises:
            Busy: too many wait, or the transaction takes too long.
            Exception: whatever kept it from being saved, such as an unavailable database.
        """
        future: Future[Verdict] = Future()
        try:
            self._tasks.put_nowait((submission, future))
        except queue.Full:
            raise Busy from None
        try:
            return future.result(_PATIENCE)
        except TimeoutError:
            future.cancel()
            raise Busy from None

    def close(self, deadline: float) -> None:
        """Save what waits, then end; wait until `deadline` by the monotonic clock."""
        try:
            self._tasks.put(None, timeout=max(0.0, deadline - clock.monotonic()))
        except queue.Full:
            return  # it hangs, and ends with the process
        self._thread.join(max(0.0, deadline - clock.monotonic()))

    def _run(self) -> None:
        stopping = False
        while not stopping:
            batch = self._next_batch()
            stopping = batch[-1] is None
            tasks = [task for task in batch if task is not None and task[1].set_running_or_notify_cancel()]
            if tasks:
                self._save(tasks)
        db.disconnect()

    def _next_batch(self) -> list[_Task | None]:
        """Everything that waits, up to a batch; a None ends it."""
        batch = [self._tasks.get()]
        while batch[-1] is not None and len(batch) < _BATCH:
            try:
                batch.append(self._tasks.get_nowait())
            except queue.Empty:
                break
        return batch

    def _save(self, tasks: list[_Task]) -> None:
        try:
            verdicts = reader_comments.save(self._config, [submission for submission, _ in tasks])
        except BaseException as error:
            if db.is_unavailable(error) and not db.is_conflict(error):
                db.outage.record_loss(error)
                db.disconnect()
            elif len(tasks) > 1 and isinstance(error, Exception):
                for task in tasks:
                    self._save([task])
                return
            else:
                log.exception("a comment could not be saved")
            for _, future in tasks:
                future.set_exception(error)
        else:
            for (_, future), verdict in zip(tasks, verdicts, strict=True):
                future.set_result(verdict)

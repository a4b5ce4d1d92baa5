"""How a plan writes: in one transaction, or in short ones so that no other writer waits long.

A plan in steps is open from its first transaction to its last. The row of `models.OpenPlan` says by which process: each
step checks that it still is, so that a process that was taken for dead writes nothing more. Guarantees that two
processes never plan one site at the same time, and that a plan whose process died is open until another one ends it.
"""

from __future__ import annotations

import os
import socket
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Final

from appliance import clock, db
from appliance.content.models import Site
from appliance.db import NOW
from appliance.errors import PlanTaken
from appliance.queue.store import LEASE

#: Rows that one step writes at most, and ids of the range that one step looks at.
ROWS: Final = 500
#: Seconds between two looks at a plan of another process.
_LOOK: Final = 0.05
_numbers = count(1)


class Steps:
    """One transaction, that of the caller: every step is a part of it."""

    #: Whether each step is a transaction of its own.
    short = False
    #: The number of the plan whose changes were taken beforehand; others may come while it is open.
    number: int | None = None

    @contextmanager
    def write(self) -> Iterator[None]:
        """One step."""
        with db.write():
            yield

    def note_displaced(self) -> None:
        """Note, inside a step, that an artifact lost its address to another one; no other row tells it."""

    def update(self, assignment: str, values: Sequence[object], condition: str, limits: Sequence[object]) -> None:
        """Update the artifacts for which a condition holds."""
        db.execute(f"UPDATE artifact SET {assignment} WHERE {condition}", [*values, *limits])


class ShortSteps(Steps):
    """Short transactions of an open plan."""

    short = True

    def __init__(self, site: Site) -> None:
        """Open a plan of a site, or take over the one that a dead process left open.

        It waits while another process has one open.
        """
        self._site = site.id
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{next(_numbers)}"
        #: Whether a process died while it had the plan open, and whether something had been displaced by then.
        self.is_resumed = self.had_displaced = False
        while not self._open():
            clock.sleep(_LOOK)

    def _open(self) -> bool:
        with db.write():
            db.acquire_lock(f"planning {self._site}")
            found = find_open(self._site)
            if found and is_held(found):
                return False
            last, highest = db.execute(
                """SELECT (SELECT number FROM planned WHERE site_id = ?),
                          (SELECT COALESCE(MAX(plan), 0) FROM artifact WHERE site_id = ?)""",
                [self._site, self._site],
            ).fetchone()
            self.number = (highest if last is None else last) + 1
            if found and (last is None or found[0] > last):
                self.number = found[0]  # what its process marked is marked by this plan
            self.is_resumed, self.had_displaced = found is not None, bool(found and found[3])
            db.execute(
                f"""INSERT INTO open_plan (site_id, number, holder, at, has_displaced) SELECT ?, ?, ?, {NOW}, ?
                    WHERE true ON CONFLICT (site_id) DO UPDATE SET number = excluded.number, holder = excluded.holder,
                    at = excluded.at""",
                [self._site, self.number, self._holder, False],
            )
        return True

    @contextmanager
    def write(self) -> Iterator[None]:
        """One step.

        Raises:
            PlanTaken: the plan belongs to another process by now; the step writes nothing.
        """
        with db.write():
            db.acquire_lock(f"planning {self._site}")
            held = db.execute(
                f"UPDATE open_plan SET at = {NOW} WHERE site_id = ? AND holder = ?", [self._site, self._holder]
            )
            if not held.rowcount:
                raise PlanTaken
            yield

    def note_displaced(self) -> None:
        """Note it in the row of the open plan."""
        db.execute("UPDATE open_plan SET has_displaced = true WHERE site_id = ? AND NOT has_displaced", [self._site])

    def close(self) -> None:
        """End the plan, inside its last step."""
        db.execute("DELETE FROM open_plan WHERE site_id = ? AND holder = ?", [self._site, self._holder])

    def let_go(self) -> None:
        """Leave the plan open for whoever plans the site next, without the wait for a lease."""
        with suppress(Exception), db.write():
            db.execute("UPDATE open_plan SET at = 0 WHERE site_id = ? AND holder = ?", [self._site, self._holder])

    def update(self, assignment: str, values: Sequence[object], condition: str, limits: Sequence[object]) -> None:
        """Update the artifacts for which the condition holds now, some in each step."""
        for some in db.chunks(select_ids(f"SELECT id FROM artifact WHERE {condition}", limits), ROWS):
            with self.write():
                among = db.placeholders(len(some))
                db.execute(f"UPDATE artifact SET {assignment} WHERE id IN ({among})", [*values, *some])


def select_ids(sql: str, values: Sequence[object]) -> Sequence[int]:
    """The ids that a query selects, in eight bytes each."""
    return array("q", (number for (number,) in db.execute(sql, values)))


def find_open(site: int) -> tuple[int, str, float, bool] | None:
    """(number, holder, time of the last step, whether something was displaced) of the open plan of a site."""
    row = db.execute("SELECT number, holder, at, has_displaced FROM open_plan WHERE site_id = ?", [site]).fetchone()
    return tuple(row) if row else None


def is_held(found: tuple[int, str, float, bool]) -> bool:
    """Whether the process that has a plan open is alive, as far as can be known from here."""
    host, pid, _ = found[1].rsplit(":", 2)
    if not db.now() - LEASE < found[2] <= db.now() + LEASE:
        return False
    if host == socket.gethostname():
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
    return True

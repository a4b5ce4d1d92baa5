"""The job that plans a site: whatever changes content enqueues it, and planning removes it.

Guarantees that a transaction that records a change also enqueues the job that will plan it, whoever makes the change. A
process that is killed right after its commit therefore leaves no change that no worker would publish. A command plans
its own change and an import has more changes to come: both hold the job back for a while, so that no worker runs ahead
of them.

    changes.record ─► before the commit: enqueue ─► a worker plans, or the command plans and removes the job
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from appliance import db
from appliance.config import Config, QueueSettings
from appliance.content import changes
from appliance.content.models import Site
from appliance.content.sites import SITE_ADDED
from appliance.db import NOW
from appliance.queue.enqueue import Cause, JobRequest, enqueue
from appliance.queue.store import LEASE

#: The kind of job that plans a site. The key of the job is the name of the site.
PLAN: Final = "plan"
#: Higher than the priority of any artifact, so that changes are planned before other work.
_PRIORITY: Final = 20
#: Seconds to gather further changes that come while a site is being planned.
_GATHER: Final = 0.05
#: Seconds that a command has to plan what it saved before a worker does.
COMMAND_DELAY: Final = 5.0
#: Seconds after the last change of an import, or of the settings, until a worker plans the changes.
IMPORT_DELAY: Final = 20.0
#: Seconds after which a change is planned that was saved to be published later and has not been.
FORGOTTEN_AFTER: Final = 3600.0

_IMPORTING: Final = "importing"


@dataclass(frozen=True, slots=True)
class _Hold:
    """What happens to the job: it is due after this many seconds, or is not enqueued at all if that is None."""

    seconds: float | None = 0.0
    #: Whether each further change puts the job off again.
    importing: bool = False


_AT_ONCE: Final = _Hold()
_hold: ContextVar[_Hold] = ContextVar("hold", default=_AT_ONCE)
_left_to_workers: ContextVar[bool] = ContextVar("left_to_workers", default=False)


def enqueue_plan(config: Config, site: Site, cause: Cause) -> None:
    """Enqueue the job that plans a site, due now; call it in the transaction that changes the content.

    Any number of calls while a job is pending make one job. Recording a change enqueues the job anyway; this function
    gives the cause in the caller's words.
    """
    db.before_commit(_key(site.id), None)
    _enqueue(config.queue.ageing, site.name, cause, 0.0)


@contextmanager
def hold_back(seconds: float) -> Iterator[None]:
    """Delay the jobs of changes made inside the block, since the caller is about to plan them."""
    with _set_hold(_Hold(seconds)):
        yield


@contextmanager
def defer() -> Iterator[None]:
    """Enqueue no job for changes made inside the block; they wait for a publish command or `enqueue_forgotten`.

    Within `leave_to_workers` they do not wait.
    """
    with _set_hold(_AT_ONCE if _left_to_workers.get() else _Hold(None)):
        yield


@contextmanager
def leave_to_workers() -> Iterator[None]:
    """Have workers plan at once what commands inside the block save to be published later.

    A request renders nothing, and nobody gives a publish command after it.
    """
    token = _left_to_workers.set(True)
    try:
        yield
    finally:
        _left_to_workers.reset(token)


@contextmanager
def hold_back_import(site: str) -> Iterator[None]:
    """Delay planning while changes keep coming in, and make it due when the block ends."""
    try:
        with _set_hold(_Hold(IMPORT_DELAY, importing=True)):
            yield
    finally:
        with db.suppress_unavailable(), db.write():
            if db.execute(_RELEASE, [PLAN, site, _IMPORTING]).fetchone():
                db.notify()


@contextmanager
def _set_hold(hold: _Hold) -> Iterator[None]:
    token = _hold.set(hold)
    try:
        yield
    finally:
        _hold.reset(token)


_OF_IMPORT: Final = f"kind = ? AND key = ? AND state = 'pending' AND reason = ? AND run_at > {NOW}"
_PUT_OFF: Final = f"UPDATE job SET run_at = {NOW} + ? WHERE {_OF_IMPORT}"
_RELEASE: Final = f"UPDATE job SET run_at = {NOW} WHERE {_OF_IMPORT} RETURNING id"


@changes.subscribe
def _changed(site: int, what: str, actor: str) -> None:
    """Enqueue a plan of what the transaction changes on a site, just before it commits."""
    if what != SITE_ADDED:  # a new site is empty, and whoever adds it publishes it when it is ready
        db.before_commit(_key(site), lambda: _enqueue_for_change(site, Cause(what, actor)))


def _key(site: int) -> tuple[str, int]:
    return (PLAN, site)


def _enqueue_for_change(site: int, cause: Cause) -> None:
    hold = _hold.get()
    if hold.seconds is None or not _unplanned(site):
        return
    name = Site.get_by_id(site).name
    settings = db.opened_config()
    ageing = settings.queue.ageing if settings else QueueSettings().ageing
    _enqueue(ageing, name, Cause(_IMPORTING, "import") if hold.importing else cause, hold.seconds)
    if hold.importing:
        db.execute(_PUT_OFF, [hold.seconds, PLAN, name, _IMPORTING])


def _enqueue(ageing: float, name: str, cause: Cause, delay: float) -> None:
    request = JobRequest(name, priority=_PRIORITY, scope=name)
    enqueue(PLAN, [request], ageing=ageing, causes=[cause], pause=_GATHER, delay=delay)


def _unplanned(site: int) -> bool:
    return bool(db.execute("SELECT 1 FROM change WHERE site_id = ? AND NOT planned LIMIT 1", [site]).fetchone())


def remove_if_planned(site: Site) -> None:
    """Delete the pending job that plans a site if no change is left to plan. Call it last in the transaction of a plan.

    A job stays if another transaction has just folded its request into it, since the change of that transaction is not
    visible from here yet.
    """
    waiting = f"SELECT id FROM job WHERE kind = ? AND key = ? AND state = 'pending' {db.skip_locked()}"
    row = db.execute(waiting, [PLAN, site.name]).fetchone()
    # Checked after the job is locked: a transaction that folded a request into it before has committed its change.
    if row and not _unplanned(site.id):
        db.execute("DELETE FROM job WHERE id = ?", [row[0]])


_FORGOTTEN: Final = f"""
SELECT s.id, s.name FROM site s
WHERE s.name IN ({{names}})
  AND (EXISTS (SELECT 1 FROM change c WHERE c.site_id = s.id AND NOT c.planned
               AND (c.at < {NOW} - ? OR c.at > {NOW} + ?))
       OR EXISTS (SELECT 1 FROM open_plan o WHERE o.site_id = s.id AND o.at > 0 AND o.at < {NOW} - ?))
  AND NOT EXISTS (SELECT 1 FROM job j WHERE j.kind = '{PLAN}' AND j.key = s.name
                  AND j.state IN ('pending', 'running', 'failed'))
ORDER BY s.id
"""


def enqueue_forgotten(config: Config, names: Sequence[str]) -> int:
    """Enqueue plans of the named sites that have old changes, or a plan of a dead process, and no job; return how many.

    Such changes were saved to be published later, come from an earlier release, or had their job deleted by somebody.
    """
    with db.write():
        rows = db.execute(
            _FORGOTTEN.format(names=db.placeholders(len(names))), [*names, FORGOTTEN_AFTER, FORGOTTEN_AFTER, LEASE]
        ).fetchall()
        for _, name in rows:
            _enqueue(config.queue.ageing, name, Cause("not yet planned", "schedule"), 0.0)
    return len(rows)

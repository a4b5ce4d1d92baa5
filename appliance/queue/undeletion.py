"""Undoing a deletion of jobs, within a minute.

Guarantees that a job comes back as it was, with its place in the queue; that one whose key somebody has asked for
since is folded into the newer request, with the reasons of both; that a failed one whose key was built since counts as
mended; and that a deletion is undone once, whoever else tries.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from appliance import audit, db
from appliance.db import NOW
from appliance.errors import UndoRefused
from appliance.queue.administration import in_transaction
from appliance.queue.job_filter import JobFilter, condition
from appliance.queue.triggers import CHAINS

#: Seconds in which a deletion can be undone.
LIMIT: Final = 60.0


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of the jobs of a deletion."""

    #: Jobs that wait or are failed as before.
    restored: int
    #: Jobs that a newer request for their key stands for.
    coalesced: int
    #: Failed jobs whose key was built since.
    mended: int


def undo(act: int, allowed: JobFilter) -> Undone:
    """Undo a deletion, as far as it was of jobs that the person may delete.

    Args:
        act: the number of the act.
        allowed: the jobs that the person may delete.

    Raises:
        UndoRefused: it was no deletion, is too long ago or is undone already.
    """

    def perform() -> Undone:
        _begin(act)
        chosen = condition(allowed)
        where = f"state = 'cancelled' AND id IN (SELECT a.job FROM acted_job a WHERE a.act_id = ?) AND {chosen.where}"
        values = [act, *chosen.values]
        db.execute(f"SELECT id FROM job WHERE {where} ORDER BY id {db.for_update()}", values).close()
        was_pending = f"{where} AND {_WAS.format('pending')}"
        was_failed = f"{where} AND {_WAS.format('failed')}"
        given = [*values, act]
        coalesced = db.execute(_SUPERSEDE % (was_pending, _WAITS), given).rowcount
        # Only those: a request that arrives after that statement is met by the retry of this transaction.
        folded = was_pending.replace("'cancelled'", "'superseded'")
        db.execute(_FOLD % folded, given)
        ids = f"SELECT id FROM job WHERE {folded}"
        db.execute(_REMEMBER % (folded, ids, ids), [*given, *given, *given])
        restored = db.execute(_RESTORE % ("pending", was_pending), [act, *given]).rowcount
        mended = db.execute(_SUPERSEDE % (was_failed, _MENDED), [*given, act]).rowcount
        restored += db.execute(_RESTORE % ("failed", was_failed), [act, *given]).rowcount
        done = Undone(restored, coalesced, mended)
        audit.record("job.undelete", "job", after={"act": act, "jobs": asdict(done)})
        db.notify()
        return done

    return in_transaction(perform)


def _begin(act: int) -> None:
    """Mark a deletion as undone, if it can be."""
    marked = db.execute(
        f"""UPDATE job_act SET undone_at = {NOW}
            WHERE id = ? AND act = 'delete' AND undone_at IS NULL AND at > {NOW} - ?""",
        [act, LIMIT],
    ).rowcount
    if not marked:
        row = db.execute("SELECT undone_at FROM job_act WHERE id = ? AND act = 'delete'", [act]).fetchone()
        raise UndoRefused(is_undone=row is not None and row[0] is not None)


_WAS: Final = "EXISTS (SELECT 1 FROM acted_job a WHERE a.act_id = ? AND a.job = job.id AND a.state = '{}')"
#: Another job of the same key waits.
_WAITS: Final = "EXISTS (SELECT 1 FROM job w WHERE w.kind = job.kind AND w.key = job.key AND w.state = 'pending')"
#: Another job of the same key has succeeded since.
_MENDED: Final = """
EXISTS (SELECT 1 FROM job d WHERE d.kind = job.kind AND d.key = job.key AND d.state = 'done'
        AND d.finished_at >= (SELECT x.at FROM job_act x WHERE x.id = ?))
"""
# The newer request takes the better place of the two, and counts the requests of both.
_FOLD: Final = """
UPDATE job SET
    triggers = job.triggers + gone.triggers,
    rank = CASE WHEN gone.rank < job.rank THEN gone.rank ELSE job.rank END,
    priority = CASE WHEN gone.priority > job.priority THEN gone.priority ELSE job.priority END
FROM (SELECT kind, key, triggers, rank, priority FROM job WHERE %s) AS gone
WHERE gone.kind = job.kind AND gone.key = job.key AND job.state = 'pending'
"""
_REMEMBER: Final = f"""
INSERT INTO job_trigger (job_id, reason, actor, change_id, first_at, last_at, times)
SELECT w.id, t.reason, t.actor, t.change_id, t.first_at, t.last_at, t.times
FROM (SELECT id, kind, key FROM job WHERE %s) AS gone
JOIN job AS w ON w.kind = gone.kind AND w.key = gone.key AND w.state = 'pending'
JOIN ({CHAINS}) AS t ON t.job_id = gone.id WHERE true
ON CONFLICT (job_id, reason, actor) DO UPDATE SET
    first_at = CASE WHEN excluded.first_at < job_trigger.first_at THEN excluded.first_at ELSE job_trigger.first_at END,
    times = job_trigger.times + excluded.times
"""
_SUPERSEDE: Final = f"UPDATE job SET state = 'superseded', finished_at = {NOW} WHERE %s AND %s"
_RESTORE: Final = """
UPDATE job SET state = '%s', finished_at = (SELECT a.finished_at FROM acted_job a WHERE a.act_id = ? AND a.job = job.id)
WHERE %s
"""

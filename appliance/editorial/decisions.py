"""Decisions about readers' comments: approved, held, marked as spam or deleted, and undone within a minute.

Guarantees that of two people who decide about the same comment at once only the first does anything, and that the
second can be told what that was; that a decision, its row in the audit and what is needed to undo it are committed
together; and that a deleted comment is forgotten a minute later.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from appliance import db
from appliance.actor import UNKNOWN, Actor, current
from appliance.config import Config
from appliance.content import comment_batches
from appliance.content.comment_batches import Removed
from appliance.content.comment_models import CommentOrigin
from appliance.content.models import Comment, Site
from appliance.content.versions import version_of
from appliance.db import NOW
from appliance.editorial import acts, spam_reports
from appliance.editorial.comment_judgement import HELD_BY_MODERATOR, WAITS_FOR_CHECK
from appliance.editorial.result import EditResult, apply_edit
from appliance.errors import ContentError

#: What becomes of a comment: a status, or that it goes.
Decision = Literal["approved", "pending", "spam", "deleted"]
DECISIONS: Final[tuple[Decision, ...]] = ("approved", "pending", "spam", "deleted")
#: Seconds for which a decision can be undone.
UNDO: Final = 60
#: Seconds for which it is known who decided. Of deleted comments the sender's history stays.
_KEPT: Final = 86_400


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of the comments that somebody decided about."""

    #: The ids of those that changed.
    done: tuple[int, ...]
    #: Those that were left as they are, since somebody changed or deleted them in the meantime.
    left: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """Decisions that were made together."""

    key: str
    #: What became of the comments.
    after: Decision
    comments: tuple[int, ...]
    made_by: str
    made_at: int


def decide(
    config: Config, site: str, choices: Mapping[int, str | None], decision: Decision, *,
    status: str = "", act: str = "", actor: Actor = UNKNOWN,
) -> EditResult[Decided]:  # fmt: skip
    """Decide about comments of a site. Those that somebody else has changed or deleted are left alone. Published later.

    Args:
        config: the installation.
        site: the name of the site.
        choices: the version that the decision is based on, by the id of the comment; None for any version.
        decision: what becomes of them.
        status: the status that they must still have; empty for any.
        act: the key by which `undo` finds them; decisions about several sites may share one.
        actor: who decides.

    Raises:
        ContentError, ConfigError: there is no such site.
    """

    def edit(row: Site) -> tuple[Decided, bool]:
        with db.write():
            found = _of_site(row, comment_batches.lock(choices))
            known = [one for one in found if status in ("", one.status)]
            fresh = [one for one in known if choices[one.id] is None or choices[one.id] == version_of(one)]
            done = apply(config, row, fresh, decision, act=act, actor=actor)
        left = sorted(choices.keys() - {one.id for one in fresh})
        return Decided(tuple(one.id for one in done), tuple(left)), bool(done)

    return apply_edit(config, site, actor, True, edit)


def apply(
    config: Config, site: Site, comments: Sequence[Comment], decision: Decision, *, act: str = "", actor: Actor
) -> list[Comment]:
    """Apply a decision to comments that are locked, and record it; returns those that changed. In a transaction."""
    before = {one.id: one.status for one in comments}
    removed = dict[int, Removed]()
    if decision == "deleted":
        acts.record_comments_deleted(site, comments, actor)
        removed, changed = comment_batches.remove(site.id, comments, actor.name), list(comments)
    else:
        changed = comment_batches.set_statuses(site.id, comments, decision, actor.name)
        was = {key: {"status": status} for key, status in before.items()}
        acts.record_comments_moderated(site, was, changed, {"status": decision}, actor)
        if decision == "pending":
            _hold_despite_checks(site, comments, actor)
        spam_reports.enqueue_reports(config, site, changed, actor)
    _remember(site, changed, before, decision, removed, act or secrets.token_urlsafe(12), actor)
    return changed


def undo(config: Config, act: str, sites: Sequence[str], *, actor: Actor = UNKNOWN) -> Decided:
    """Undo decisions that the same person made together not more than a minute ago; published later.

    Returns which comments have their former status again or are back, and which are left alone, since somebody has
    decided otherwise about them in the meantime.

    Args:
        config: the installation.
        act: the key of the decisions.
        sites: the sites on which this person may moderate.
        actor: who undoes them.

    Raises:
        ContentError: there is nothing to undo, or it is too late.
    """
    done, left, name = list[int](), list[int](), name_of(actor)
    known = find_act(act)
    if known is None or known.made_by != name:
        raise ContentError("There is nothing of yours to undo: it was undone already, or is too long ago.")
    for site in sites:
        found = apply_edit(config, site, actor, True, lambda row: undo_on(config, row, act, actor)).subject
        done += found.done
        left += found.left
    if not done and not left:
        raise ContentError("It is too late to undo this. Decide about the comments anew.")
    return Decided(tuple(done), tuple(left))


def find_act(act: str) -> Act | None:
    """Decisions that can still be undone; None if there are none, or they were made too long ago."""
    sql = f"""SELECT comment_id, after, made_by, made_at FROM comment_decision
              WHERE act = ? AND made_at >= {NOW} - {UNDO} ORDER BY id"""
    found = db.execute(sql, [act]).fetchall() if act else []
    if not found:
        return None
    _, after, made_by, made_at = found[0]
    return Act(act, after, tuple(row[0] for row in found), made_by, made_at)


@dataclass(frozen=True, slots=True)
class Last:
    """The last thing that was done to a comment."""

    #: A decision, `edited`, or empty if that is not known.
    what: str
    by: str
    #: Seconds since the epoch; 0 if that is not known.
    at: int


#: Number of the newest changes among which an edit is looked for.
_RECENT: Final = 10_000


def last_acts(ids: Iterable[int]) -> dict[int, Last]:
    """What was last done to comments, by their ids, as far as that is known: for whoever came second."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    marks = db.placeholders(len(wanted))
    decided = (
        f"SELECT comment_id, after, made_by, made_at FROM comment_decision WHERE comment_id IN ({marks}) ORDER BY id"
    )
    found = {key: Last(after, by, at) for key, after, by, at in db.execute(decided, wanted).fetchall()}
    edited = f"""SELECT subject_id, actor, at FROM change WHERE id > (SELECT MAX(id) FROM change) - {_RECENT}
                 AND subject = 'comment' AND what = 'comment edited' AND subject_id IN ({marks}) ORDER BY id"""
    for key, by, at in db.execute(edited, wanted).fetchall():
        if key not in found or found[key].at < at:
            found[key] = Last("edited", by, at)
    return found


def prune() -> int:
    """Forget deleted comments that cannot come back any more, and who decided yesterday; returns how many of both."""
    # Bound, since a planner that does not know it expects a good part of the table; and whole, as an index has it.
    now = int(db.now())
    gone = "UPDATE comment_decision SET content = '' WHERE content <> '' AND made_at < ?"
    old = """DELETE FROM comment_decision WHERE made_at < ?
              AND (after <> 'deleted' OR (author_email = '' AND network = ''))"""
    with db.write():
        return int(db.execute(gone, [now - UNDO]).rowcount) + int(db.execute(old, [now - _KEPT]).rowcount)


def undo_on(config: Config, site: Site, act: str, actor: Actor) -> tuple[Decided, bool]:
    """Undo the decisions with a key on a site, as `undo` does; returns them, and whether anything changed."""
    claim = f"""DELETE FROM comment_decision WHERE act = ? AND site_id = ? AND made_at >= {NOW} - {UNDO}
                RETURNING comment_id, before, after, content"""
    with db.write():  # what is deleted here nobody else can undo as well
        claimed = sorted(db.execute(claim, [act, site.id]).fetchall())
        done = _give_back(config, site, claimed, actor) + _bring_back(site, claimed, actor)
    left = {row[0] for row in claimed} - set(done)
    return Decided(tuple(done), tuple(sorted(left))), bool(done)


def _give_back(config: Config, site: Site, claimed: Sequence[Any], actor: Actor) -> list[int]:
    """Give comments their former status back, unless somebody has given them another since."""
    found = {one.id: one for one in comment_batches.lock(row[0] for row in claimed if row[2] != "deleted")}
    done = list[int]()
    for before, after in sorted({(row[1], row[2]) for row in claimed if row[2] != "deleted"}):
        among = [found[row[0]] for row in claimed if row[1:3] == (before, after) and row[0] in found]
        same = [one for one in among if one.status == after]
        changed = comment_batches.set_statuses(site.id, same, before, actor.name, restored=True)
        was = {one.id: {"status": after} for one in changed}
        acts.record_comments_moderated(site, was, changed, {"status": before, "undone": True}, actor)
        spam_reports.enqueue_reports(config, site, changed, actor)
        done += [one.id for one in changed]
    return done


def _bring_back(site: Site, claimed: Sequence[Any], actor: Actor) -> list[int]:
    kept = [json.loads(row[3]) for row in claimed if row[2] == "deleted" and row[3]]
    back = comment_batches.bring_back(site.id, [Removed(**values) for values in kept], actor.name) if kept else []
    acts.record_comments_restored(site, back, actor)
    return [one.id for one in back]


def _remember(
    site: Site, changed: Sequence[Comment], before: Mapping[int, str], decision: Decision,
    removed: Mapping[int, Removed], act: str, actor: Actor,
) -> None:  # fmt: skip
    now, by = int(db.now()), name_of(actor)
    for some in db.chunks(changed, 50):
        values: list[object] = []
        for one in some:
            gone = removed.get(one.id)
            content, email, network = ("", "", "") if gone is None else _kept(gone)
            values += [act, site.id, one.id, before[one.id], decision, by, now, content, email, network]
        db.execute(
            f"""INSERT INTO comment_decision
                    (act, site_id, comment_id, before, after, made_by, made_at, content, author_email, network)
                VALUES {db.placeholders(len(some), 10)}""",
            values,
        )


def _kept(gone: Removed) -> tuple[str, str, str]:
    network = gone.origin["network"] if gone.origin else ""
    return json.dumps(asdict(gone)), gone.comment["author_email"], network


def _hold_despite_checks(site: Site, comments: Sequence[Comment], actor: Actor) -> None:
    """Let no spam check that is still to come publish what a moderator holds."""
    by_id = {comment.id: comment for comment in comments}
    for some in db.chunks(list(by_id)):
        waiting = (CommentOrigin.comment.in_(list(some)), CommentOrigin.reason == WAITS_FOR_CHECK)
        ids = [origin.comment_id for origin in CommentOrigin.select(CommentOrigin.comment).where(*waiting)]
        if ids:
            CommentOrigin.update(reason=HELD_BY_MODERATOR).where(*waiting).execute()
            before = {key: {"reason": WAITS_FOR_CHECK} for key in ids}
            held = [by_id[key] for key in sorted(ids)]
            acts.record_comments_moderated(site, before, held, {"reason": HELD_BY_MODERATOR}, actor)


def _of_site(site: Site, comments: Sequence[Comment]) -> list[Comment]:
    entries = sorted({one.entry_id for one in comments})
    own = {
        key
        for some in db.chunks(entries)
        for (key,) in db.execute(
            f"SELECT id FROM entry WHERE site_id = ? AND id IN ({db.placeholders(len(some))})", [site.id, *some]
        ).fetchall()
    }
    return [one for one in comments if one.entry_id in own]


def name_of(actor: Actor) -> str:
    """The name of an actor, by default that of whoever acts."""
    return actor.name or current().name

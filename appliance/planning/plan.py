"""Planning: the artifacts a site should have, against those it has, and the jobs that follow.

Guarantees that a change counts as planned only in the transaction that puts its jobs on the queue, that no
two artifacts share a path and none is a file where another needs a folder, and that an artifact which cannot
be told apart is reported by name while all others are planned.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from itertools import islice
from typing import NamedTuple

from appliance import db
from appliance.content.models import Site
from appliance.planning import showing
from appliance.planning.archives import Row, artifacts
from appliance.planning.paths import fault_of
from appliance.planning.theme import Theme
from appliance.queue import store
from appliance.queue.models import Answer
from appliance.queue.requests import Cause

#: The kind of job that publishes one artifact; its key is the artifact's path.
PUBLISH = "publish"

_CHUNK = 500


@dataclass
class Plan:
    """What planning a site came to."""

    site: str
    #: Artifacts the site should have.
    wanted: int = 0
    #: What enqueuing did, by answer.
    answers: Counter[Answer] = field(default_factory=Counter)
    #: One sentence for each artifact that cannot be published.
    faults: list[str] = field(default_factory=list)


def publish_all(site: Site, theme: Theme, *, ageing: float, reason: str) -> Plan:
    """Bring the artifacts up to the content and enqueue every one of them, and what is to be deleted."""
    with db.write():
        _take(site)
        plan = refresh(site, theme)
        select = f"{_JOBS} ORDER BY a.id"
        plan.answers = store.enqueue_selected(PUBLISH, select, [site.id], ageing=ageing, reason=reason)
        _mark_planned(site, theme, plan)
    return plan


def publish_matching(site: Site, theme: Theme, patterns: Sequence[str], *, ageing: float, reason: str) -> Plan:
    """Bring the artifacts up to the content and enqueue those whose path below the docroot matches a shell pattern."""
    wanted = re.compile("|".join(translate(pattern.lstrip("/")) for pattern in patterns))
    with db.write():
        plan = refresh(site, theme)
        rows = db.execute(f"{_JOBS} ORDER BY a.id", [site.id])
        asked = (store.Request(path, priority, scope) for path, scope, priority, _ in rows if wanted.match(path))
        plan.answers = store.enqueue(PUBLISH, asked, ageing=ageing, reason=reason)
    return plan


def publish_changes(site: Site, theme: Theme, *, ageing: float) -> Plan:
    """Enqueue what the changes since the last planning may touch; nothing when there were none.

    What readers say touches the pages that may show it (`showing`). Any other change touches all pages, since any may
    show anything of its site; the pages of the changed entries come first.
    Building finds out which bytes differ, and only those are written. Without changes, what never came to be published
    or deleted is asked for once more, and a site that had conflicts is planned again: they may have been resolved by
    another site.
    """
    with db.write():
        taken, known = _take(site), _made_with(site)
        if not taken and known == theme.digest:
            return _ask_again(site, ageing)
        entries = list({change.entry: None for change in reversed(taken) if change.entry is not None})
        if known == theme.digest and len(entries) <= _TOUCHED and all(c.subject == "comment" for c in taken):
            return _publish_comments(site, theme, entries, _causes(taken), ageing)
        plan = refresh(site, theme)
        conflicts = known == theme.digest + _WITH_FAULTS
        causes = _causes(taken) or [Cause("conflicts resolved" if conflicts else "theme edited")]
        touched = entries[:_TOUCHED]
        first = _TOUCHED_FIRST.format(entries=db.marks(len(touched)) or "NULL")
        plan.answers = store.enqueue_selected(
            PUBLISH, f"{_JOBS} ORDER BY {first}, a.id", [site.id, *touched], ageing=ageing, causes=causes
        )
        _mark_planned(site, theme, plan)
    return plan


def _publish_comments(site: Site, theme: Theme, entries: list[int], causes: list[Cause], ageing: float) -> Plan:
    """Enqueue what may show comments of these entries: what somebody says makes no file and moves none."""
    plan = Plan(site.name, wanted=_count(site))
    shown, values = showing.condition(site, theme, entries)
    plan.answers = store.enqueue_selected(
        PUBLISH,
        f"{_JOBS} AND {shown} ORDER BY a.priority DESC, a.id",
        [site.id, *values],
        ageing=ageing,
        causes=causes,
        pause=_PAUSE,
    )
    return plan


class _Change(NamedTuple):
    id: int
    what: str
    actor: str
    subject: str
    entry: int | None


def _take(site: Site) -> list[_Change]:
    """Take the changes that are not planned yet, in order; they count as planned when this transaction is committed.

    To be called before anything is read to plan from: what is committed later is then left for the next planning,
    rather than marked and never seen.
    """
    db.in_turn(f"planning {site.id}")
    rows = db.execute(
        """UPDATE change SET planned = true WHERE site_id = ? AND NOT planned
           RETURNING id, what, actor, subject, entry_id""",
        [site.id],
    )
    return sorted(_Change(*row) for row in rows.fetchall())


#: Causes that a job remembers of one planning; what else happened before them is counted as one more.
_CAUSES = 4
#: Seconds that comments gather in which arrive while their page is built: at most eight builds a second of any page.
_PAUSE = 0.12
#: Entries whose pages come first, the latest of those that were changed.
_TOUCHED = 1000


def _causes(changes: Sequence[_Change]) -> list[Cause]:
    """One cause for each (what, actor), the latest last."""
    found: dict[tuple[str, str], Cause] = {}
    for change in changes:
        known = found.pop((change.what, change.actor), None)
        found[change.what, change.actor] = Cause(change.what, change.actor, change.id, known.times + 1 if known else 1)
    causes = list(found.values())
    earlier = causes[:-_CAUSES]
    if not earlier:
        return causes
    others = Cause("other changes", change=earlier[-1].change, times=sum(cause.times for cause in earlier))
    return [others, *causes[-_CAUSES:]]


#: What the queue is asked for, an artifact a row: those wanted, and those to delete.
_JOBS = """
SELECT a.path AS key, s.name AS scope, a.priority AS priority, CASE WHEN a.wanted THEN a.every ELSE 0 END AS every
FROM artifact a JOIN site s ON s.id = a.site_id
WHERE a.site_id = ? AND (a.wanted OR a.digest IS NOT NULL)
"""


_TOUCHED_FIRST = "CASE WHEN a.type IN ('entry', 'page') AND a.subject IN ({entries}) THEN 0 ELSE 1 END"


def refresh(site: Site, theme: Theme) -> Plan:
    """Bring the artifact table up to the site's content. Call inside a write transaction."""
    db.in_turn(f"planning {site.id}")
    plan = Plan(site.name)
    row = db.execute("SELECT COALESCE(MAX(plan), 0) + 1 FROM artifact WHERE site_id = ?", [site.id]).fetchone()
    number = int(row[0])
    rows = artifacts(site, theme)
    while chunk := list(islice(rows, _CHUNK)):
        _store(site, number, chunk, plan)
    db.execute("UPDATE artifact SET wanted = false WHERE site_id = ? AND plan <> ? AND wanted", [site.id, number])
    _refuse_clashes(site, plan)
    plan.wanted = _count(site)
    return plan


_UPSERT = """
INSERT INTO artifact (site_id, path, type, template, subject, period, page, per_page, is_permalink, priority,
                      every, wanted, plan, version)
VALUES %s
ON CONFLICT (path) DO UPDATE SET
    site_id = excluded.site_id, type = excluded.type, template = excluded.template, subject = excluded.subject,
    period = excluded.period, page = excluded.page, per_page = excluded.per_page,
    is_permalink = excluded.is_permalink, priority = excluded.priority, every = excluded.every,
    wanted = true, plan = excluded.plan
WHERE (artifact.site_id = excluded.site_id AND artifact.plan <> excluded.plan)
   OR (artifact.site_id <> excluded.site_id AND NOT artifact.wanted)
RETURNING path
"""


def _store(site: Site, number: int, chunk: list[Row], plan: Plan) -> None:
    rows: dict[str, Row] = {}
    clashing: list[Row] = []
    for row in chunk:
        fault = fault_of(row.path)
        if fault:
            plan.faults.append(
                f"{_named(row)} would be published as “{row.path}”, but {fault}; change its address or slug"
            )
        elif row.path in rows:
            clashing.append(row)
        else:
            rows[row.path] = row
    if not rows:
        return
    one = "(" + ", ".join(["?"] * 11 + ["true", "?", "0"]) + ")"
    values = [value for row in rows.values() for value in (site.id, *row, number)]
    taken = {path for (path,) in db.execute(_UPSERT % ", ".join([one] * len(rows)), values).fetchall()}
    clashing += [row for path, row in rows.items() if path not in taken]
    own = _own_addresses([row.subject for row in clashing if row.type == "redirect"])
    others = [row for row in clashing if row.type != "redirect" or (row.subject, row.path) not in own]
    plan.faults += [_conflict(row, _holder(row.path)) for row in others]


def _own_addresses(aliases: list[int | None]) -> set[tuple[int | None, str]]:
    """(alias, path) where a former address is the one its entry has now: the page is there, nobody is redirected."""
    if not aliases:
        return set()
    rows = db.execute(
        f"""SELECT x.id, a.path FROM alias x JOIN artifact a ON a.subject = x.entry_id AND a.wanted
            WHERE a.type IN ('entry', 'page') AND x.id IN ({db.marks(len(aliases))})""",
        aliases,
    )
    return set(rows.fetchall())


def _conflict(row: Row, holder: Row) -> str:
    return (
        f"{_named(row)} and {_named(holder)} would both be published as “{row.path}”;"
        f" the latter is, change the address or slug of one of them"
    )


def _holder(path: str) -> Row:
    columns = ", ".join(Row._fields)
    return Row(*db.execute(f"SELECT {columns} FROM artifact WHERE path = ?", [path]).fetchone())


_NAMES = {
    "entry": "SELECT title, source_path FROM entry WHERE id = ?",
    "page": "SELECT title, source_path FROM entry WHERE id = ?",
    "asset": "SELECT path, source_path FROM asset WHERE id = ?",
    "thumbnail": "SELECT path, source_path FROM asset WHERE id = ?",
    "redirect": "SELECT path, NULL FROM alias WHERE id = ?",
    "category": "SELECT path, NULL FROM category WHERE id = ?",
    "author": "SELECT name, NULL FROM author WHERE id = ?",
    "tag": "SELECT name, NULL FROM tag WHERE id = ?",
}


def _named(row: Row) -> str:
    """An artifact in words people know it by."""
    query = _NAMES.get(row.type.partition("-")[0])
    found = db.execute(query, [row.subject]).fetchone() if query and row.subject is not None else None
    if found is None:
        return f"the {row.type} {row.period or row.template}".strip()
    return f"the {row.type} “{found[0]}”" + (f" ({found[1]})" if found[1] else "")


# Every path below the folder f/ sorts between f/ and f0, the character after the slash.
_BELOW = "d.path > f.path || '/' AND d.path < f.path || '0'"
_CLASHES = f"""
SELECT f.path, f.site_id,
       (SELECT MIN(d.path) FROM artifact d WHERE d.wanted AND {_BELOW} AND ? IN (f.site_id, d.site_id))
FROM artifact f
WHERE f.wanted AND EXISTS (SELECT 1 FROM artifact d WHERE d.wanted AND {_BELOW} AND ? IN (f.site_id, d.site_id))
ORDER BY f.path
"""


def _refuse_clashes(site: Site, plan: Plan) -> None:
    """Take back files where a folder is needed; what another site has published stays."""
    for path, owner, inner in db.execute(_CLASHES, [site.id, site.id]).fetchall():
        file, folder = _named(_holder(path)), _named(_holder(inner))
        if owner == site.id:
            refused = f"the latter is published; change the address or slug of {file}"
            db.execute("UPDATE artifact SET wanted = false WHERE path = ?", [path])
        else:
            refused = f"the former is published, by another site; change the address or slug of {folder}"
            db.execute(
                "UPDATE artifact SET wanted = false WHERE site_id = ? AND path > ? AND path < ?",
                [site.id, f"{path}/", f"{path}0"],
            )
        plan.faults.append(f"{file} would be the file “{path}”, but {folder} needs a folder of that name; {refused}")


def _count(site: Site) -> int:
    return int(db.execute("SELECT COUNT(*) FROM artifact WHERE site_id = ? AND wanted", [site.id]).fetchone()[0])


def _ask_again(site: Site, ageing: float) -> Plan:
    """Enqueue what is wanted but not in the docroot, or there but not wanted."""
    plan = Plan(site.name, wanted=_count(site))
    select = f"{_JOBS} AND a.wanted = (a.digest IS NULL) ORDER BY a.id"
    plan.answers = store.enqueue_selected(PUBLISH, select, [site.id], ageing=ageing, reason="not yet published")
    return plan


def _made_with(site: Site) -> str | None:
    row = db.execute("SELECT theme_digest FROM planned WHERE site_id = ?", [site.id]).fetchone()
    return row[0] if row else None


#: Follows the digest of the theme that a site was planned with when there were conflicts.
_WITH_FAULTS = " with faults"


def _mark_planned(site: Site, theme: Theme, plan: Plan) -> None:
    db.execute(
        "INSERT INTO planned (site_id, theme_digest) VALUES (?, ?)"
        " ON CONFLICT (site_id) DO UPDATE SET theme_digest = excluded.theme_digest",
        [site.id, theme.digest + (_WITH_FAULTS if plan.faults else "")],
    )

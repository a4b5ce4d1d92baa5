"""Stores the dependencies of artifacts, in the transaction that publishes them.

Guarantees that no change is overlooked. A plan that is made between the moment an artifact's content was read and this
transaction knows what the artifact depended on before, not what it depends on now. If the two differ, the artifact is
enqueued once more. Dependencies that did not change are not written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import islice

from appliance import db
from appliance.building.builder import BuildResult
from appliance.building.loaders import ArtifactRow
from appliance.planning.enqueueing import template_of
from appliance.planning.plan import PUBLISH
from appliance.queue.enqueue import Cause, JobRequest, enqueue

#: Rows of one INSERT, with four values each.
_INSERT_ROWS = 500

Built = tuple[ArtifactRow, BuildResult]


def lock_sites(sites: Iterable[int]) -> None:
    """Wait for running plans of these sites, and keep new ones from starting until the transaction ends."""
    for site in sorted(set(sites)):
        db.acquire_lock(f"planning {site}")


def record_builds(built: Sequence[Built], ageing: float) -> None:
    """Store the dependencies of built artifacts, and the plan that each one was built from."""
    changed = [(a, result) for a, result in built if result.reads_digest != (a.reads or "")]
    for site in {a.site for a, _ in built}:
        _forget_digests(site, {key for a, result in built if a.site == site for key in result.outdated_keys})
    dependency_sets = _dependency_sets(changed)
    if changed:
        _write_dependencies(changed)
        rows = [
            (
                a.id,
                result.plan_number,
                dependency_sets.get((a.site, result.shared_keys)),
                result.listing_digest,
                result.reads_digest,
                result.counted,
            )
            for a, result in changed
        ]
        db.execute(
            f"""WITH made (id, built, recipe, shown, reads, counted) AS
                    (VALUES {db.placeholders(len(rows), 6)})
                UPDATE artifact SET built = CAST(made.built AS INTEGER), recipe = CAST(made.recipe AS INTEGER),
                                    shown = made.shown, reads = made.reads, counted = made.counted
                FROM made WHERE artifact.id = made.id""",
            [value for row in rows for value in row],
        )
    _mark_built(
        [
            (a, result.plan_number)
            for a, result in built
            if result.reads_digest == (a.reads or "") and a.built != result.plan_number
        ]
    )
    _enqueue_outdated(changed, ageing)
    _enqueue_withdrawn([a for a, _ in built], ageing)


def _enqueue_withdrawn(artifacts: Sequence[ArtifactRow], ageing: float) -> None:
    """Enqueue the deletion of artifacts that a plan withdrew while they were built for the first time.

    They had no file yet when the plan was made, so the plan enqueued nothing.
    """
    if artifacts:
        ids = [a.id for a in artifacts]
        rows = db.execute(
            f"""SELECT a.path, a.priority, s.name FROM artifact a JOIN site s ON s.id = a.site_id
                WHERE a.id IN ({db.placeholders(len(ids))}) AND NOT a.wanted AND a.digest IS NOT NULL""",
            ids,
        ).fetchall()
        requests = [JobRequest(path, priority, scope) for path, priority, scope in rows]
        if requests:
            enqueue(PUBLISH, requests, ageing=ageing, causes=[Cause("withdrawn while it was built")])


def record_failed_build(artifact: ArtifactRow, result: BuildResult, ageing: float) -> None:
    """Store what an artifact with a failed template had read, so that a change of it has the artifact built again.

    The artifact stays stale. If another build has recorded something since, nothing is stored.
    """
    row = db.execute("SELECT built, reads FROM artifact WHERE id = ?", [artifact.id]).fetchone()
    if row is None or tuple(row) != (artifact.built, artifact.reads):
        return
    _forget_digests(artifact.site, set(result.outdated_keys))
    if result.reads_digest == (artifact.reads or ""):
        return
    built = [(artifact, result)]
    dependency_sets = _dependency_sets(built)
    _write_dependencies(built)
    db.execute(
        "UPDATE artifact SET recipe = ?, shown = ?, reads = ?, counted = ? WHERE id = ?",
        [
            dependency_sets.get((artifact.site, result.shared_keys)),
            result.listing_digest,
            result.reads_digest,
            result.counted,
            artifact.id,
        ],
    )
    _enqueue_outdated(built, ageing)


def record_deletions(artifacts: Sequence[ArtifactRow]) -> None:
    """Forget the dependencies of deleted artifacts."""
    if artifacts:
        ids = [a.id for a in artifacts]
        db.execute(f"DELETE FROM reading WHERE artifact_id IN ({db.placeholders(len(ids))})", ids)
        db.execute(
            f"""UPDATE artifact SET built = marked, recipe = NULL, shown = NULL, reads = NULL, counted = NULL
                WHERE NOT wanted AND id IN ({db.placeholders(len(ids))})""",
            ids,
        )


def _mark_built(built: Sequence[tuple[ArtifactRow, int]]) -> None:
    for number in {number for _, number in built}:
        ids = [a.id for a, n in built if n == number]
        db.execute(f"UPDATE artifact SET built = ? WHERE id IN ({db.placeholders(len(ids))})", [number, *ids])


def _write_dependencies(built: Sequence[Built]) -> None:
    rebuilt = [a.id for a, _ in built if a.reads]
    if rebuilt:
        db.execute(f"DELETE FROM reading WHERE artifact_id IN ({db.placeholders(len(rebuilt))})", rebuilt)
    rows = ((a.id, *dependency) for a, result in built for dependency in result.dependencies)
    while some := list(islice(rows, _INSERT_ROWS)):
        db.execute(
            f"INSERT INTO reading (artifact_id, kind, subject, aspects) VALUES {db.placeholders(len(some), 4)}"
            " ON CONFLICT (artifact_id, kind, subject) DO UPDATE SET aspects = excluded.aspects",
            [value for row in some for value in row],
        )


def _dependency_sets(built: Sequence[Built]) -> dict[tuple[int, tuple[str, ...]], int]:
    """The id of each dependency set, by site and keys. New sets are stored with the digests of their keys."""
    results = {(a.site, result.shared_keys): result for a, result in built if result.shared_keys}
    found = {}
    for (site, keys), result in sorted(results.items()):
        digest = hashlib.blake2b(json.dumps(keys).encode(), digest_size=16).hexdigest()
        row = db.execute("SELECT id FROM recipe WHERE site_id = ? AND digest = ?", [site, digest]).fetchone()
        found[site, keys] = int(row[0]) if row else _new_dependency_set(site, digest, result)
    return found


def _new_dependency_set(site: int, digest_of_keys: str, result: BuildResult) -> int:
    set_id = db.execute(
        "INSERT INTO recipe (site_id, digest) VALUES (?, ?) RETURNING id", [site, digest_of_keys]
    ).fetchone()[0]
    keys = result.shared_keys
    db.execute(
        f"INSERT INTO recipe_key (recipe_id, key) VALUES {db.placeholders(len(keys), 2)}",
        [value for key in keys for value in (set_id, key)],
    )
    # Another worker may have read at another moment. The digest is then cleared, so that the next plan compares anew.
    db.execute(
        f"""INSERT INTO answer (site_id, key, digest) VALUES {db.placeholders(len(keys), 3)}
            ON CONFLICT (site_id, key) DO UPDATE
            SET digest = CASE WHEN answer.digest = excluded.digest THEN answer.digest ELSE '' END""",
        [value for key, digest in result.digest_keys(keys).items() for value in (site, key, digest)],
    )
    return int(set_id)


def _forget_digests(site: int, keys: set[str]) -> None:
    """Clear the digests of keys that a build saw change before any plan, so that the next plan compares anew."""
    if keys:
        named = sorted(keys)
        db.execute(
            f"UPDATE answer SET digest = '' WHERE site_id = ? AND key IN ({db.placeholders(len(named))})",
            [site, *named],
        )


def _invalidate_by_open_plan(site: int, number: int, built: Sequence[Built]) -> None:
    """Invalidate what was built while a plan is made in steps, which enqueues it at its end.

    It may have read what the plan has changed since, or will change.
    """
    ids = [a.id for a, result in built if a.site == site and result.plan_number < number]
    if ids:
        among = db.placeholders(len(ids))
        db.execute(f"UPDATE artifact SET marked = ? WHERE id IN ({among}) AND wanted", [number, *ids])


def _enqueue_outdated(built: Sequence[Built], ageing: float) -> None:
    """Enqueue once more the artifacts whose dependencies changed while a plan was made."""
    for site in {a.site for a, _ in built}:
        last_plan = db.execute(
            """SELECT p.number, o.number FROM planned p LEFT JOIN open_plan o ON o.site_id = p.site_id
               WHERE p.site_id = ?""",
            [site],
        ).fetchone()
        if last_plan and last_plan[1] and last_plan[1] > last_plan[0]:
            _invalidate_by_open_plan(site, last_plan[1], built)
            continue
        outdated = [a.id for a, result in built if a.site == site and last_plan and result.plan_number < last_plan[0]]
        if not outdated:
            continue
        rows = db.execute(
            f"""UPDATE artifact SET marked = ? WHERE id IN ({db.placeholders(len(outdated))}) AND wanted
                RETURNING path, priority, every, {template_of("artifact")},
                    (SELECT name FROM site WHERE site.id = artifact.site_id)""",
            [last_plan[0], *outdated],
        ).fetchall()
        requests = [
            JobRequest(path, priority, scope, every=every, template=template)
            for path, priority, every, template, scope in rows
        ]
        enqueue(PUBLISH, requests, ageing=ageing, causes=[Cause("changed while it was built")])

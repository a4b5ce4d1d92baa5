"""What artifacts read, written down in the transaction that publishes them.

Guarantees that no change is overlooked: when planning took changes between the moment an artifact's content was read
and this transaction, it knew what the artifact read before, not what it reads now. If the two differ, the artifact is
asked for once more. What reads the same as before is not written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from itertools import islice

from appliance import db
from appliance.building.artifacts import Made
from appliance.building.builder import Product
from appliance.planning.plan import PUBLISH
from appliance.queue.requests import Cause, Request, enqueue

#: Rows of one INSERT; four values each.
_ROWS = 500

Built = tuple[Made, Product]


def in_turn(sites: Iterable[int]) -> None:
    """Wait until nobody plans these sites, and keep planning out until the transaction ends."""
    for site in sorted(set(sites)):
        db.in_turn(f"planning {site}")


def record(built: Sequence[Built], ageing: float) -> None:
    """Write what these artifacts read and of which planning their content is."""
    others = [(a, p) for a, p in built if p.reads != (a.reads or "")]
    for site in {a.site for a, _ in built}:
        _report_strays(site, {key for a, p in built if a.site == site for key in p.stray})
    recipes = _recipes(others)
    if others:
        _write_readings(others)
        rows = [(a.id, p.number, recipes.get((a.site, p.recipe)), p.shown, p.reads) for a, p in others]
        db.execute(
            f"""WITH made (id, built, recipe, shown, reads) AS (VALUES {db.marks(len(rows), 5)})
                UPDATE artifact SET built = CAST(made.built AS INTEGER), recipe = CAST(made.recipe AS INTEGER),
                                    shown = made.shown, reads = made.reads
                FROM made WHERE artifact.id = made.id""",
            [value for row in rows for value in row],
        )
    _mark_built([(a, p.number) for a, p in built if p.reads == (a.reads or "") and a.built != p.number])
    _ask_again(others, ageing)
    _take_back([a for a, _ in built], ageing)


def _take_back(artifacts: Sequence[Made], ageing: float) -> None:
    """Ask for the deletion of what planning withdrew while it was built for the first time.

    There was no file yet when that was planned, so nothing was asked of the queue.
    """
    if artifacts:
        ids = [a.id for a in artifacts]
        rows = db.execute(
            f"""SELECT a.path, a.priority, s.name FROM artifact a JOIN site s ON s.id = a.site_id
                WHERE a.id IN ({db.marks(len(ids))}) AND NOT a.wanted AND a.digest IS NOT NULL""",
            ids,
        ).fetchall()
        requests = [Request(path, priority, scope) for path, priority, scope in rows]
        if requests:
            enqueue(PUBLISH, requests, ageing=ageing, causes=[Cause("withdrawn while it was built")])


def record_unfinished(artifact: Made, product: Product, ageing: float) -> None:
    """Write what an artifact read whose template failed: what is stale can only be mended by a change of that.

    It stays stale. What somebody else recorded of it meanwhile is left alone.
    """
    row = db.execute("SELECT built, reads FROM artifact WHERE id = ?", [artifact.id]).fetchone()
    if row is None or tuple(row) != (artifact.built, artifact.reads):
        return
    _report_strays(artifact.site, set(product.stray))
    if product.reads == (artifact.reads or ""):
        return
    built = [(artifact, product)]
    recipes = _recipes(built)
    _write_readings(built)
    db.execute(
        "UPDATE artifact SET recipe = ?, shown = ?, reads = ? WHERE id = ?",
        [recipes.get((artifact.site, product.recipe)), product.shown, product.reads, artifact.id],
    )
    _ask_again(built, ageing)


def gone(artifacts: Sequence[Made]) -> None:
    """These artifacts are deleted: they read nothing any more."""
    if artifacts:
        ids = [a.id for a in artifacts]
        db.execute(f"DELETE FROM reading WHERE artifact_id IN ({db.marks(len(ids))})", ids)
        db.execute(
            f"""UPDATE artifact SET built = marked, recipe = NULL, shown = NULL, reads = NULL
                WHERE NOT wanted AND id IN ({db.marks(len(ids))})""",
            ids,
        )


def _mark_built(built: Sequence[tuple[Made, int]]) -> None:
    for number in {number for _, number in built}:
        ids = [a.id for a, n in built if n == number]
        db.execute(f"UPDATE artifact SET built = ? WHERE id IN ({db.marks(len(ids))})", [number, *ids])


def _write_readings(built: Sequence[Built]) -> None:
    known = [a.id for a, _ in built if a.reads]
    if known:
        db.execute(f"DELETE FROM reading WHERE artifact_id IN ({db.marks(len(known))})", known)
    rows = ((a.id, *reading) for a, p in built for reading in p.readings)
    while some := list(islice(rows, _ROWS)):
        db.execute(
            f"INSERT INTO reading (artifact_id, kind, subject, aspects) VALUES {db.marks(len(some), 4)}"
            " ON CONFLICT (artifact_id, kind, subject) DO UPDATE SET aspects = excluded.aspects",
            [value for row in some for value in row],
        )


def _recipes(built: Sequence[Built]) -> dict[tuple[int, tuple[str, ...]], int]:
    """The number of each recipe; those nobody followed before are written, with what their keys answer."""
    products = {(a.site, p.recipe): p for a, p in built if p.recipe}
    found = {}
    for (site, recipe), product in sorted(products.items()):
        name = hashlib.blake2b(json.dumps(recipe).encode(), digest_size=16).hexdigest()
        row = db.execute("SELECT id FROM recipe WHERE site_id = ? AND digest = ?", [site, name]).fetchone()
        found[site, recipe] = int(row[0]) if row else _new_recipe(site, name, product)
    return found


def _new_recipe(site: int, name: str, product: Product) -> int:
    number = db.execute("INSERT INTO recipe (site_id, digest) VALUES (?, ?) RETURNING id", [site, name]).fetchone()[0]
    keys = product.recipe
    db.execute(
        f"INSERT INTO recipe_key (recipe_id, key) VALUES {db.marks(len(keys), 2)}",
        [value for key in keys for value in (number, key)],
    )
    # Another worker may have read another moment: then nobody knows what the key answered to whom.
    db.execute(
        f"""INSERT INTO answer (site_id, key, digest) VALUES {db.marks(len(keys), 3)}
            ON CONFLICT (site_id, key) DO UPDATE
            SET digest = CASE WHEN answer.digest = excluded.digest THEN answer.digest ELSE '' END""",
        [value for key, digest in product.answers(keys).items() for value in (site, key, digest)],
    )
    return int(number)


def _report_strays(site: int, keys: set[str]) -> None:
    """Have the next planning take these keys for answered anew: somebody read what planning never saw."""
    if keys:
        named = sorted(keys)
        db.execute(
            f"UPDATE answer SET digest = '' WHERE site_id = ? AND key IN ({db.marks(len(named))})", [site, *named]
        )


def _ask_again(built: Sequence[Built], ageing: float) -> None:
    """Ask once more for what read something new while planning went on."""
    for site in {a.site for a, _ in built}:
        now = db.execute("SELECT number FROM planned WHERE site_id = ?", [site]).fetchone()
        late = [a.id for a, p in built if a.site == site and now and p.number < now[0]]
        if not late:
            continue
        rows = db.execute(
            f"""UPDATE artifact SET marked = ? WHERE id IN ({db.marks(len(late))}) AND wanted
                RETURNING path, priority, every, (SELECT name FROM site WHERE site.id = artifact.site_id)""",
            [now[0], *late],
        ).fetchall()
        requests = [Request(path, priority, scope, every=every) for path, priority, every, scope in rows]
        enqueue(PUBLISH, requests, ageing=ageing, causes=[Cause("changed while it was built")])

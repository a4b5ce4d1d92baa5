"""The tree of categories: what is above and below them. Queries go by parents, so that none reads all categories."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from appliance import db

#: Common table expression: each category of a site (`category_id`) with itself and all above it (`id`).
ABOVE: Final = """WITH RECURSIVE above (category_id, id) AS (
    SELECT id, id FROM category WHERE site_id = ?
    UNION SELECT a.category_id, c.parent_id FROM above a JOIN category c ON c.id = a.id WHERE c.parent_id IS NOT NULL)
"""


def ancestors(categories: Collection[int]) -> dict[int, set[int]]:
    """Each of these categories with itself and all categories above it."""
    parents: dict[int, int | None] = {}
    waiting: Sequence[int] = sorted(categories)
    while waiting:
        for some in db.chunks(waiting):
            marks = db.placeholders(len(some))
            parents |= dict(db.execute(f"SELECT id, parent_id FROM category WHERE id IN ({marks})", some).fetchall())
        waiting = sorted({above for above in parents.values() if above is not None} - parents.keys())
    found: dict[int, set[int]] = {}
    for category in categories:
        line, above = {category}, parents.get(category)
        while above is not None and above not in line:
            line.add(above)
            above = parents.get(above)
        found[category] = line
    return found


def with_ancestors(categories: Iterable[int]) -> list[int]:
    """The ids of categories and of all categories above them, sorted."""
    lines = ancestors(set(categories))
    return sorted(set().union(*lines.values()))


def with_descendants(categories: Iterable[int]) -> list[int]:
    """The ids of categories and of all categories below them, sorted."""
    found = set(categories)
    waiting: Sequence[int] = sorted(found)
    while waiting:
        below: set[int] = set()
        for some in db.chunks(waiting):
            rows = db.execute(f"SELECT id FROM category WHERE parent_id IN ({db.placeholders(len(some))})", some)
            below.update(child for (child,) in rows.fetchall())
        waiting = sorted(below - found)
        found |= below
    return sorted(found)


def entries_below(categories: Iterable[int]) -> set[int]:
    """The ids of the entries in these categories and in those below them."""
    found: set[int] = set()
    for some in db.chunks(with_descendants(categories)):
        marks = db.placeholders(len(some))
        rows = db.execute(f"SELECT entry_id FROM entry_category WHERE category_id IN ({marks})", some)
        found.update(entry for (entry,) in rows.fetchall())
    return found

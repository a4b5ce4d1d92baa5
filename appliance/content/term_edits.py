"""Renaming, merging and removing terms.

These functions keep the following true: an entry has a term once, and exactly one of its categories is primary; the
path of a category consists of the slugs of its parents and its own; siblings cannot be confused by name or slug; every
category whose listings change gets a recorded change. An edit is refused before anything is written. A new name alone
keeps the slug, and so the addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from appliance import db
from appliance.content import changes
from appliance.content.aspects import Aspect
from appliance.content.models import Category
from appliance.content.term_names import (
    Term,
    TermKind,
    check_name_free,
    full_name,
    kind_of,
    validate_name,
    validate_slug,
)
from appliance.errors import ContentError

#: As the parent of a category: keep the present one.
SAME_PARENT: Final[Literal["same"]] = "same"
_PLURALS: Final[dict[TermKind, str]] = {"author": "authors", "category": "categories", "tag": "tags"}
#: The aspects that change in the entries of an edited term.
_CHANGED_ASPECTS: Final = Aspect.TERMS | Aspect.PLACE


def rename(
    term: Term,
    name: str | None = None,
    slug: str | None = None,
    parent: Category | Literal["same"] | None = SAME_PARENT,
    actor: str = "",
) -> bool:
    """Change the name or slug of a term, or the `parent` of a category (None: no parent); returns whether it changed.

    Raises:
        ContentError: the name or slug is invalid or belongs to another term, a category would be below itself, or the
            category or one that would move with it comes from a source.
    """
    with db.write():
        term = _reload(term)
        name = term.name if name is None else validate_name(term, name)
        slug = term.slug if slug is None else validate_slug(slug)
        if not isinstance(term, Category):
            return _rename_flat(term, name, slug, actor)
        return _rename_category(term, name, slug, term.parent if isinstance(parent, str) else parent, actor)


def merge(term: Term, into: Term, actor: str = "") -> int:
    """Move all entries of `term` to `into` and remove `term`; returns the number of its entries.

    The categories below `term` move below `into`, and are merged with those of the same slug there.

    Raises:
        ContentError: the terms are the same or of different kinds or sites, `into` is below `term`, or `term` or a
            category that would move with it comes from a source.
    """
    with db.write():
        term, into = _reload(term), _reload(into)
        _refuse_merge(term, into)
        return _merge(term, into, actor)


def delete(term: Term, actor: str = "") -> int:
    """Remove a term from its entries and from the site; returns the number of its entries.

    The categories below it move up to its parent.

    Raises:
        ContentError: a category that moves up would be confused with one there, or `term` or a category that would move
            comes from a source.
    """
    with db.write():
        term = _reload(term)
        _refuse_sourced(term, moves=True)
        for child in _children(term):
            _check_siblings(child, child.slug, child.name, child.parent.parent, ignored=child.parent)
        kind, key, site = kind_of(term), term.id, term.site_id
        _record_regrouped(site, _ancestor_ids(term), set(), actor)
        count = _record_entries(term, f"entry lost {'an' if kind == 'author' else 'a'} {kind}", actor)
        link, column = _link_table(kind)
        if kind == "category":
            db.execute(_NEXT_PRIMARY, [key, key])
        db.execute(f"DELETE FROM {link} WHERE {column} = ?", [key])
        parent, children = getattr(term, "parent", None), _children(term)
        _free_path(term, children)
        for child in children:
            _move_category(child, child.name, child.slug, parent, actor)
        term.delete_instance()
        changes.record(site, f"{kind} removed", kind, key, actor=actor)
        return count


#: Entries that lose their primary category get another one: the first in the order of `EntryRelations`.
_NEXT_PRIMARY = """
UPDATE entry_category SET is_primary = TRUE
WHERE entry_id IN (SELECT entry_id FROM entry_category WHERE category_id = ? AND is_primary)
  AND category_id = (SELECT MIN(other.category_id) FROM entry_category AS other
                     WHERE other.entry_id = entry_category.entry_id AND other.category_id <> ?)
"""


def _rename_flat(term: Any, name: str, slug: str, actor: str) -> bool:
    if (name, slug) == (term.name, term.slug):
        return False
    model = type(term)
    check_name_free(term, model.select().where(model.site == term.site_id, model.id != term.id), name, slug)
    previous = {"path": term.slug} if slug != term.slug else None
    term.name, term.slug = name, slug
    term.save(only=["name", "slug"])
    kind = kind_of(term)
    changes.record(term.site_id, f"{kind} renamed", kind, term.id, actor=actor, previous=previous)
    return True


def _rename_category(term: Category, name: str, slug: str, parent: Category | None, actor: str) -> bool:
    moves = slug != term.slug or (parent.id if parent else None) != term.parent_id
    if not moves and name == term.name:
        return False
    _refuse_sourced(term, moves)
    _check_siblings(term, slug, name, parent)
    if parent is not None and (parent.id == term.id or parent.path.startswith(term.path + "/")):
        raise ContentError(f"the category “{full_name(term)}” cannot be below itself; choose another parent")
    _move_category(term, name, slug, parent, actor)
    return True


def _move_category(term: Category, name: str, slug: str, parent: Category | None, actor: str) -> None:
    """Write the name, slug and parent of a category and the paths of all categories below it, and record the change."""
    old, before = term.path, _ancestor_ids(term)
    path = f"{parent.path}/{slug}" if parent else slug
    event = "category renamed" if (name, slug) != (term.name, term.slug) else "category moved"
    term.name, term.slug, term.parent, term.path = name, slug, parent.id if parent else None, path
    term.save(only=["name", "slug", "parent", "path"])
    if path != old:
        db.execute(
            "UPDATE category SET path = ? || SUBSTR(path, ?) WHERE site_id = ? AND SUBSTR(path, 1, ?) = ?",
            [path, len(old) + 1, term.site_id, len(old) + 1, old + "/"],
        )
    previous = {"path": old} if path != old else None
    changes.record(term.site_id, event, "category", term.id, actor=actor, previous=previous)
    _record_regrouped(term.site_id, before, _ancestor_ids(term), actor)


def _merge(term: Term, into: Term, actor: str) -> int:
    kind, key, site = kind_of(term), term.id, term.site_id
    _record_regrouped(site, _ancestor_ids(term), _ancestor_ids(into), actor)
    count = _record_entries(term, f"entry’s {_PLURALS[kind]} merged", actor)
    link, column = _link_table(kind)
    rank, better = ("is_primary", "gone.is_primary") if kind == "category" else ("position", "gone.position < kept")
    db.execute(
        f"""UPDATE {link} SET {rank} = gone.{rank} FROM (SELECT entry_id, {rank} FROM {link} WHERE {column} = ?) AS gone
            WHERE {link}.{column} = ? AND {link}.entry_id = gone.entry_id
              AND {better.replace("kept", f"{link}.{rank}")}""",
        [key, into.id],
    )
    db.execute(
        f"DELETE FROM {link} WHERE {column} = ? AND entry_id IN (SELECT entry_id FROM {link} WHERE {column} = ?)",
        [key, into.id],
    )
    db.execute(f"UPDATE {link} SET {column} = ? WHERE {column} = ?", [into.id, key])
    children = _children(term)
    _free_path(term, children)
    for child in children:
        twin = Category.get_or_none(Category.parent == into.id, Category.slug == child.slug, Category.id != key)
        if twin is not None:
            _merge(child, twin, actor)
        else:
            _move_category(child, child.name, child.slug, _reload(into), actor)
    term.delete_instance()
    changes.record(site, f"{kind} merged", kind, key, actor=actor, previous={"into": into.id})
    return count


def _record_entries(term: Term, event: str, actor: str) -> int:
    """Record a change for each entry of a term; returns the number of entries."""
    link, column = _link_table(kind_of(term))
    ids = f"SELECT entry_id FROM {link} WHERE {column} = ?"
    return changes.record_entries(term.site_id, event, ids, [term.id], actor, _CHANGED_ASPECTS)


def _record_regrouped(site_id: int, before: set[int], after: set[int], actor: str) -> None:
    """Record a change for each category that is an ancestor only before or only after: it lists other entries now."""
    for key in sorted(before ^ after):
        changes.record(site_id, "category regrouped", "category", key, actor=actor)


def _refuse_merge(term: Term, into: Term) -> None:
    kind = kind_of(term)
    if kind_of(into) != kind or into.site_id != term.site_id:
        raise ContentError(
            f"“{full_name(term)}” and “{full_name(into)}” are not of one kind and site; merge those that are"
        )
    if term.id == into.id:
        raise ContentError(f"the {kind} “{full_name(term)}” cannot be merged into itself; choose another")
    if isinstance(into, Category) and isinstance(term, Category) and into.path.startswith(term.path + "/"):
        raise ContentError(
            f"“{full_name(into)}” is below “{full_name(term)}” and would go with it;"
            f" merge “{full_name(into)}” into “{full_name(term)}” instead"
        )
    _refuse_sourced(term, moves=True)


def _refuse_sourced(term: Term, moves: bool) -> None:
    """Refuse to edit a category that comes from a source, or to move one with such a category below it."""
    if not isinstance(term, Category):
        return
    prefix = term.path + "/"
    for other in Category.select().where(Category.site == term.site_id, Category.source.is_null(False)):
        if other.id == term.id or (moves and other.path.startswith(prefix)):
            raise ContentError(
                f"the category “{full_name(other)}” comes from the source “{other.source}”, file {other.source_path};"
                " edit it there"
            )


def _check_siblings(
    term: Category, slug: str, name: str, parent: Category | None, ignored: Category | None = None
) -> None:
    below_parent = Category.parent == parent.id if parent else Category.parent.is_null()
    excluded = [term.id, *([ignored.id] if ignored else [])]
    siblings = Category.select().where(Category.site == term.site_id, below_parent, Category.id.not_in(excluded))
    check_name_free(term, siblings, name, slug)


def _children(term: Term) -> Sequence[Category]:
    if not isinstance(term, Category):
        return []
    return list(Category.select().where(Category.parent == term.id).order_by(Category.id))


def _ancestor_ids(term: Term) -> set[int]:
    ids: set[int] = set()
    parent = getattr(term, "parent_id", None)
    while parent is not None:
        ids.add(parent)
        parent = Category.get_by_id(parent).parent_id
    return ids


def _free_path(term: Term, children: Sequence[Category]) -> None:
    """Give a category that is about to be removed a path no category can have, since a child may take its own."""
    if children and isinstance(term, Category):
        term.path = f"{term.path}//"
        term.save(only=["path"])


def _link_table(kind: TermKind) -> tuple[str, str]:
    """The table that relates entries to a kind of term, and its column for the term."""
    return f"entry_{kind}", f"{kind}_id"


def _reload(term: Any) -> Any:
    found = type(term).get_or_none(type(term).id == term.id)
    if found is None:
        raise ContentError(f"the {kind_of(term)} “{term.name}” was removed; choose another")
    return found

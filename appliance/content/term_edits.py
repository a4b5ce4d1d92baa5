"""Terms that are renamed, merged into others or removed.

Guarantees that no entry is joined to a term twice and each that has categories has one primary; that a category's path
is always made of the slugs above it; that among terms side by side no name or slug can mean two of them; that every
category whose listings have other entries now is noted; and that what is refused is refused before anything is written.
A slug stays when only the name changes, and with it the addresses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

from appliance import db
from appliance.content import changes
from appliance.content.aspects import Aspect
from appliance.content.models import Category
from appliance.content.term_names import Term, TermKind, called, kind_of, refuse_taken, sound_name, sound_slug
from appliance.errors import ContentError

#: Says that a category stays below the one it is below.
SAME: Final[Literal["same"]] = "same"
_PLURALS: Final[dict[TermKind, str]] = {"author": "authors", "category": "categories", "tag": "tags"}
_TOUCHED: Final = Aspect.TERMS | Aspect.PLACE


def rename(
    term: Term,
    name: str | None = None,
    slug: str | None = None,
    parent: Category | Literal["same"] | None = SAME,
    actor: str = "",
) -> bool:
    """Give a term another name or slug, a category another `parent` (None: the top); returns whether it changed.

    Raises:
        ContentError: the name or slug is none or another term's, a category would be below itself, or a source
            describes it or what would move with it.
    """
    with db.write():
        term = _fresh(term)
        name = term.name if name is None else sound_name(term, name)
        slug = term.slug if slug is None else sound_slug(slug)
        if not isinstance(term, Category):
            return _rename_flat(term, name, slug, actor)
        return _rename_category(term, name, slug, term.parent if isinstance(parent, str) else parent, actor)


def merge(term: Term, into: Term, actor: str = "") -> int:
    """Move all entries of `term` to `into` and remove it; returns how many entries it had.

    The categories below `term` move below `into`, and are merged with those of the same slug there.

    Raises:
        ContentError: they are the same, of different kinds or sites, `into` is below `term`, or a source describes
            `term` or what would move with it.
    """
    with db.write():
        term, into = _fresh(term), _fresh(into)
        _refuse_merge(term, into)
        return _merge(term, into, actor)


def delete(term: Term, actor: str = "") -> int:
    """Remove a term; its entries stay without it. Returns how many those are.

    The categories below it move up to its parent.

    Raises:
        ContentError: a category would move to the place of another, or a source describes it or what would move.
    """
    with db.write():
        term = _fresh(term)
        _refuse_described(term, moves=True)
        for child in _children(term):
            _refuse_place(child, child.slug, child.name, child.parent.parent, besides=child.parent)
        kind, key, site = kind_of(term), term.id, term.site_id
        _record_regrouped(site, _above(term), set(), actor)
        count = _record_entries(term, f"entry lost {'an' if kind == 'author' else 'a'} {kind}", actor)
        link, column = _names(kind)
        if kind == "category":
            db.execute(_NEXT_PRIMARY, [key, key])
        db.execute(f"DELETE FROM {link} WHERE {column} = ?", [key])
        above, children = getattr(term, "parent", None), _children(term)
        _set_aside(term, children)
        for child in children:
            _place(child, child.name, child.slug, above, actor)
        term.delete_instance()
        changes.record(site, f"{kind} removed", kind, key, actor=actor)
        return count


#: Another category becomes the primary one of entries that lose theirs: the first in the order of `content.links`.
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
    refuse_taken(term, model.select().where(model.site == term.site_id, model.id != term.id), name, slug)
    was = {"path": term.slug} if slug != term.slug else None
    term.name, term.slug = name, slug
    term.save(only=["name", "slug"])
    kind = kind_of(term)
    changes.record(term.site_id, f"{kind} renamed", kind, term.id, actor=actor, was=was)
    return True


def _rename_category(term: Category, name: str, slug: str, above: Category | None, actor: str) -> bool:
    moves = slug != term.slug or (above.id if above else None) != term.parent_id
    if not moves and name == term.name:
        return False
    _refuse_described(term, moves)
    _refuse_place(term, slug, name, above)
    if above is not None and (above.id == term.id or above.path.startswith(term.path + "/")):
        raise ContentError(f"the category “{called(term)}” cannot be below itself; name another parent")
    _place(term, name, slug, above, actor)
    return True


def _place(term: Category, name: str, slug: str, above: Category | None, actor: str) -> None:
    """Write where a category is, with the paths of all below it, and note it."""
    old, parent, before = term.path, above.id if above else None, _above(term)
    path = f"{above.path}/{slug}" if above else slug
    what = "category renamed" if (name, slug) != (term.name, term.slug) else "category moved"
    term.name, term.slug, term.parent, term.path = name, slug, parent, path
    term.save(only=["name", "slug", "parent", "path"])
    if path != old:
        db.execute(
            "UPDATE category SET path = ? || SUBSTR(path, ?) WHERE site_id = ? AND SUBSTR(path, 1, ?) = ?",
            [path, len(old) + 1, term.site_id, len(old) + 1, old + "/"],
        )
    was = {"path": old} if path != old else None
    changes.record(term.site_id, what, "category", term.id, actor=actor, was=was)
    _record_regrouped(term.site_id, before, _above(term), actor)


def _merge(term: Term, into: Term, actor: str) -> int:
    kind, key, site = kind_of(term), term.id, term.site_id
    _record_regrouped(site, _above(term), _above(into), actor)
    count = _record_entries(term, f"entry’s {_PLURALS[kind]} merged", actor)
    link, column = _names(kind)
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
    _set_aside(term, children)
    for child in children:
        twin = Category.get_or_none(Category.parent == into.id, Category.slug == child.slug, Category.id != key)
        if twin is not None:
            _merge(child, twin, actor)
        else:
            _place(child, child.name, child.slug, _fresh(into), actor)
    term.delete_instance()
    changes.record(site, f"{kind} merged", kind, key, actor=actor, was={"into": into.id})
    return count


def _record_entries(term: Term, what: str, actor: str) -> int:
    """Note that the entries of a term are touched, however many; returns how many."""
    link, column = _names(kind_of(term))
    chosen = f"SELECT entry_id FROM {link} WHERE {column} = ?"
    return changes.record_entries(term.site_id, what, chosen, [term.id], actor, _TOUCHED)


def _record_regrouped(site_id: int, before: set[int], after: set[int], actor: str) -> None:
    """Note the categories whose listings have other entries, since others are below them: `before` or `after` only."""
    for key in sorted(before ^ after):
        changes.record(site_id, "category regrouped", "category", key, actor=actor)


def _refuse_merge(term: Term, into: Term) -> None:
    kind = kind_of(term)
    if kind_of(into) != kind or into.site_id != term.site_id:
        raise ContentError(f"“{called(term)}” and “{called(into)}” are not of one kind and site; merge those that are")
    if term.id == into.id:
        raise ContentError(f"the {kind} “{called(term)}” cannot be merged into itself; name another")
    if isinstance(into, Category) and isinstance(term, Category) and into.path.startswith(term.path + "/"):
        raise ContentError(
            f"“{called(into)}” is below “{called(term)}” and would go with it; merge it into “{called(term)}” instead"
        )
    _refuse_described(term, moves=True)


def _refuse_described(term: Term, moves: bool) -> None:
    """A category that a source describes is edited there, and one above it can go nowhere without it."""
    if not isinstance(term, Category):
        return
    beginning = term.path + "/"
    for other in Category.select().where(Category.site == term.site_id, Category.source.is_null(False)):
        if other.id == term.id or (moves and other.path.startswith(beginning)):
            raise ContentError(
                f"the category “{called(other)}” is described by {other.source_path} of {other.source}; edit it there"
            )


def _refuse_place(
    term: Category, slug: str, name: str, above: Category | None, besides: Category | None = None
) -> None:
    beside = Category.parent == above.id if above else Category.parent.is_null()
    gone = [term.id, *([besides.id] if besides else [])]
    refuse_taken(
        term, Category.select().where(Category.site == term.site_id, beside, Category.id.not_in(gone)), name, slug
    )


def _children(term: Term) -> Sequence[Category]:
    if not isinstance(term, Category):
        return []
    return list(Category.select().where(Category.parent == term.id).order_by(Category.id))


def _above(term: Term) -> set[int]:
    """Ids of the categories above one."""
    found: set[int] = set()
    parent = getattr(term, "parent_id", None)
    while parent is not None:
        found.add(parent)
        parent = Category.get_by_id(parent).parent_id
    return found


def _set_aside(term: Term, children: Sequence[Category]) -> None:
    """Leave the place of a category that goes: what was below it may take it."""
    if children and isinstance(term, Category):
        term.path = f"{term.path}//"
        term.save(only=["path"])


def _names(kind: TermKind) -> tuple[str, str]:
    """The table that joins entries to such terms, and its column for the term."""
    return f"entry_{kind}", f"{kind}_id"


def _fresh(term: Any) -> Any:
    found = type(term).get_or_none(type(term).id == term.id)
    if found is None:
        raise ContentError(f"the {kind_of(term)} “{term.name}” is gone; name another")
    return found

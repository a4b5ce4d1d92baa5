"""Commands that rename, merge and delete authors, categories and tags."""

from __future__ import annotations

from typing import Any, Literal

from appliance import db
from appliance.actor import UNKNOWN, Actor
from appliance.config import Config
from appliance.content import term_edits, versions
from appliance.content.models import Category, Site
from appliance.content.term_edits import SAME_PARENT
from appliance.content.term_names import Term, find_term
from appliance.editorial import acts
from appliance.editorial.result import EditResult, apply_edit
from appliance.errors import ContentError


def rename_term(
    config: Config,
    site: str,
    kind: str,
    name: str,
    new_name: str | None = None,
    *,
    slug: str | None = None,
    parent: str | Literal["same"] | None = SAME_PARENT,
    expected_version: str | None = None,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[Term]:
    """Rename an author, category or tag, change its slug, or move a category to another parent.

    A new name alone keeps the slug, and with it the addresses of pages. A `parent` of None makes the category a
    top-level one. `expected_version` is the version of the `TermRow` that the edit is based on.

    Raises:
        EditConflict: somebody has changed the term since that version.
        ContentError: the term does not exist, the new name or slug is invalid or taken, or the category comes from a
            source.
        ConfigError, ThemeError: the site or its theme cannot be used, and nothing was changed.
    """

    def edit(row: Site) -> tuple[Term, bool]:
        term = find_term(row, kind, name)
        new_parent: Any = parent
        if parent != SAME_PARENT:
            if not isinstance(term, Category):
                raise ContentError(f"only categories have a parent, and “{term.name}” is not one; leave the parent out")
            new_parent = find_term(row, "category", parent) if parent else None
        with db.write():
            versions.expect(term, expected_version)
            before = acts.term_values(term)
            changed = term_edits.rename(term, new_name, slug, new_parent, actor.name)
            renamed: Term = type(term).get_by_id(term.id)
            if changed:
                acts.record_term_edited(row, renamed, before, actor)
        return renamed, changed

    return apply_edit(config, site, actor, later, edit)


def merge_terms(
    config: Config,
    site: str,
    kind: str,
    name: str,
    into: str,
    *,
    expected_version: str | None = None,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[int]:
    """Move all entries of the term `name` to the term `into` of the same kind, and delete the term `name`.

    The subject of the result is the number of entries that were moved. `expected_version` is the version of the term
    to delete.

    Raises:
        EditConflict: somebody has changed the term to delete since that version.
        ContentError: one of the terms does not exist, both are the same, one is below the other, or the category comes
            from a source.
        ConfigError, ThemeError: the site or its theme cannot be used, and nothing was changed.
    """

    def edit(row: Site) -> tuple[int, bool]:
        term, other = find_term(row, kind, name), find_term(row, kind, into)
        with db.write():
            versions.expect(term, expected_version)
            moved = term_edits.merge(term, other, actor.name)
            acts.record_term_merged(row, term, other, moved, actor)
        return moved, True

    return apply_edit(config, site, actor, later, edit)


def delete_term(
    config: Config,
    site: str,
    kind: str,
    name: str,
    *,
    expected_version: str | None = None,
    actor: Actor = UNKNOWN,
    later: bool = False,
) -> EditResult[int]:
    """Delete an author, category or tag, and keep its entries.

    The subject of the result is the number of entries that had the term.

    Raises:
        EditConflict: somebody has changed the term since the expected version.
        ContentError: the term does not exist, or the category comes from a source.
        ConfigError, ThemeError: the site or its theme cannot be used, and nothing was changed.
    """

    def edit(row: Site) -> tuple[int, bool]:
        term = find_term(row, kind, name)
        with db.write():
            versions.expect(term, expected_version)
            freed = term_edits.delete(term, actor.name)
            acts.record_term_deleted(row, term, freed, actor)
        return freed, True

    return apply_edit(config, site, actor, later, edit)

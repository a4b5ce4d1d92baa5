"""Authors, categories and tags: listed, renamed, merged, removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from appliance import db
from appliance.config import Config
from appliance.content import term_edits
from appliance.content.models import Category, Site
from appliance.content.term_edits import SAME
from appliance.content.term_names import Term, find, model_of
from appliance.editorial.done import Done, carry_out
from appliance.editorial.finding import site_named
from appliance.errors import ContentError


def rename(
    config: Config, site: str, kind: str, named: str, to: str | None = None, *, slug: str | None = None,
    parent: str | Literal["same"] | None = SAME, actor: str = "", later: bool = False,
) -> Done[Term]:  # fmt: skip
    """Give an author, category or tag another name, another `slug`, a category another `parent` (None: the top).

    The slug stays when only the name changes, and with it the addresses.

    Raises:
        ContentError: there is no such term, its name or slug is taken, or a source describes it.
        ConfigError, ThemeError: nothing has been changed.
    """

    def work(row: Site) -> tuple[Term, bool]:
        term = find(row, kind, named)
        if parent == SAME:
            changed = term_edits.rename(term, to, slug, actor=actor)
        elif not isinstance(term, Category):
            raise ContentError(f"only categories have others above them; the {kind} “{term.name}” has no parent")
        else:
            above = find(row, "category", parent) if parent else None
            changed = term_edits.rename(term, to, slug, above, actor)  # type: ignore[arg-type]
        return type(term).get_by_id(term.id), changed

    return carry_out(config, site, later, work)


def merge(
    config: Config, site: str, kind: str, named: str, into: str, *, actor: str = "", later: bool = False
) -> Done[int]:
    """Move all entries of one term to another of its kind and remove it; the subject is how many entries it had.

    Raises:
        ContentError: there is no such term, they are the same, one is below the other, or a source describes it.
        ConfigError, ThemeError: nothing has been changed.
    """

    def work(row: Site) -> tuple[int, bool]:
        return term_edits.merge(find(row, kind, named), find(row, kind, into), actor), True

    return carry_out(config, site, later, work)


def delete_term(config: Config, site: str, kind: str, named: str, *, actor: str = "", later: bool = False) -> Done[int]:
    """Remove a term; its entries stay without it. The subject is how many those are. Errors as `merge`."""

    def work(row: Site) -> tuple[int, bool]:
        return term_edits.delete(find(row, kind, named), actor), True

    return carry_out(config, site, later, work)


def terms(config: Config, site: str, kind: str) -> list[dict[str, Any]]:
    """The authors, categories or tags of a site with how many entries each has, by name, as plain values.

    Raises:
        ContentError: there is no such kind.
    """
    row = site_named(config, site)
    model = model_of(kind)
    counts = dict(
        db.execute(
            f"""SELECT {kind}_id, COUNT(*) FROM entry_{kind} JOIN entry ON entry.id = entry_id
                WHERE site_id = ? GROUP BY {kind}_id""",
            [row.id],
        ).fetchall()
    )
    every = {term.id: term for term in model.select().where(model.site == row)}
    found = [
        {
            "id": term.id,
            "name": "/".join(part.name for part in _lineage(term, every)),
            "slug": term.slug,
            "entries": counts.get(term.id, 0),
            **({"path": term.path, "source": term.source} if isinstance(term, Category) else {}),
        }
        for term in every.values()
    ]
    return sorted(found, key=lambda term: (str(term["name"]).casefold(), term["id"]))


def _lineage(term: Any, every: Mapping[int, Any]) -> list[Any]:
    """A term and, of a category, those above it, from the topmost down."""
    above = getattr(term, "parent_id", None)
    return [*(_lineage(every[above], every) if above is not None else []), term]

"""Finding terms by name or slug, and keeping names unambiguous."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final, Literal

from appliance.content.models import Author, Category, EntryAuthor, EntryCategory, EntryTag, Site, Tag
from appliance.content.terms import SiteTerms, slugify
from appliance.errors import ContentError

TermKind = Literal["author", "category", "tag"]
Term = Author | Category | Tag

TERM_KINDS: Final[tuple[TermKind, ...]] = ("author", "category", "tag")
_MODELS: Final[dict[TermKind, Any]] = {"author": Author, "category": Category, "tag": Tag}
_LINKS: Final[dict[TermKind, Any]] = {"author": EntryAuthor, "category": EntryCategory, "tag": EntryTag}


def kind_of(term: Term) -> TermKind:
    """The kind of a term: 'author', 'category' or 'tag'."""
    return next(kind for kind, model in _MODELS.items() if isinstance(term, model))


def model_of(kind: str) -> Any:
    """The model of a kind of term.

    Raises:
        ContentError: the kind is unknown.
    """
    if kind not in TERM_KINDS:
        raise ContentError(f"“{kind}” is no kind of term; use one of {', '.join(TERM_KINDS)}")
    return _MODELS[kind]


def links_of(kind: TermKind) -> Any:
    """The model that relates entries to a kind of term."""
    return _LINKS[kind]


def find_term(site: Site, kind: str, name: str) -> Term:
    """Find a term by its name or slug; a category is given with its parents, `News/Local`.

    Raises:
        ContentError: there is no such term, or the kind is unknown.
    """
    model, terms = model_of(kind), SiteTerms(site)
    if model is Category:
        parts = [part for part in (part.strip() for part in name.split("/")) if part]
        found: Term | None = terms.find_category(parts)
    else:
        found = terms.find_tag(name) if model is Tag else terms.find_author(name)
    if found is not None:
        return found
    names = [row.path if model is Category else row.name for row in model.select().where(model.site == site)]
    similar = get_close_matches(name, names, 1)
    hint = f"did you mean “{similar[0]}”?" if similar else f"choose one of the {len(names)} that the site has"
    raise ContentError(f"there is no {kind} “{name}” on the site {site.name}; {hint}")


def full_name(term: Term) -> str:
    """The name of a term; for a category with the names of its parents, `News/Local`."""
    if isinstance(term, Category) and term.parent_id is not None:
        return f"{full_name(term.parent)}/{term.name}"
    return str(term.name)


def check_name_free(term: Term, others: Iterable[Term], name: str, slug: str) -> None:
    """Check that the new name and slug of `term` cannot be confused with those of the others.

    Raises:
        ContentError: one of the others would be found by the name or the slug too.
    """
    slugs = {slug, slugify(name)}
    for other in others:
        if slugs & {other.slug, slugify(other.name)}:
            kind = kind_of(term)
            raise ContentError(
                f"“{name}” ({slug}) would be confused with the {kind} “{full_name(other)}” ({other.slug}); "
                f"merge one into the other, or choose another name and slug"
            )


def validate_name(term: Term, name: str) -> str:
    """`name` with its white space normalized.

    Raises:
        ContentError: the name is empty, or that of a category contains a slash.
    """
    name = " ".join(name.split())
    if not name:
        raise ContentError(f"the {kind_of(term)} “{full_name(term)}” needs a name; give one")
    if isinstance(term, Category) and "/" in name:
        raise ContentError(f"“{name}” contains a slash, which separates a category from its parent; leave it out")
    return name


def validate_slug(slug: str) -> str:
    """`slug`, if it is one.

    Raises:
        ContentError: it is empty or contains a character that slugs cannot have.
    """
    if not slug or slugify(slug) != slug:
        raise ContentError(f"“{slug}” cannot be a slug; write it like {slugify(slug or 'local news')}")
    return slug

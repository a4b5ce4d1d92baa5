"""Terms by what people call them: found by name or slug, and never two side by side that one word could mean."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Final, Literal

from appliance.content.models import Author, Category, EntryAuthor, EntryCategory, EntryTag, Site, Tag
from appliance.content.terms import Terms, slugify
from appliance.errors import ContentError

TermKind = Literal["author", "category", "tag"]
Term = Author | Category | Tag

TERM_KINDS: Final[tuple[TermKind, ...]] = ("author", "category", "tag")
_MODELS: Final[dict[TermKind, Any]] = {"author": Author, "category": Category, "tag": Tag}
_LINKS: Final[dict[TermKind, Any]] = {"author": EntryAuthor, "category": EntryCategory, "tag": EntryTag}


def kind_of(term: Term) -> TermKind:
    """'author', 'category' or 'tag'."""
    return next(kind for kind, model in _MODELS.items() if isinstance(term, model))


def model_of(kind: str) -> Any:
    """The model of this kind of term.

    Raises:
        ContentError: there is no such kind.
    """
    if kind not in TERM_KINDS:
        raise ContentError(f"“{kind}” is no kind of term; use one of {', '.join(TERM_KINDS)}")
    return _MODELS[kind]


def links_of(kind: TermKind) -> Any:
    """The model that joins entries to this kind of term."""
    return _LINKS[kind]


def find(site: Site, kind: str, named: str) -> Term:
    """The term of this name or slug; a category is named from the topmost down, `News/Local`.

    Raises:
        ContentError: there is none, or no such kind.
    """
    model, terms = model_of(kind), Terms(site)
    if model is Category:
        found: Term | None = terms.known_category(_parts(named))
    else:
        found = terms.known_tag(named) if model is Tag else terms.known_author(named)
    if found is not None:
        return found
    names = [row.path if model is Category else row.name for row in model.select().where(model.site == site)]
    near = get_close_matches(named, names, 1)
    hint = f"perhaps “{near[0]}” is meant" if near else f"name one of those the site has ({len(names)})"
    raise ContentError(f"there is no {kind} “{named}” on the site {site.name}; {hint}")


def called(term: Term) -> str:
    """What people call it: its name, that of a category with those above it."""
    if isinstance(term, Category) and term.parent_id is not None:
        return f"{called(term.parent)}/{term.name}"
    return str(term.name)


def refuse_taken(term: Term, others: Iterable[Term], name: str, slug: str) -> None:
    """Neither this name nor this slug of `term` may mean one of the others.

    Raises:
        ContentError: one of them does.
    """
    wanted = {slug, slugify(name)}
    for other in others:
        if wanted & {other.slug, slugify(other.name)}:
            kind = kind_of(term)
            raise ContentError(
                f"“{name}” ({slug}) would be taken for the {kind} “{called(other)}” ({other.slug}); "
                f"merge one into the other, or choose another name and slug"
            )


def sound_name(term: Term, name: str) -> str:
    """`name` without needless spaces.

    Raises:
        ContentError: it is empty, or has what parts categories.
    """
    name = " ".join(name.split())
    if not name:
        raise ContentError(f"the {kind_of(term)} “{called(term)}” needs a name; give one")
    if isinstance(term, Category) and "/" in name:
        raise ContentError(f"“{name}” has a slash, which parts a category from the one above it; leave it out")
    return name


def sound_slug(slug: str) -> str:
    """`slug`, being one.

    Raises:
        ContentError: it is none.
    """
    if not slug or slugify(slug) != slug:
        raise ContentError(f"“{slug}” cannot be a slug; write it like {slugify(slug or 'local news')}")
    return slug


def _parts(named: str) -> list[str]:
    return [part for part in (part.strip() for part in named.split("/")) if part]

"""Explains to a template's author which name does not exist, of what, and which one it may have meant."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from jinja2 import StrictUndefined
from jinja2.utils import missing

from appliance.building.template_site import TemplateSite
from appliance.building.views import CommentRules, CommentView, Link, Listing, Period, Person, Post, Term

#: What the documents call the values that templates see.
_CALLED: Final[tuple[tuple[type, str], ...]] = (
    (Post, "an entry"),
    (Listing, "a listing"),
    (Term, "a category or a tag"),
    (Person, "an author"),
    (Period, "a period"),
    (Link, "a link"),
    (CommentView, "a comment"),
    (CommentRules, "the rules for comments"),
    (TemplateSite, "the site"),
    (Mapping, "a mapping"),
    (str, "a text"),
    (list, "a list"),
    (tuple, "a list"),
)


class MissingName(StrictUndefined):
    """A name that does not exist. To use it is an error that says so."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        name, value = self._undefined_name, self._undefined_obj
        if value is missing:
            return f"“{name}” is not defined"
        if value is None:
            return f"there is nothing to take “{name}” of: the value before it is none"
        return f"“{name}” is not an attribute of {_called(value)}{_meant(str(name), value)}"


def _called(value: Any) -> str:
    return next((name for kind, name in _CALLED if isinstance(value, kind)), f"a value of type {type(value).__name__}")


def _meant(name: str, value: Any) -> str:
    """The name that looks most like the one that is missing."""
    names = value if isinstance(value, Mapping) else dir(value)
    known = [one for one in names if isinstance(one, str) and not one.startswith("_")]
    close = get_close_matches(name, known, 1, 0.7)
    return f" (did you mean “{close[0]}”?)" if close else ""

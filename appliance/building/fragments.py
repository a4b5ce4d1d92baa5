"""Keeps what includes and imported macros gave for a post, together with what they read.

A listing's card of an entry is the same on every page that lists the entry. It is rendered once and then taken as it
is, and what it read is tracked for each page that shows it. Authors of themes need to know nothing of this: whatever
is included, or imported without context, is kept if its result cannot depend on anything but

- one kept post (`building.kept_posts`), which holds the fragment, so that both are dropped together,
- values that are the same for all pages while posts are kept: the site, the theme's globals, imported macros,
- plain values, by which fragments are told apart.

Whatever else a template can see (a listing, a loop, a namespace) has it rendered each time, and so does the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from jinja2 import Environment, TemplateError, meta, pass_eval_context
from jinja2.environment import TemplateModule
from jinja2.nodes import EvalContext
from jinja2.runtime import Macro
from markupsafe import Markup

from appliance.building.dependency_tracking import TrackedReads, track_all, tracking
from appliance.building.template_site import TemplateSite
from appliance.building.views import Post


class Fragment(NamedTuple):
    """What an include or a macro gave, and what it read."""

    text: str
    reads: TrackedReads


#: Where fragments of one post are kept, and by what: see `place_of`.
Place = tuple[dict[Any, Fragment], tuple[Any, ...]]

_PLAIN: Final = frozenset({str, int, float, bool, type(None), Markup})
_NOWHERE: Final = None


def place_of(what: object, values: Iterable[Any]) -> Place | None:
    """Where the result of `what` for these values is kept; None if it may depend on anything else."""
    kept: dict[Any, Fragment] | None = None
    key: list[Any] = [what]
    for value in values:
        kind = type(value)
        if kind in _PLAIN:
            key.append(kind)  # 1, 1.0 and True are equal
            key.append(value)
        elif isinstance(value, Post):
            if kept is not None:
                return _NOWHERE
            kept = getattr(value, "fragments", None)
            if kept is None:
                return _NOWHERE
            key.append(Post)
        elif kind is KeptMacro:
            key.append(value)
        elif isinstance(value, TemplateSite):
            key.append(TemplateSite)
        else:
            return _NOWHERE
    return None if kept is None else (kept, tuple(key))


def kept_or_made(place: Place, make: Callable[[], str]) -> str:
    """The fragment at `place`; made and kept if it is not there yet. Its reads are tracked either way."""
    kept, key = place
    fragment = kept.get(key)
    if fragment is None:
        reads = TrackedReads()
        try:
            with tracking(reads):
                text = make()
        finally:
            track_all(reads)
        if not any(name.startswith("now:") for name in reads.keys):
            kept[key] = Fragment(text, reads)
        return text
    track_all(fragment.reads)
    return fragment.text


def names_read(environment: Environment, template: str, seen: frozenset[str] = frozenset()) -> frozenset[str] | None:
    """The names from outside that a template and those it uses can see; None if that cannot be told beforehand."""
    if template in seen or environment.loader is None:
        return frozenset()
    blank = environment.overlay()
    blank.globals = {}  # a template may set a name of theirs, and an include of it would see that
    try:
        tree = blank.parse(environment.loader.get_source(environment, template)[0], template)
    except TemplateError:
        return None
    found = set(meta.find_undeclared_variables(tree))
    for used in meta.find_referenced_templates(tree):
        names = None if used is None else names_read(environment, used, seen | {template})
        if names is None:
            return None
        found |= names
    return frozenset(found)


def looked_up(
    names: Iterable[str], inner: Mapping[str, Any], outer: Mapping[str, Any], shared: Mapping[str, Any]
) -> list[Any]:
    """The values of names in an included template, but for those that are the same for all templates."""
    found = []
    for name in names:
        value = inner[name] if name in inner else outer.get(name)
        if name not in shared or value is not shared[name]:
            found.append(value)
    return found


class KeptMacro(Macro):
    """A macro of a module that all templates share, whose results are kept."""

    @classmethod
    def of(cls, macro: Macro) -> KeptMacro:
        """The same macro, kept."""
        made = object.__new__(cls)
        made.__dict__.update(macro.__dict__)
        return made

    @pass_eval_context
    def __call__(self, *args: Any, **kwargs: Any) -> str:
        """Like `Macro.__call__`."""
        context, given = args[0], args[1:]
        if isinstance(context, EvalContext) and not context.volatile:
            named = [value for pair in kwargs.items() for value in pair] if kwargs else ()
            place = place_of(self, (context.autoescape, len(given), *given, *named))
            if place is not None:
                return kept_or_made(place, lambda: Macro.__call__(self, *args, **kwargs))
        return Macro.__call__(self, *args, **kwargs)


def keep_macros(module: TemplateModule) -> None:
    """Keep the results of the macros of a module that all templates share."""
    for name, value in module.__dict__.items():
        if type(value) is Macro:
            module.__dict__[name] = KeptMacro.of(value)

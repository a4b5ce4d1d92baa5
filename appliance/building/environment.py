"""The Jinja environment of a theme: strict about undefined names, escaping in HTML and XML, with filters for themes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from datetime import date, datetime
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, Template, TemplateError, UndefinedError, select_autoescape
from jinja2.environment import TemplateModule
from jinja2.runtime import Context
from markupsafe import Markup

from appliance.building import fragments
from appliance.building.dependency_tracking import TrackedMapping, TrackedReads, track, track_all, tracking
from appliance.building.loaders import SiteContext
from appliance.building.missing_names import MissingName
from appliance.errors import SourceExcerpt, TemplateFailure

# The control characters that XML 1.0 forbids, even escaped.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_RELATIVE = re.compile(r"""(\s(?:href|src|poster)=["'])/(?!/)""")
_SCROLLING = re.compile(r"<(?:table|pre)(?=[\s>])(?![^<>]*\stabindex)", re.IGNORECASE)
_SOURCES = re.compile(r"""(\ssrcset=["'])([^"']*)""")


def create_environment(context: SiteContext) -> Environment:
    """The environment that renders the templates of a site's theme."""
    environment = _TrackingEnvironment(
        loader=FileSystemLoader(context.theme.folder),
        autoescape=cache(select_autoescape(("html", "htm", "xml", "xhtml"))),
        undefined=MissingName,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"date": _date, "iso": _iso, "absolute": _absolute(context), "xml_text": _xml_text}
    environment.filters["focusable"] = _focusable
    # The same content must give the same bytes in every build.
    del environment.filters["random"], environment.globals["lipsum"]
    environment.globals |= {
        "static": _static(context),
        "theme": TrackedMapping(
            {"name": context.theme.manifest.name, "version": context.theme.manifest.version}, "theme"
        ),
    }
    return environment


class _TrackingTemplate(Template):
    """A template that keeps track of what its module read when it was made, and keeps what includes of it gave.

    Jinja makes a module once for all templates that import it, so each of them depends on these reads.
    """

    module_reads: TrackedReads | None = None

    @classmethod
    def _from_namespace(
        cls, environment: Environment, namespace: MutableMapping[str, Any], globals: MutableMapping[str, Any]
    ) -> Template:
        made = super()._from_namespace(environment, namespace, globals)
        root = made.root_render_func

        def render(context: Context | _Include) -> Iterator[str]:
            if isinstance(context, _Include):
                yield context.text()
            else:
                yield from root(context)

        made.root_render_func = render
        return made

    @cached_property
    def names_read(self) -> tuple[str, ...] | None:
        """The names from outside that this template reads; None if that cannot be told."""
        names = fragments.names_read(self.environment, self.name) if self.name else None
        return None if names is None else tuple(sorted(names))

    def new_context(
        self, vars: dict[str, Any] | None = None, shared: bool = False, locals: Mapping[str, Any] | None = None
    ) -> Context:
        """Like `Template.new_context`. For an include whose result is kept, it stands for that result."""
        if shared and self.names_read is not None:
            inner, outer = locals or {}, vars or {}
            place = fragments.place_of(self, fragments.looked_up(self.names_read, inner, outer, self.globals))
            if place is not None:
                made = partial(super().new_context, vars, shared, locals)
                return cast(Context, _Include(self, place, made))
        return super().new_context(vars, shared, locals)

    def make_module(
        self, vars: dict[str, Any] | None = None, shared: bool = False, locals: Mapping[str, Any] | None = None
    ) -> TemplateModule:
        """Like `Template.make_module`, tracked."""
        if vars or locals:  # made for a single import, with values of its own
            return super().make_module(vars, shared, locals)
        with tracking(TrackedReads()) as reads:
            module = super().make_module(vars, shared, locals)
        self.module_reads = reads
        track_all(reads)
        fragments.keep_macros(module)
        return module


class _Include:
    """An include of a template, in place of the context it would be rendered in."""

    def __init__(self, template: Template, place: fragments.Place, context: Callable[[], Context]) -> None:
        self._template = template
        self._place = place
        self._context = context

    def text(self) -> str:
        """What the include gives."""
        return fragments.kept_or_made(self._place, self._render)

    def _render(self) -> str:
        return "".join(self._template.root_render_func(self._context()))


class _TrackingEnvironment(Environment):
    """An environment that tracks which templates are used."""

    template_class = _TrackingTemplate

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        #: Compiled templates by name, since looking one up in Jinja's cache takes long for what is done for each card.
        self._known: dict[str, Template] = {}

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """Like `Environment.make_globals`; a plain dictionary where Jinja would have one in a chain."""
        return super().make_globals(d) if d else self.globals

    def get_template(
        self, name: str | Template, parent: str | None = None, globals: MutableMapping[str, Any] | None = None
    ) -> Template:
        """Like `Environment.get_template`, tracked."""
        if isinstance(name, str):
            track(f"template:{name}")  # tracked even if it does not exist, since it may be added later
            template = self._known.get(name)
            if template is None:
                template = self._known[name] = super().get_template(name, parent, globals)
        else:
            template = name
        if isinstance(template, _TrackingTemplate) and template.module_reads:
            track_all(template.module_reads)
        return template

    def select_template(
        self,
        names: Iterable[str | Template],
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,
    ) -> Template:
        """Like `Environment.select_template`, tracked; a template that does not exist may be added later."""
        wanted = list(names)
        for name in wanted:
            if isinstance(name, str):
                track(f"template:{name}")
        return super().select_template(wanted, parent, globals)


def _date(value: date, form: str) -> str:
    """A date formatted by strftime, in English."""
    return value.strftime(form)


def _iso(value: datetime) -> str:
    """A moment in the format of RFC 3339."""
    return value.isoformat(timespec="seconds")


def _xml_text(value: str) -> str:
    """Text without the characters that no XML document may contain."""
    cleaned = _NOT_XML.sub("", value)
    return Markup(cleaned) if isinstance(value, Markup) else cleaned


def _focusable(html: str) -> Markup:
    """HTML whose tables and code can be reached by the keyboard, for themes in which they scroll."""
    return Markup(_SCROLLING.sub(r'\g<0> tabindex="0"', str(html)))


def _absolute(context: SiteContext) -> Callable[[str], Markup]:
    origin = context.absolute("")

    def sources(match: re.Match[str]) -> str:
        return match[1] + re.sub(r"(^|,\s*)/(?!/)", rf"\1{origin}/", match[2])

    def absolute(html: str) -> Markup:
        """HTML with the scheme and host of the site before every root-relative address."""
        # As plain text, since `sub` on Markup would escape the quotes that it puts back.
        return Markup(_SOURCES.sub(sources, _RELATIVE.sub(rf"\1{origin}/", str(html))))

    return absolute


def _static(context: SiteContext) -> Callable[[str], str]:
    files, below = context.theme.static_files, context.theme.manifest.static.path
    known: dict[str, str] = {}

    def static(name: str) -> str:
        """The URL of a static file of the theme, with its digest, so that browsers may cache it for ever."""
        track(f"static:{name}")
        if name not in known:
            if name not in files:
                raise TemplateError(f"the theme has no static file “{name}”")
            digest = hashlib.blake2b(files[name].read_bytes(), digest_size=4).hexdigest()
            known[name] = f"{context.root}{quote(f'{below}/{name}'.lstrip('/'))}?v={digest}"
        return known[name]

    return static


def template_failure(error: Exception, context: SiteContext, path: str) -> TemplateFailure:
    """An error raised by a template, as a sentence that names the file and line, with the lines around it."""
    folder, file, line = str(context.theme.folder), "", 0
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(folder):
            file, line = name, trace.tb_lineno
        trace = trace.tb_next
    if getattr(error, "filename", None) and getattr(error, "lineno", None):  # syntax errors name their own
        file, line = error.filename, error.lineno  # type: ignore[attr-defined]
    where = f"{file}, line {line}" if file else folder
    what = getattr(error, "message", None) or str(error) or "no further word"
    kind = "" if isinstance(error, UndefinedError) else f" ({type(error).__name__})"
    return TemplateFailure(
        f"{where}: the template failed: {what}{kind};"
        f" correct it and publish again. This happened while “{path}” was built.",
        path,
        _excerpt(context.theme.folder, file, line),
    )


#: Lines before and after a fault that are kept with it, and characters of each.
_AROUND, _WIDEST = 4, 300


def _excerpt(folder: Path, file: str, line: int) -> SourceExcerpt | None:
    """The lines around a line of a theme's file; None if the theme has no such line."""
    try:
        lines = Path(file).read_text("utf-8", "replace").splitlines()
        name = Path(file).relative_to(folder).as_posix()
    except (OSError, ValueError):
        return None
    if not 0 < line <= len(lines):
        return None
    first = max(1, line - _AROUND)
    return SourceExcerpt(name, line, first, tuple(one[:_WIDEST] for one in lines[first - 1 : line + _AROUND]))

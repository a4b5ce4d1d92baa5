"""Jinja2 as themes know it: strict about names, escaping in HTML and XML, with the filters templates rely on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, TemplateError, select_autoescape
from jinja2.environment import TemplateModule
from markupsafe import Markup

from appliance.building.loading import Place
from appliance.building.reads import Noted, Reads, note, note_all, noting
from appliance.errors import TemplateFailure

# XML 1.0 allows no other control characters, escaped or not.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_RELATIVE = re.compile(r"""(\s(?:href|src|poster)=["'])/(?!/)""")
_SOURCES = re.compile(r"""(\ssrcset=["'])([^"']*)""")


def environment(place: Place) -> Environment:
    """The environment in which templates of the site's theme are rendered."""
    made = _NotingEnvironment(
        loader=FileSystemLoader(place.theme.folder),
        autoescape=select_autoescape(("html", "htm", "xml", "xhtml")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"date": _date, "iso": _iso, "absolute": _absolute(place), "xml_text": _xml_text}
    # The same content must give the same bytes, whenever and by whomever it is built.
    del made.filters["random"], made.globals["lipsum"]
    made.globals |= {
        "static": _static(place),
        "theme": Noted({"name": place.theme.manifest.name, "version": place.theme.manifest.version}, "theme"),
    }
    return made


class _NotingTemplate(Template):
    """A template that remembers what was read when its macros were made: that is done once for all who import it."""

    module_reads: Reads | None = None

    def make_module(
        self, vars: dict[str, Any] | None = None, shared: bool = False, locals: Mapping[str, Any] | None = None
    ) -> TemplateModule:
        """As of any template."""
        if vars or locals:  # of one template that imports it with its own values
            return super().make_module(vars, shared, locals)
        with noting(Reads()) as found:
            made = super().make_module(vars, shared, locals)
        self.module_reads = found
        note_all(found)
        return made


class _NotingEnvironment(Environment):
    """An environment that notes which templates are used."""

    template_class = _NotingTemplate

    def get_template(
        self, name: str | Template, parent: str | None = None, globals: MutableMapping[str, Any] | None = None
    ) -> Template:
        """As of any environment."""
        if isinstance(name, str):
            note(f"template:{name}")  # what is not there now may be there later
        found = super().get_template(name, parent, globals)
        if isinstance(found, _NotingTemplate) and found.module_reads:
            note_all(found.module_reads)
        return found

    def select_template(
        self,
        names: Iterable[str | Template],
        parent: str | None = None,
        globals: MutableMapping[str, Any] | None = None,
    ) -> Template:
        """As of any environment; what is not there now may be there later."""
        wanted = list(names)
        for name in wanted:
            if isinstance(name, str):
                note(f"template:{name}")
        return super().select_template(wanted, parent, globals)


def _date(value: date, form: str) -> str:
    """A date as strftime writes it, in English."""
    return value.strftime(form)


def _iso(value: datetime) -> str:
    """A moment as RFC 3339 writes it."""
    return value.isoformat(timespec="seconds")


def _xml_text(value: str) -> str:
    """Text without the characters no XML document may hold."""
    cleaned = _NOT_XML.sub("", value)
    return Markup(cleaned) if isinstance(value, Markup) else cleaned


def _absolute(place: Place) -> Callable[[str], Markup]:
    origin = place.absolute("")

    def sources(match: re.Match[str]) -> str:
        return match[1] + re.sub(r"(^|,\s*)/(?!/)", rf"\1{origin}/", match[2])

    def absolute(html: str) -> Markup:
        """HTML whose addresses all begin with the site's scheme and host."""
        # As plain text: of HTML marked safe, `sub` would escape the very quotes it puts back.
        return Markup(_SOURCES.sub(sources, _RELATIVE.sub(rf"\1{origin}/", str(html))))

    return absolute


def _static(place: Place) -> Callable[[str], str]:
    files, below = place.theme.static_files, place.theme.manifest.static.path
    known: dict[str, str] = {}

    def static(name: str) -> str:
        """The address of a file of the theme, with its digest so that browsers may keep it for ever."""
        note(f"static:{name}")
        if name not in known:
            if name not in files:
                raise TemplateError(f"the theme has no static file “{name}”")
            digest = hashlib.blake2b(files[name].read_bytes(), digest_size=4).hexdigest()
            known[name] = f"{place.root}{quote(f'{below}/{name}'.lstrip('/'))}?v={digest}"
        return known[name]

    return static


def failure(error: Exception, place: Place, path: str) -> TemplateFailure:
    """What a template raised, as a sentence that names its file and line."""
    folder, where = str(place.theme.folder), ""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(folder):
            where = f"{name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    file, line = getattr(error, "filename", None), getattr(error, "lineno", None)
    if file and line:  # a syntax error names its own place
        where = f"{file}, line {line}"
    what = getattr(error, "message", None) or str(error) or "no further word"
    return TemplateFailure(
        f"{where or folder}: the template failed: {what} ({type(error).__name__});"
        f" correct it and publish again. This happened while “{path}” was built.",
        path,
    )

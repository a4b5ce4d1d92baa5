"""The reference of themes, made from the code: theme.toml from its tables, variables from the values templates get,
path fields and specifiers from what paths are made of."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from string import ascii_letters
from types import SimpleNamespace
from typing import Any, cast

from jinja2.filters import FILTERS

from appliance.building import environment, views
from appliance.building.facts import Facts
from appliance.building.loading import Place
from appliance.errors import ThemeError
from appliance.planning import paths
from appliance.planning.paths import Pattern, Subject
from appliance.planning.theme import Manifest, Theme
from appliance.tasks.tables import MADE, model_of, table_of

#: What the examples of paths are made of.
_SAMPLE = Subject(
    moment=datetime(2026, 11, 9, 7, 5, 30), id=42, slug="night_trains", category="news/rail", author="ida-berg",
    tag="travel", folder="about", page=2, named=True,
)  # fmt: skip

_INTRODUCTION = """\
A theme is a folder: `theme.toml`, [Jinja](https://jinja.palletsprojects.com/) templates, and a folder of files that
are published as they are. A site names it as `theme = "folder"` in [the settings](settings.md), relative to the
settings file, or takes one the appliance ships with by its name. A theme that cannot work (an unknown key, a missing
template, a path that would leave the docroot) is refused with every fault before anything is planned.
[How to write a theme](../how-to/write-a-theme.md) makes one from nothing."""

_TEMPLATES = """\
What a template is given depends on what it makes:

| it makes | it is given |
|---|---|
| an entry or a page | `entry`, a [Post](#post) |
| an archive or an index | `listing`, a [Listing](#listing) |
| a sitemap (`sitemap = true`) | `urls` and `sitemaps`: pairs of an absolute address and a moment or none; with more \
than 1,000 entries and pages the first file has only `sitemaps`, which name the others |
| a redirect | `target_url` and `target_absolute_url` |
| any of these | `site`, `page_url` and `page_absolute_url` (its own address), `theme.name`, `theme.version`, \
`static(…)` and the filters below |

A name that does not exist is an error that names the template's file and line, and that artifact's job fails; so is a
missing attribute. Values are escaped in templates named `.html`, `.htm`, `.xhtml` and `.xml`; what is HTML already is
not escaped again. Addresses called `url` are root-relative, `absolute_url` has scheme and host. Moments are in the
site's time zone. Nothing a template reads queries the database, but the functions of `site`, each once for a state of
the content."""

_PATHS = """\
A pattern says where files lie below the site's folder, in one of two spellings that may be mixed: readable fields,
`{year}/{month}/{slug}/index.html`, or Movable Type's specifiers, `%y/%m/%-f`. After `%`, a `-` writes underscores as
hyphens and a `_` the other way round. A pattern that ends with `/` means the index file there. A pattern that is
empty or absolute, has `.` or `..` in it, or names what its type does not have, is refused. An empty folder or category
leaves no empty segment behind.

Patterns of further pages (`page_path`) lie beside the first page and must hold `{page}`.

The examples are those of entry 42, “night_trains” in `news/rail`, published on 9 November 2026 at 07:05:30."""


def page() -> str:
    """Keys of theme.toml, what templates are given, and what paths are made of."""
    parts = [
        f"{MADE}\n\n# Themes", _INTRODUCTION, "## theme.toml", *_manifest(),
        "## Templates", _TEMPLATES, *_site(), *_functions(), *_views(),
        "## Paths", _PATHS, "### Fields by type", _fields(), "### Specifiers", _specifiers(),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _manifest() -> Iterator[str]:
    tables = {name: model for name, f in Manifest.model_fields.items() if (model := model_of(f.annotation))}
    yield "### At the top of the file"
    yield table_of(Manifest, tables)
    for name, model in tables.items():
        header = f"[[{name}]]" if name in ("index", "archive") else f"[{name}]"
        yield f"### `{header}`\n\n{inspect.getdoc(model)}"
        yield table_of(model)


_FIELD = re.compile(r"^ +(?:self\.)?(?P<name>[a-z_]+): (?P<type>[^=\n]+?)(?: = .*)?$")


def fields_of(source: str) -> Iterator[tuple[str, str, str]]:
    """The public fields in the source of a class, as (name, type, meaning); their comments begin with `#:`."""
    said: list[str] = []
    for line in source.splitlines():
        stripped = line.strip()
        if stripped.startswith("#:"):
            said.append(stripped.removeprefix("#:").strip())
            continue
        found = _FIELD.match(line)
        if found and not found["name"].startswith("_"):
            yield found["name"], found["type"], " ".join(said)
        said = []


_PLAIN = {
    "str": "text", "int": "whole number", "bool": "true or false", "Markup": "HTML", "datetime": "moment",
    "date": "day", "Mapping[str, Any]": "table", "dict[str, Any]": "table",
}  # fmt: skip


def type_in_words(annotation: str) -> str:
    """How a theme's author calls the type of a field or of an answer."""
    if annotation.endswith(" | None"):
        return f"{type_in_words(annotation.removesuffix(' | None'))} or none"
    if several := re.fullmatch(r"tuple\[(\w+), \.\.\.\]", annotation):
        return f"list of {type_in_words(several[1])}"
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    return f"[{annotation}](#{annotation.lower()})"


def _table_of_fields(source: str) -> str:
    rows = [f"| `{name}` | {type_in_words(kind)} | {meaning} |" for name, kind, meaning in fields_of(source)]
    return "\n".join(["| name | type | meaning |", "|---|---|---|", *rows])


def _site() -> Iterator[str]:
    yield "### site"
    lines = textwrap.dedent(inspect.getsource(Facts.__init__)).splitlines()
    yield _table_of_fields("\n".join(line for line in lines if line.lstrip().startswith(("self.", "#:"))))
    rows = []
    for name, method in inspect.getmembers(Facts, inspect.isfunction):
        if not name.startswith("_"):
            arguments = ", ".join(
                p.name + ("" if p.default is p.empty else f"={json.dumps(p.default)}".replace("null", "none"))
                for p in list(inspect.signature(method).parameters.values())[1:]
            )
            answer = type_in_words(inspect.signature(method).return_annotation)
            rows.append(f"| `site.{name}({arguments})` | {answer} | {_one_line(method)} |")
    yield "\n".join(["| function | answer | meaning |", "|---|---|---|", *rows])


def _functions() -> Iterator[str]:
    theme = Theme.load("default", Path())
    # Nothing is rendered, so a place without a site will do.
    place = SimpleNamespace(theme=theme, root="/", absolute=lambda url: url)
    made = environment.environment(cast(Place, place))
    rows = [f"| `static(name)` | {_one_line(made.globals['static'])} |"]
    for name, function in made.filters.items():
        if FILTERS.get(name) is not function:
            arguments = ", ".join(list(inspect.signature(function).parameters)[1:])
            called = f"{name}({arguments})" if arguments else name
            rows.append(f"| `… \\| {called}` | {_one_line(function)} |")
    yield "### Functions and filters"
    own = "https://jinja.palletsprojects.com/en/stable/templates/#builtin-filters"
    yield f"Besides [Jinja's own]({own}), without `random`:"
    yield "\n".join(["| name | meaning |", "|---|---|", *rows])


def _views() -> Iterator[str]:
    classes = [c for _, c in inspect.getmembers(views, inspect.isclass) if c.__module__ == views.__name__]
    for view in sorted(classes, key=lambda view: view.__name__ not in ("Post", "Listing")):
        yield f"### {view.__name__}"
        yield inspect.getdoc(view) or ""
        yield _table_of_fields(inspect.getsource(view))


def _one_line(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n\n")[0].replace("\n", " ")


def _fields() -> str:
    rows = []
    for kind, names in paths.FIELDS.items():
        shown = ", ".join(f"`{{{name}}}`" for name in sorted(names)) or "none"
        rows.append(f"| `{kind}` | {shown} |")
    return "\n".join(["| type | fields |", "|---|---|", *rows])


def _specifiers() -> str:
    readable = [(f"{{{name}}}", kind) for kind, names in paths.FIELDS.items() for name in sorted(names)]
    lettered = [(f"%{letter}", kind) for kind in ("entry", "page") for letter in ascii_letters]
    found: dict[str, tuple[list[str], str]] = {}
    for text, kind in [*readable, *lettered]:
        with suppress(ThemeError):  # no specifier has this letter
            pattern = Pattern(text, kind, "reference")
            (field,) = pattern.fields
            spellings, _ = found.setdefault(field, ([], pattern.path(_SAMPLE)))
            spellings += [text] if text not in spellings else []
    rows = [
        f"| {', '.join(f'`{text}`' for text in spellings)} | {field.replace('_', ' ')} | `{example}` |"
        for field, (spellings, example) in sorted(found.items())
    ]
    return "\n".join(["| written | stands for | example |", "|---|---|---|", *rows])

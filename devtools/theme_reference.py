"""The reference page of themes, generated from the models of theme.toml, the views of templates and the path fields."""

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
from appliance.building.loaders import SiteContext
from appliance.building.template_site import TemplateSite
from appliance.errors import ThemeError
from appliance.planning import paths
from appliance.planning.manifest import Manifest
from appliance.planning.paths import Pattern, Subject
from appliance.planning.theme import Theme
from devtools.reference_tables import GENERATED_NOTICE, model_of, table_of

#: The entry in the examples of paths.
_SAMPLE = Subject(
    moment=datetime(2026, 11, 9, 7, 5, 30), id=42, slug="night_trains", category="news/rail", author="ida-berg",
    tag="travel", folder="about", page=2, named=True,
)  # fmt: skip

_INTRODUCTION = """\
A theme is a folder: `theme.toml`, [Jinja](https://jinja.palletsprojects.com/) templates, and a folder of files that
are published unchanged. A site names its theme as `theme = "folder"` in [the settings](settings.md), relative to the
settings file, or by the name of a theme that comes with the appliance. A theme with a fault (an unknown key, a missing
template, a path outside the docroot) is refused before anything is planned, with a list of all faults.
[How to write a theme](../how-to/write-a-theme.md) shows how to write one from nothing."""

_TEMPLATES = """\
The variables of a template depend on its output:

| output | variables |
|---|---|
| an entry or a page | `entry`, a [Post](#post) |
| an archive or an index | `listing`, a [Listing](#listing) |
| a sitemap (`sitemap = true`) | `urls` and `sitemaps`: pairs of an absolute address and a time or none; with more \
than 1,000 entries and pages the first file has only `sitemaps`, which lists the others |
| a redirect | `target_url` and `target_absolute_url` |
| all of these | `site`, `page_url` and `page_absolute_url` (its own address), `theme.name`, `theme.version`, \
`static(…)` and the filters below |

An undefined name or attribute is an error with the template's file and line, and the artifact's job fails. Values are
escaped in templates named `.html`, `.htm`, `.xhtml` and `.xml`; values that are HTML are not escaped again. Addresses
called `url` are root-relative, `absolute_url` has scheme and host. Times are in the site's time zone. Only the
functions of `site` query the database, each once for a state of the content."""

_PATHS = """\
A pattern gives the paths of files below the site's folder, in one of two spellings that may be mixed: readable fields,
`{year}/{month}/{slug}/index.html`, or Movable Type's specifiers, `%y/%m/%-f`. After `%`, a `-` writes underscores as
hyphens and a `_` the other way round. A pattern that ends with `/` means the index file there. A pattern that is
empty or absolute, contains `.` or `..`, or uses a field that its type does not have, is refused. An empty folder or
category leaves no empty segment behind.

Patterns of further pages (`page_path`) are relative to the first page and must contain `{page}`.

The examples are those of entry 42, “night_trains” in `news/rail`, published on 9 November 2026 at 07:05:30."""


_COMMENT_FORM = """\
If `site.comment_rules` is not none, the web process takes comments, and a page needs no more than this to let readers
comment:

```html
<form method="post" action="{{ site.comment_endpoint }}">
```

| field | meaning |
|---|---|
| `entry` | `{{ entry.id }}`; required |
| `parent` | the `id` of the comment that this one replies to; empty or absent for none |
| `name`, `text` | required |
| `email`, `website` | may be empty |
| `notify` | `1` to be told of replies by mail; show it if `site.comment_rules.notices` |
| `topic` | a field that people do not see and that must stay empty, against programs that fill in every field |
| `token` | empty, or the token described below |
| `action` | `post` or `preview`: give it to two buttons |

Without a token the web process shows the comment and asks its writer to confirm it. So a form works without a script,
and with one it saves the reader that step: `GET {{ site.comment_endpoint }}/form?entry=ID` answers with JSON that has
a `token` and, if the entry takes no comments any more, the reason as `closed`. Ask for it when the reader begins to
write, since it expires and must be some seconds old.

A comment that is accepted leads back to `#comment-ID` on the page of the entry, so give every comment that anchor. The
address then also has a `?receipt=…`, with which the writer may delete the comment for some minutes
(`site.comment_rules.delete_minutes`). A script may offer `{{ site.comment_endpoint }}/delete?receipt=…`, and should
take the receipt out of the address.

`{{ site.comment_endpoint }}?entry=ID&parent=ID` is a page with a form of its own, to which links for replies may lead.

If `site.comment_rules` is none, but `site.comment_endpoint` is not empty, the form posts to a program of your own."""

_SEARCH = """\
If `site.search_endpoint` is not empty, a form with the field `q` that gets it is a search box, and
`<link rel="search" type="application/opensearchdescription+xml" href="{{ site.opensearch_url }}">` lets browsers
search the site."""


def page() -> str:
    """Return the page in Markdown: keys of theme.toml, variables of templates and fields of paths."""
    parts = [
        f"{GENERATED_NOTICE}\n\n# Themes", _INTRODUCTION, "## theme.toml", *_manifest(),
        "## Templates", _TEMPLATES, *_site(), *_functions(), *_views(),
        "### The comment form", _COMMENT_FORM, "### The search box", _SEARCH,
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
    """Yield (name, type, meaning) for each public field in a class's source; a comment with `#:` gives the meaning."""
    comments: list[str] = []
    for line in source.splitlines():
        stripped = line.strip()
        if stripped.startswith("#:"):
            comments.append(stripped.removeprefix("#:").strip())
            continue
        found = _FIELD.match(line)
        if found and not found["name"].startswith("_"):
            yield found["name"], found["type"], " ".join(comments)
        comments = []


_PLAIN = {
    "str": "text", "int": "whole number", "bool": "true or false", "Markup": "HTML", "datetime": "time",
    "date": "day", "Mapping[str, Any]": "table", "dict[str, Any]": "table",
}  # fmt: skip


def type_in_words(annotation: str) -> str:
    """Return a type's name in plain English, or a link to its section."""
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
    lines = textwrap.dedent(inspect.getsource(TemplateSite.__init__)).splitlines()
    yield _table_of_fields("\n".join(line for line in lines if line.lstrip().startswith(("self.", "#:"))))
    rows = []
    for name, method in inspect.getmembers(TemplateSite, inspect.isfunction):
        if not name.startswith("_"):
            arguments = ", ".join(
                p.name + ("" if p.default is p.empty else f"={json.dumps(p.default)}".replace("null", "none"))
                for p in list(inspect.signature(method).parameters.values())[1:]
            )
            result = type_in_words(inspect.signature(method).return_annotation)
            rows.append(f"| `site.{name}({arguments})` | {result} | {_one_line(method)} |")
    yield "\n".join(["| function | result | meaning |", "|---|---|---|", *rows])


def _functions() -> Iterator[str]:
    theme = Theme.load("default", Path())
    # Nothing is rendered, so a place without a site will do.
    place = SimpleNamespace(theme=theme, root="/", absolute=lambda url: url)
    made = environment.create_environment(cast(SiteContext, place))
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

"""Markdown to the HTML that is kept with an entry, its excerpt and its plain-text summary.

GitHub's flavour by comrak, code by Pygments (CSS classes, no styles). Raw HTML of authors passes through;
comments are sanitised. What looks like another system's template tag is set aside before Markdown sees it and
comes back unharmed in code, so that `{{ x }}` in an example is never taken for an instruction.
"""

from __future__ import annotations

import html as html_text
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from urllib.parse import unquote

import comrak
import nh3
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from appliance.content.excerpts import (
    MORE,
    TAG,
    excerpt_of,
    plain_text,
    shorten,
    without_headings,
    without_ids,
)

#: Characters of code that is highlighted.
HIGHLIGHT_LIMIT = 200_000

_ADDRESS = re.compile(r"(\s(?:href|src|poster)\s*=\s*)(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'=<>`]+))", re.IGNORECASE)
_LATE = re.compile(r"(?:href|src|poster)\s*=\s*[\"']?appliance:(?:entry|asset|category)/\d")
_CODE_BLOCK = re.compile(r"<pre><code(?: class=\"language-([^\"]*)\")?>([^<]*)</code></pre>")
_CODE = re.compile(r"<code[ >].*?</code>", re.DOTALL)
_ANCHOR = re.compile(
    r"<a href=\"#[^\"]*\" aria-label=\"[^\"]*\"(?: data-heading-content=\"[^\"]*\")? class=\"anchor\"></a>"
)
_HEADING_ID = re.compile(r"<h([1-6]) id=\"[^\"]*\">((?:(?!</h[1-6]>).)*?)\s*\{#([^\s{}\"]+)[^{}]*\}</h\1>", re.DOTALL)
_HEADED = re.compile(r"<h[1-6] id=\"([^\"]*)\">(.*?)</h[1-6]>", re.DOTALL)
_NAMED = re.compile(r"\s(?:id|name)=(?:\"([^\"]*)\"|'([^']*)')")
_FRAGMENT = re.compile(r"href=\"#([^\"]+)\"")
_TEMPLATE_TAG = re.compile(r"\{\{[^\n]{0,400}?\}\}|\{%[^\n]{0,400}?%\}|\{\{[<%][^{}]{1,2000}?[>%]\}\}")
_SET_ASIDE = re.compile(r"qzset(\d+)asideqz")


class Resolver(Protocol):
    """Finds what an author's references mean."""

    def address(self, reference: str) -> str | None:
        """The address for a `href` or `src`, such as `appliance:entry/7#part`; None leaves it as it is."""

    def tag(self, text: str) -> str | None:
        """What a template tag stands for: HTML beginning with `<`, or an address; None leaves it."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is kept with an entry; HTML, except `summary`. `late_bound`: it holds `appliance:` addresses."""

    html: str
    excerpt: str
    summary: str
    late_bound: bool


def render(
    text: str,
    *,
    format: str = "markdown",
    excerpt: str = "",
    excerpt_format: str = "markdown",
    summary: str = "",
    resolver: Resolver | None = None,
) -> Rendered:
    """Render an entry; `excerpt` and `summary` (plain), when empty, are taken from the text."""
    whole = text_html(text, format=format, resolver=resolver)
    own = without_ids(text_html(excerpt, format=excerpt_format, resolver=resolver))
    beginning = own or excerpt_of(whole)
    whole = MORE.sub("", whole)
    plain = plain_text(summary) or plain_text(without_headings(beginning)) or plain_text(without_headings(whole))
    late = bool(_LATE.search(whole) or _LATE.search(beginning))
    return Rendered(whole, beginning, shorten(plain), late)


def text_html(text: str, *, format: str = "markdown", resolver: Resolver | None = None) -> str:
    """The HTML of a text that is 'markdown' or 'html'; `<!-- more -->` stays in it."""
    tags: list[str] = []
    if resolver is not None and format != "html" and ("{{" in text or "{%" in text):
        text = _TEMPLATE_TAG.sub(lambda match: _set_aside(tags, match[0]), text)
    html = text if format == "html" else _markdown(text)
    if tags:
        html = _CODE.sub(lambda match: _restore(match[0], tags, format), html)
    if format != "html":
        html = _CODE_BLOCK.sub(_highlighted, html)
    if resolver is not None:
        html = TAG.sub(lambda match: _resolved(match[0], tags, resolver), html)
    return _expanded(html, tags, resolver, format) if tags and resolver is not None else html


def addresses(html: str) -> list[str]:
    """Every address that HTML points at, in order, as its author wrote it."""
    tags = (match[0] for match in TAG.finditer(html) if "=" in match[0] and not match[0].startswith("<!--"))
    found = (match for tag in tags for match in _ADDRESS.finditer(tag))
    return [html_text.unescape(match[2] or match[3] or match[4] or "") for match in found]


def with_addresses(html: str, replace: Callable[[str], str]) -> str:
    """HTML with what `replace` makes of each address that it points at."""

    def one(match: re.Match[str]) -> str:
        given = html_text.unescape(match[2] or match[3] or match[4] or "")
        return f'{match[1]}"{html_text.escape(made)}"' if (made := replace(given)) != given else match[0]

    def tag(match: re.Match[str]) -> str:
        return match[0] if match[0].startswith("<!--") else _ADDRESS.sub(one, match[0])

    return TAG.sub(tag, html)


def comment_html(text: str) -> str:
    """The safe HTML of a reader's comment: paragraphs, emphasis, code, quotes, lists, uncredited links."""
    html = comrak.render_markdown(text, _COMMENT_EXTENSIONS, None, _COMMENT_RENDERING)
    html = re.sub(r"<(/?)h[1-6]>", r"<\1p>", html)
    html = re.sub(r"<a href=\"\"[^>]*>(.*?)</a>", r"\1", html)  # what is left of an address that may not be
    html = re.sub(r"<img [^>]*?alt=\"([^\"]*)\"[^>]*>", r"\1", html)
    html = nh3.clean(
        html,
        tags={"p", "br", "em", "strong", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a"},
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener",
    ).strip()
    return html if "<" in html or not html else f"<p>{html}</p>"  # escaped HTML alone is no paragraph to comrak


def _markdown(text: str) -> str:
    html = comrak.render_markdown(text, _EXTENSIONS, None, _RENDERING)
    html = _ANCHOR.sub("", html)
    html = _HEADING_ID.sub(r'<h\1 id="\3">\2</h\1>', html) if "{#" in html else html
    return _with_own_fragments(html) if 'href="#' in html else html


def _with_own_fragments(html: str) -> str:
    """Links to headings of the same text, written for the ids another system gives (`#zcheck-cfg`), made to fit.

    An emoji is a word there (`-crab`) and nothing here, so a heading that holds one may match by its beginning.
    """
    names = {html_text.unescape(match[1] or match[2]) for match in _NAMED.finditer(html)}
    by_letters: dict[str, str] = {}
    for match in _HEADED.finditer(html):
        by_letters.setdefault(_letters(match[1]), match[1])
    emoji = {_letters(m[1]): m[1] for m in _HEADED.finditer(html) if not m[2].isascii() and len(_letters(m[1])) > 3}

    def one(match: re.Match[str]) -> str:
        wanted = unquote(html_text.unescape(match[1]))
        if wanted in names:
            return match[0]
        letters = _letters(wanted)
        begins = max((key for key in emoji if letters.startswith(key)), key=len, default="")
        found = by_letters.get(letters) or emoji.get(begins)
        return f'href="#{found}"' if found else match[0]

    return _FRAGMENT.sub(one, html)


def _letters(name: str) -> str:
    return "".join(character for character in unquote(html_text.unescape(name)).lower() if character.isalnum())


def _set_aside(tags: list[str], tag: str) -> str:
    tags.append(tag)
    return f"qzset{len(tags) - 1}asideqz"


def _restore(html: str, tags: list[str], format: str) -> str:
    return _SET_ASIDE.sub(lambda match: _as_html(tags[int(match[1])], format), html)


def _as_html(tag: str, format: str) -> str:
    return tag if format == "html" else html_text.escape(tag)


def _resolved(tag: str, tags: list[str], resolver: Resolver) -> str:
    def one(match: re.Match[str]) -> str:
        given = html_text.unescape(match[2] or match[3] or match[4] or "")
        reference = _SET_ASIDE.sub(lambda aside: _tag_address(tags[int(aside[1])], resolver), given)
        found = resolver.address(_readable(reference)) if reference else None
        if found is None and reference == given:
            return match[0]
        return f'{match[1]}"{html_text.escape(reference if found is None else found)}"'

    return _ADDRESS.sub(one, tag) if "=" in tag and not tag.startswith("<!--") else tag


def _readable(reference: str) -> str:
    # comrak escapes the braces of {filename}; a resolver sees references as their author wrote them
    return unquote(reference) if "%" in reference and "://" not in reference else reference


def _tag_address(tag: str, resolver: Resolver) -> str:
    found = resolver.tag(tag)
    return tag if found is None or found.startswith("<") else found


def _expanded(html: str, tags: list[str], resolver: Resolver, format: str) -> str:
    def one(match: re.Match[str]) -> str:
        number = match["alone"] or match["among"]
        found = resolver.tag(tags[int(number)])
        if found is not None and found.startswith("<"):
            return found
        text = _as_html(tags[int(number)], format)
        return f"<p>{text}</p>" if match["alone"] else text

    return re.sub(r"<p>qzset(?P<alone>\d+)asideqz</p>|qzset(?P<among>\d+)asideqz", one, html)


def _highlighted(match: re.Match[str]) -> str:
    language = re.split(r"[,\s:{}]", html_text.unescape(match[1] or "").lstrip("{."), maxsplit=1)[0].lower()
    code = match[2]
    lexer = _lexer(language) if language and len(code) <= HIGHLIGHT_LIMIT else None
    if lexer is not None:
        code = "".join(_spans(lexer, html_text.unescape(code)))
    label = f' class="language-{html_text.escape(language)}"' if language else ""
    return f'<div class="highlight"><pre tabindex="0"><code{label}>{code}</code></pre></div>'


@lru_cache(maxsize=256)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def _spans(lexer: Lexer, code: str) -> Iterator[str]:
    """Code as HTML spans; neighbours of one class share a span."""
    held, held_class = "", ""
    for kind, value in lexer.get_tokens(code):
        while kind not in STANDARD_TYPES and kind.parent is not None:
            kind = kind.parent
        css = STANDARD_TYPES[kind] if value.strip() or not held else held_class
        if css != held_class and held:
            yield _span(held, held_class)
            held = ""
        held, held_class = held + value, css
    if held:
        yield _span(held, held_class)


def _span(text: str, css: str) -> str:
    escaped = html_text.escape(text, quote=False)
    return f'<span class="{css}">{escaped}</span>' if css and css != "w" else escaped


def _extensions(*names: str) -> comrak.ExtensionOptions:
    options = comrak.ExtensionOptions()
    for name in names:
        setattr(options, name, True)
    return options


_EXTENSIONS = _extensions("table", "strikethrough", "tasklist", "autolink", "alerts", "footnotes")
_EXTENSIONS.header_id_prefix = ""
_RENDERING = comrak.RenderOptions()
_RENDERING.unsafe_ = True
_RENDERING.tasklist_classes = True
_COMMENT_EXTENSIONS = _extensions("strikethrough", "autolink")
_COMMENT_RENDERING = comrak.RenderOptions()
_COMMENT_RENDERING.escape = True
_COMMENT_RENDERING.hardbreaks = True

"""Rendering Markdown to the HTML, excerpt and summary of an entry, and to the HTML of a comment.

comrak renders GitHub Flavored Markdown, and Pygments highlights code. HTML in an author's text passes through; comments
are sanitised. Text that looks like a template tag of another system, such as `{{ x }}`, is replaced by a placeholder
before Markdown is rendered. Inside code the placeholder becomes the same text again, so an example is never taken for
an instruction.
"""

from __future__ import annotations

import html as html_text
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

import comrak
import nh3

from appliance.content import heading_ids, render_limits, sanitising
from appliance.content.code_highlighting import highlight_code
from appliance.content.excerpts import MORE_MARKER, extract_excerpt, plain_text, truncate, without_headings, without_ids
from appliance.content.html_elements import TAG, find_elements, replace_elements, unescape

_ADDRESS = re.compile(r"(\s(?:href|src|poster)\s*=\s*)(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'=<>`]+))", re.IGNORECASE)
_LATE = re.compile(r"(?:href|src|poster)\s*=\s*[\"']?appliance:(?:entry|asset|category)/\d")
_CODE_BLOCK = re.compile(r"<pre><code(?: class=\"language-([^\"]*)\")?>([^<]*)</code></pre>")
_CODE = re.compile(r"<code[ >]")
_ANCHOR = re.compile(
    r"<a href=\"#[^\"]*\" aria-label=\"[^\"]*\"(?: data-heading-content=\"[^\"]*\")? class=\"anchor\"></a>"
)
_HEADING = re.compile(r"<h([1-6]) id=\"([^\"]*)\">")
_HEADING_ID = re.compile(r"\{#([^\s{}\"]+)(?![^\s{}\"])[^{}]*\}")
_ID = re.compile(r"\s(?:id|name)=(?:\"([^\"]*)\"|'([^']*)')")
#: Letters of a heading's id above which no link is matched by the beginning of the id.
_LONG_ID = 200
#: In a comment: a link that comrak emptied because its address is not allowed.
_EMPTY_LINK = re.compile(r"<a href=\"\"[^<>]*>")
_PICTURE = re.compile(r"<img [^<>]*?alt=\"([^\"]*)\"[^<>]*>")
_FRAGMENT = re.compile(r"href=\"#([^\"]+)\"")
_TEMPLATE_TAG = re.compile(r"\{\{[^\n]{0,400}?\}\}|\{%[^\n]{0,400}?%\}|\{\{[<%][^{}]{1,2000}?[>%]\}\}")
_PLACEHOLDER = re.compile(r"qzset(\d{1,9})asideqz")
_PARAGRAPH_OR_PLACEHOLDER = re.compile(r"<p>qzset(?P<paragraph>\d{1,9})asideqz</p>|qzset(?P<inline>\d{1,9})asideqz")


class Resolver(Protocol):
    """Resolves the references in an author's text."""

    def address(self, reference: str) -> str | None:
        """The address for a `href` or `src`, such as `appliance:entry/7#part`; None leaves it unchanged."""

    def tag(self, text: str) -> str | None:
        """The replacement of a template tag: HTML that starts with `<`, or an address; None leaves it unchanged."""


@dataclass(frozen=True, slots=True)
class RenderedEntry:
    """The rendered parts of an entry: HTML, and `summary` as plain text."""

    html: str
    excerpt: str
    summary: str
    #: Whether the HTML contains `appliance:` addresses.
    late_bound: bool


def render(
    text: str,
    *,
    format: str = "markdown",
    excerpt: str = "",
    excerpt_format: str = "markdown",
    summary: str = "",
    sanitised: bool = False,
    resolver: Resolver | None = None,
) -> RenderedEntry:
    """Render an entry. An empty `excerpt` or `summary` (plain text) is derived from the text.

    With `sanitised`, HTML in the text and in the excerpt that could do more than format is left out.

    Raises:
        ContentError: the text or the excerpt nests too deeply, or its HTML would be too large.
    """
    clean = sanitising.clean if sanitised else str
    whole = clean(render_text(text, format=format, resolver=resolver))
    own_excerpt = without_ids(clean(render_text(excerpt, format=excerpt_format, resolver=resolver)))
    beginning = own_excerpt or extract_excerpt(whole)
    whole = MORE_MARKER.sub("", whole)
    plain = plain_text(summary) or plain_text(without_headings(beginning)) or plain_text(without_headings(whole))
    late_bound = bool(_LATE.search(whole) or _LATE.search(beginning))
    return RenderedEntry(whole, beginning, truncate(plain), late_bound)


def render_text(text: str, *, format: str = "markdown", resolver: Resolver | None = None) -> str:
    """Render a text of the format 'markdown' or 'html' to HTML. `<!-- more -->` stays in it.

    Raises:
        ContentError: the text nests too deeply, or its HTML would be too large.
    """
    tags: list[str] = []
    if resolver is not None and format != "html" and ("{{" in text or "{%" in text):
        text = _TEMPLATE_TAG.sub(lambda match: _placeholder(tags, match[0]), text)
    html = text if format == "html" else _markdown(text)
    render_limits.check_html(html)
    if tags:
        html = replace_elements(
            html, _CODE, _end_of_code, lambda start, code: f"{start[0]}{_restore_tags(code, tags, format)}</code>"
        )
    if format != "html":
        html = _CODE_BLOCK.sub(lambda match: highlight_code(match[1] or "", match[2]), html)
    if resolver is not None:
        html = TAG.sub(lambda match: _resolve_addresses(match[0], tags, resolver), html)
    return _resolve_tags(html, tags, resolver, format) if tags and resolver is not None else html


def link_addresses(html: str) -> list[str]:
    """The addresses that HTML refers to, in order, as they are written in it."""
    tags = (match[0] for match in TAG.finditer(html) if "=" in match[0] and not match[0].startswith("<!--"))
    return [_attribute_value(match) for tag in tags for match in _ADDRESS.finditer(tag)]


def replace_addresses(html: str, replace: Callable[[str], str]) -> str:
    """Replace each address that HTML refers to by the result of `replace`."""

    def replace_one(match: re.Match[str]) -> str:
        address = _attribute_value(match)
        return f'{match[1]}"{html_text.escape(new)}"' if (new := replace(address)) != address else match[0]

    def replace_in_tag(match: re.Match[str]) -> str:
        return match[0] if match[0].startswith("<!--") else _ADDRESS.sub(replace_one, match[0])

    return TAG.sub(replace_in_tag, html)


def render_comment(text: str) -> str:
    """Render a reader's comment to safe HTML: paragraphs, emphasis, code, quotes, lists, and links with `nofollow`.

    Raises:
        ContentError: the text nests too deeply, or its HTML would be too large.
    """
    render_limits.check_marks(text, render_limits.COMMENT_MARKS)
    html = comrak.render_markdown(text, _COMMENT_EXTENSIONS, None, _COMMENT_RENDERING)
    render_limits.check_html(html, render_limits.COMMENT_DEPTH)
    render_limits.check_size(html, text)
    html = re.sub(r"<(/?)h[1-6]>", r"<\1p>", html)
    html = replace_elements(html, _EMPTY_LINK, lambda _link: "</a>", lambda _link, content: content)
    html = _PICTURE.sub(r"\1", html)
    html = nh3.clean(
        html,
        tags={"p", "br", "em", "strong", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a"},
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="nofollow ugc noopener",
    ).strip()
    return html if "<" in html or not html else f"<p>{html}</p>"  # comrak makes no paragraph of escaped HTML alone


def _markdown(text: str) -> str:
    render_limits.check_markdown(text)
    if heading_ids.has_many_headings(text):
        html = heading_ids.render_with_ids(text, _EXTENSIONS_WITHOUT_IDS, _RENDERING_WITH_POSITIONS)
    else:
        html = _ANCHOR.sub("", comrak.render_markdown(text, _EXTENSIONS, None, _RENDERING))
    render_limits.check_size(html, text)
    html = replace_elements(html, _HEADING, _end_of_heading, _use_own_id) if "{#" in html else html
    return _fix_fragments(html) if 'href="#' in html else html


def _end_of_heading(heading: re.Match[str]) -> str:
    return f"</h{heading[1]}>"


def _end_of_code(_code: re.Match[str]) -> str:
    return "</code>"


def _use_own_id(heading: re.Match[str], content: str) -> str | None:
    """A heading with the id that its author wrote, as in `Two {#second}`."""
    start = content.rfind("{#")
    if start < 0 or content.find("}", start, -1) >= 0 or "{" in content[start + 1 :]:
        return None
    own_id = _HEADING_ID.fullmatch(content, start)
    return None if own_id is None else f'<h{heading[1]} id="{own_id[1]}">{content[:start].rstrip()}</h{heading[1]}>'


def _fix_fragments(html: str) -> str:
    """Adapt links to headings of the same text that were written for the ids of another system (`#zcheck-cfg`).

    Ids are compared by their letters and digits. Some systems spell out an emoji (`-crab`) and comrak drops it, so a
    heading with an emoji also matches a link that starts with its letters.
    """
    ids = {unescape(match[1] or match[2]) for match in _ID.finditer(html)}
    by_letters: dict[str, str] = {}
    with_emoji: dict[str, str] = {}
    for heading, end in find_elements(html, _HEADING, _end_of_heading):
        letters = _letters(heading[2])
        by_letters.setdefault(letters, heading[2])
        if len(letters) > 3 and not html[heading.end() : end].isascii():
            with_emoji[letters] = heading[2]
    lengths = sorted({len(letters) for letters in with_emoji if len(letters) < _LONG_ID}, reverse=True)

    def fix(match: re.Match[str]) -> str:
        fragment = unquote(unescape(match[1]))
        if fragment in ids:
            return match[0]
        letters = _letters(fragment)
        prefix = next((letters[:length] for length in lengths if letters[:length] in with_emoji), "")
        found = by_letters.get(letters) or with_emoji.get(prefix)
        return f'href="#{found}"' if found else match[0]

    return _FRAGMENT.sub(fix, html)


def _letters(name: str) -> str:
    return "".join(character for character in unquote(unescape(name)).lower() if character.isalnum())


def _placeholder(tags: list[str], tag: str) -> str:
    tags.append(tag)
    return f"qzset{len(tags) - 1}asideqz"


def _restore_tags(html: str, tags: list[str], format: str) -> str:
    return _PLACEHOLDER.sub(lambda match: _escape_tag(_tag_at(match[1], tags) or match[0], format), html)


def _tag_at(number: str, tags: list[str]) -> str | None:
    """The template tag behind a placeholder; None if an author wrote text that looks like one."""
    return tags[int(number)] if int(number) < len(tags) else None


def _escape_tag(tag: str, format: str) -> str:
    return tag if format == "html" else html_text.escape(tag)


def _attribute_value(match: re.Match[str]) -> str:
    """The value of an attribute that `_ADDRESS` matched."""
    return unescape(match[2] or match[3] or match[4] or "")


def _resolve_addresses(tag: str, tags: list[str], resolver: Resolver) -> str:
    def resolve(match: re.Match[str]) -> str:
        written = _attribute_value(match)
        reference = _PLACEHOLDER.sub(lambda found: _tag_address(_tag_at(found[1], tags) or found[0], resolver), written)
        address = resolver.address(_unquote_reference(reference)) if reference else None
        if address is None and reference == written:
            return match[0]
        return f'{match[1]}"{html_text.escape(reference if address is None else address)}"'

    return _ADDRESS.sub(resolve, tag) if "=" in tag and not tag.startswith("<!--") else tag


def _unquote_reference(reference: str) -> str:
    # comrak escapes the braces of {filename}, but a resolver expects references as their author wrote them
    return unquote(reference) if "%" in reference and "://" not in reference else reference


def _tag_address(tag: str, resolver: Resolver) -> str:
    resolved = resolver.tag(tag)
    return tag if resolved is None or resolved.startswith("<") else resolved


def _resolve_tags(html: str, tags: list[str], resolver: Resolver, format: str) -> str:
    def resolve(match: re.Match[str]) -> str:
        tag = _tag_at(match["paragraph"] or match["inline"], tags)
        if tag is None:
            return match[0]
        resolved = resolver.tag(tag)
        if resolved is not None and resolved.startswith("<"):
            return resolved
        text = _escape_tag(tag, format)
        return f"<p>{text}</p>" if match["paragraph"] else text

    return _PARAGRAPH_OR_PLACEHOLDER.sub(resolve, html)


def _extensions(*names: str) -> comrak.ExtensionOptions:
    options = comrak.ExtensionOptions()
    for name in names:
        setattr(options, name, True)
    return options


def _renderings(*names: str) -> comrak.RenderOptions:
    options = comrak.RenderOptions()
    for name in names:
        setattr(options, name, True)
    return options


_GITHUB_EXTENSIONS = ("table", "strikethrough", "tasklist", "autolink", "alerts", "footnotes")
_EXTENSIONS, _EXTENSIONS_WITHOUT_IDS = _extensions(*_GITHUB_EXTENSIONS), _extensions(*_GITHUB_EXTENSIONS)
_EXTENSIONS.header_id_prefix = ""
_RENDERING = _renderings("unsafe_", "tasklist_classes")
_RENDERING_WITH_POSITIONS = _renderings("unsafe_", "tasklist_classes", "sourcepos")
_COMMENT_EXTENSIONS = _extensions("strikethrough", "autolink")
_COMMENT_RENDERING = _renderings("escape", "hardbreaks")

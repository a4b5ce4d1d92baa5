"""Rewriting the links in exported texts so that they lead to the files of the export.

Every link of an exported text is resolved again when the export is imported. A text with links that already resolve
there is left unchanged, so that exporting an imported export gives the same bytes. The stored HTML of an entry says
where its links lead; the text only says how the author wrote them. If links cannot be replaced in the text without
changing anything else, the entry is exported as its HTML.
"""

from __future__ import annotations

import html as html_text
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from appliance.content import entries, markup
from appliance.content.entries import EntryData
from appliance.content.excerpts import without_ids
from appliance.content.models import Entry
from appliance.importing.markdown.references import ReferenceIndex, ReferenceResolver

#: By kind and id ('entry', 'asset', 'category'): the path in the export.
Targets = Mapping[tuple[str, int], str]

_LATE = re.compile(r"appliance:(entry|asset|category)/(\d{1,18})(.*)", re.DOTALL)
_TAG = re.compile(r"\{\{[^\n]{0,400}?\}\}|\{%[^\n]{0,400}?%\}")
_PLACEHOLDER = "qzlink{}qz"
#: What stands before the address of a link in Markdown or HTML.
_BEFORE = r"(\]\(\s*<?|\]:[ \t]*<?|(?:href|src|poster)\s*=\s*[\"']?)"
#: The address of a link with a target that no longer exists.
_NOWHERE = "#"


@dataclass(slots=True)
class _PlaceholderReferences(ReferenceResolver):
    """Resolves every reference to a unique placeholder, and collects the references in order."""

    references: list[str] = field(default_factory=list)

    def address(self, reference: str) -> str | None:
        return None if not reference or "qzlink" in reference else self._placeholder(reference)

    def _ref(self, target: str) -> str | None:
        return self._placeholder(target)

    def _post_url(self, kind: str, target: str) -> str | None:
        placeholder = self._placeholder(target)
        return f'<a href="{placeholder}">{target}</a>' if kind == "post_link" else placeholder

    def _placeholder(self, reference: str) -> str:
        self.references.append(reference)
        return _PLACEHOLDER.format(len(self.references) - 1)


@dataclass(frozen=True, slots=True)
class ExportedText:
    """The exported text of an entry. `excerpt` (HTML) and `summary` are empty if they are derived from the text."""

    text: str
    format: str
    excerpt: str = ""
    summary: str = ""


class LinkRewriter:
    """Rewrites the texts of an export. An import of the export resolves references with `index`."""

    def __init__(self, index: ReferenceIndex, targets: Targets) -> None:
        self._index = index
        self._targets = targets

    def rewrite(self, entry: Entry, path: str) -> ExportedText:
        """Rewrite the text of `entry` for the file at `path` of the export."""
        text = _normalize_lines(entry.text)
        rewritten = self._rewrite_text(entry, text, path) if "appliance:" in entry.html else text
        exported = ExportedText(text if rewritten is None else rewritten, entry.format)
        if rewritten is None:
            exported = ExportedText(self._rewrite_html(entry.html, path), "html")
        return self._with_excerpt(exported, entry, path)

    def _with_excerpt(self, exported: ExportedText, entry: Entry, path: str) -> ExportedText:
        references = ReferenceResolver(self._index, path, entry.address)
        rendered = entries.render(EntryData("", "", 0, exported.text, format=exported.format), references)
        resolved = without_ids(
            markup.render_text(self._rewrite_html(entry.excerpt, path), format="html", resolver=references)
        )
        excerpt = self._rewrite_html(resolved, path)  # a link that already resolved is written like all others
        if resolved == rendered.excerpt:
            excerpt = ""
        else:
            data = EntryData("", "", 0, exported.text, format=exported.format, excerpt=excerpt, excerpt_format="html")
            rendered = entries.render(data, references)
        summary = "" if entry.summary == rendered.summary else entry.summary
        return ExportedText(exported.text, exported.format, excerpt, summary)

    def _rewrite_text(self, entry: Entry, text: str, path: str) -> str | None:
        """`text` with links that an import resolves; None if they cannot be replaced in the text."""
        references = ReferenceResolver(self._index, path, entry.address)
        expected = markup.link_addresses(entry.html)
        unchanged = markup.link_addresses(markup.render_text(text, format=entry.format, resolver=references))
        if "appliance:" not in text and unchanged == expected:
            return text
        placeholders = _PlaceholderReferences(self._index, path, entry.address)
        marked = markup.render_text(text, format=entry.format, resolver=placeholders)
        marked_addresses = markup.link_addresses(marked)
        if len(marked_addresses) != len(expected):
            return None
        targets = dict(zip(marked_addresses, expected, strict=True))
        for reference, target in self._changed_references(placeholders, targets, references, path):
            text = _replace_reference(text, reference, target)
        new = markup.render_text(
            text, format=entry.format, resolver=ReferenceResolver(self._index, path, entry.address)
        )
        resolved = [address for address in markup.link_addresses(new) if _LATE.match(address)]
        is_resolved = resolved == [address for address in expected if self._is_exported(address)]
        return text if is_resolved and _without_addresses(new) == _without_addresses(marked) else None

    def _changed_references(
        self, placeholders: _PlaceholderReferences, targets: Mapping[str, str], references: ReferenceResolver, path: str
    ) -> list[tuple[str, str]]:
        """(reference, new address) of each reference that an import would resolve to something else, longest first."""
        changes: dict[str, str] = {}
        for number, reference in enumerate(placeholders.references):
            target = targets.get(_PLACEHOLDER.format(number), reference)
            resolved = references.address(reference) or references._ref(reference)
            if _LATE.fullmatch(target) and resolved != target:
                changes[reference] = self._relative_address(target, path)
        return sorted(changes.items(), key=lambda change: len(change[0]), reverse=True)

    def _is_exported(self, address: str) -> bool:
        late = _LATE.match(address)
        return late is not None and (late[1], int(late[2])) in self._targets

    def _rewrite_html(self, html: str, path: str) -> str:
        """Stored HTML with late-bound addresses replaced by paths in the export."""
        return markup.replace_addresses(
            html, lambda address: self._relative_address(address, path) if _LATE.fullmatch(address) else address
        )

    def _relative_address(self, late: str, path: str) -> str:
        match = _LATE.fullmatch(late)
        target = self._targets.get((match[1], int(match[2]))) if match else None
        if match is None or target is None:
            return _NOWHERE
        return relative_link(target, path) + match[3]


def relative_link(target: str, path: str) -> str:
    """The relative address of the file `target` in the file at `path`, both paths below the root of the export."""
    relative = quote(posixpath.relpath(target, posixpath.dirname(path)))
    # An import decodes a link, splits off the query and the fragment, and decodes the path again.
    return quote(relative) if any(sign in target for sign in "#?%") else relative


def _replace_reference(text: str, reference: str, new: str) -> str:
    for written in dict.fromkeys((reference, html_text.escape(reference), quote(reference, safe="/#?&=:~+,;@!$*'()"))):
        quoted = re.escape(written)
        text = re.sub(_BEFORE + quoted + r"(?=[\s)>\"']|$)", lambda match: match[1] + new, text)
        inner = re.compile(rf"([\s\"'`=]){quoted}(?=[\s\"'`>%])")
        text = _TAG.sub(lambda tag, inner=inner: inner.sub(lambda match: match[1] + new, tag[0]), text)  # type: ignore[misc]
    return text


def _without_addresses(html: str) -> str:
    return markup.replace_addresses(html, lambda _address: "")


def _normalize_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")

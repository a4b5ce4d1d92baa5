"""Texts whose links lead to the files of an export instead of where their author's system had them.

Guarantees that what an exported text links to is found again when it is imported, and that a text whose links are
found as they stand is left as it is, so that the export of what was exported is the same. What readers see of an entry,
its kept HTML, says where its links lead; its text only says how the author wrote them. A text in which they cannot be
replaced without touching anything else is exported as the HTML that readers see.
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
from appliance.importing.references import Index, References

#: By kind and id ('entry', 'asset', 'category'): the path in the export.
Targets = Mapping[tuple[str, int], str]

_LATE = re.compile(r"appliance:(entry|asset|category)/(\d+)(.*)", re.DOTALL)
_TAG = re.compile(r"\{\{[^\n]{0,400}?\}\}|\{%[^\n]{0,400}?%\}")
_NOTED = "qzlink{}qz"
_BEFORE = r"(\]\(\s*<?|\]:[ \t]*<?|(?:href|src|poster)\s*=\s*[\"']?)"
#: What a link leads to that leads to nothing of the site any more.
_NOWHERE = "#"


@dataclass(slots=True)
class _Notes(References):
    """Resolves every reference to a mark of its own, and notes them in order."""

    noted: list[str] = field(default_factory=list)

    def address(self, reference: str) -> str | None:
        return None if not reference or "qzlink" in reference else self._note(reference)

    def _ref(self, target: str) -> str | None:
        return self._note(target)

    def _post_url(self, kind: str, target: str) -> str | None:
        mark = self._note(target)
        return f'<a href="{mark}">{target}</a>' if kind == "post_link" else mark

    def _note(self, reference: str) -> str:
        self.noted.append(reference)
        return _NOTED.format(len(self.noted) - 1)


@dataclass(frozen=True, slots=True)
class Body:
    """The text of an entry as it is exported; `excerpt` is HTML, both it and `summary` are empty when derived."""

    text: str
    format: str
    excerpt: str = ""
    summary: str = ""


class Linker:
    """Makes the texts of an export; `index` is what an import of the export will find."""

    def __init__(self, index: Index, targets: Targets) -> None:
        self._index = index
        self._targets = targets

    def body(self, entry: Entry, path: str) -> Body:
        """The text of `entry`, to stand at `path` in the export."""
        text = _plain(entry.text)
        rewritten = self._text(entry, text, path) if "appliance:" in entry.html else text
        body = Body(text if rewritten is None else rewritten, entry.format)
        if rewritten is None:
            body = Body(self._html(entry.html, path), "html")
        return self._with_excerpt(body, entry, path)

    def _with_excerpt(self, body: Body, entry: Entry, path: str) -> Body:
        own = References(self._index, path, entry.address)
        rendered = entries.render(EntryData("", "", 0, body.text, format=body.format), own)
        found = _excerpt(self._html(entry.excerpt, path), own)
        excerpt = self._html(found, path)  # what is found as it stands is named as everything else is
        if found == rendered.excerpt:
            excerpt = ""
        else:
            data = EntryData("", "", 0, body.text, format=body.format, excerpt=excerpt, excerpt_format="html")
            rendered = entries.render(data, own)
        summary = "" if entry.summary == rendered.summary else entry.summary
        return Body(body.text, body.format, excerpt, summary)

    def _text(self, entry: Entry, text: str, path: str) -> str | None:
        """`text` with links that are found again; None when they cannot be put in."""
        own = References(self._index, path, entry.address)
        kept = markup.addresses(entry.html)
        as_it_is = markup.addresses(markup.text_html(text, format=entry.format, resolver=own))
        if "appliance:" not in text and as_it_is == kept:
            return text
        notes = _Notes(self._index, path, entry.address)
        marked = markup.text_html(text, format=entry.format, resolver=notes)
        marks = markup.addresses(marked)
        if len(marks) != len(kept):
            return None
        wanted = dict(zip(marks, kept, strict=True))
        changes: dict[str, str] = {}
        for number, reference in enumerate(notes.noted):
            leads_to = wanted.get(_NOTED.format(number), reference)
            found = own.address(reference) or own._ref(reference)
            if _LATE.fullmatch(leads_to) and found != leads_to:
                changes[reference] = self._relative(leads_to, path)
        for reference in sorted(changes, key=len, reverse=True):
            text = _replaced(text, reference, changes[reference])
        new = markup.text_html(text, format=entry.format, resolver=References(self._index, path, entry.address))
        is_found = [one for one in markup.addresses(new) if _LATE.match(one)] == [
            one for one in kept if (late := _LATE.match(one)) and (late[1], int(late[2])) in self._targets
        ]
        return text if is_found and _masked(new) == _masked(marked) else None

    def _html(self, html: str, path: str) -> str:
        """Kept HTML with paths in the export in place of late-bound addresses."""
        return markup.with_addresses(
            html, lambda given: self._relative(given, path) if _LATE.fullmatch(given) else given
        )

    def _relative(self, late: str, path: str) -> str:
        match = _LATE.fullmatch(late)
        target = self._targets.get((match[1], int(match[2]))) if match else None
        if match is None or target is None:
            return _NOWHERE
        return link(target, path) + match[3]


def link(target: str, path: str) -> str:
    """The address of one file of an export in another, both below its root."""
    relative = quote(posixpath.relpath(target, posixpath.dirname(path)))
    # Readers of a link decode it, then take it apart, then decode it again.
    return quote(relative) if any(sign in target for sign in "#?%") else relative


def _replaced(text: str, reference: str, new: str) -> str:
    for written in dict.fromkeys((reference, html_text.escape(reference), quote(reference, safe="/#?&=:~+,;@!$*'()"))):
        quoted = re.escape(written)
        text = re.sub(_BEFORE + quoted + r"(?=[\s)>\"']|$)", lambda match: match[1] + new, text)
        inner = re.compile(rf"([\s\"'`=]){quoted}(?=[\s\"'`>%])")
        text = _TAG.sub(lambda tag, inner=inner: inner.sub(lambda match: match[1] + new, tag[0]), text)  # type: ignore[misc]
    return text


def _excerpt(html: str, own: References) -> str:
    return without_ids(markup.text_html(html, format="html", resolver=own))


def _masked(html: str) -> str:
    return markup.with_addresses(html, lambda _given: "")


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")

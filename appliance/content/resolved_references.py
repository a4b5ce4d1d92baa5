"""Resolving the references of an imported text from its stored HTML, so that the text can be edited later.

An importer resolves references with the help of the files around a text, which are no longer available when the text is
edited. The addresses it found are in the stored HTML. A reference that was not resolved then stays as it is written.
"""

from __future__ import annotations

from appliance.content import markup


class ResolvedReferences:
    """A resolver that resolves the references of a text to the addresses in its stored HTML."""

    def __init__(self, text: str, format: str, html: str) -> None:
        self._addresses: dict[str, str] = {}
        if "appliance:" not in html:
            return
        in_text, in_html = _ReferenceCollector(), _ReferenceCollector()
        markup.render_text(text, format=format, resolver=in_text)
        markup.render_text(html, format="html", resolver=in_html)
        if len(in_text.references) == len(in_html.references):  # a template tag may have become a picture
            pairs = zip(in_text.references, in_html.references, strict=True)
            self._addresses = {written: resolved for written, resolved in pairs if written != resolved}

    def address(self, reference: str) -> str | None:
        """The address that the stored HTML has for a reference."""
        return self._addresses.get(reference)

    def tag(self, text: str) -> str | None:  # noqa: ARG002 - the resolver protocol
        """None, since the stored HTML does not show what a template tag became."""
        return None


class _ReferenceCollector:
    """A resolver that collects every reference and resolves none."""

    def __init__(self) -> None:
        self.references: list[str] = []

    def address(self, reference: str) -> str | None:
        self.references.append(reference)
        return None

    def tag(self, text: str) -> str | None:  # noqa: ARG002 - the resolver protocol
        return None

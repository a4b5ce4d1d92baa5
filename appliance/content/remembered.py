"""What the references of a text meant when it was rendered, so that its author can edit it where it is kept.

An importer resolves references by the files around a text, which are out of reach later; what it found stands in the
HTML that is kept with the text. A reference nobody resolved before stays as it is written.
"""

from __future__ import annotations

from appliance.content import markup


class Remembered:
    """A resolver that gives the references of a text the meanings they have in its HTML."""

    def __init__(self, text: str, format: str, html: str) -> None:
        self._meanings: dict[str, str] = {}
        if "appliance:" not in html:
            return
        written, kept = _Listener(), _Listener()
        markup.text_html(text, format=format, resolver=written)
        markup.text_html(html, format="html", resolver=kept)
        if len(written.heard) == len(kept.heard):  # a template tag that became a picture puts them out of step
            pairs = zip(written.heard, kept.heard, strict=True)
            self._meanings = {said: meant for said, meant in pairs if said != meant}

    def address(self, reference: str) -> str | None:
        """The address that stood in its place."""
        return self._meanings.get(reference)

    def tag(self, text: str) -> str | None:  # noqa: ARG002 - what a resolver is asked
        """Nothing: template tags are not remembered."""
        return None


class _Listener:
    """Hears every reference of a text and resolves none."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def address(self, reference: str) -> str | None:
        self.heard.append(reference)
        return None

    def tag(self, text: str) -> str | None:  # noqa: ARG002 - as above
        return None

"""A form that was sent: its values, and what is wrong with them, each problem with its field.

Values that passwords or codes were typed into are never shown again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flask import request
from werkzeug.datastructures import MultiDict


@dataclass
class Form:
    """A form as the page shows it."""

    #: What the fields hold, by their names.
    values: dict[str, str] = field(default_factory=dict)
    #: What is chosen of several values.
    chosen: dict[str, frozenset[str]] = field(default_factory=dict)
    #: A sentence for each field that is wrong; that of the empty name is about the whole form.
    problems: dict[str, str] = field(default_factory=dict)
    #: Above the problems.
    heading: str = "That did not work"

    @classmethod
    def sent(cls, *several: str) -> Form:
        """The form of this request; fields in `several` have any number of values."""
        return cls.of(request.form, *several)

    @classmethod
    def of(cls, sent: MultiDict[str, str], *several: str) -> Form:
        """The form with these values."""
        values = {name: value for name, value in sent.items() if name not in several}
        return cls(values, {name: frozenset(sent.getlist(name)) for name in several})

    def text(self, name: str, missing: str = "") -> str:
        """The value of a field without spaces around it; `missing` is the problem if it is empty."""
        value = self.values.get(name, "").strip()
        if missing and not value:
            self.problems.setdefault(name, missing)
        return value

    def secret(self, name: str, missing: str) -> str:
        """The value of a field exactly as it was typed."""
        value = self.values.get(name, "")
        if not value:
            self.problems.setdefault(name, missing)
        return value

    def refuse(self, name: str, sentence: str) -> None:
        """Note what is wrong with a field, or with the whole form if the name is empty."""
        self.problems.setdefault(name, sentence[:1].upper() + sentence[1:])

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong so far."""
        return not self.problems

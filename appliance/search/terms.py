"""What a reader asks for: words, phrases in quotation marks, and beginnings of words.

Whatever the reader writes means something or nothing; no text is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.search.tokens import Run, runs

#: Characters of a query that are read, and terms of it that are looked for.
_LONGEST: Final = 1000
_MOST: Final = 16
#: Letters from which the last word may be the beginning of one.
_BEGINNING: Final = 3

_QUOTED: Final = re.compile(r"[\"“”„«»]([^\"“”„«»]*)(?:[\"“”„«»]|\Z)")
#: What joins words that belong together, such as e-mail or node.js.
_JOINTS: Final = frozenset(("", "-", "'", "’", ".", "_", "@", "‐"))


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow one another; usually one."""

    words: tuple[str, ...]
    #: Whether the last of them may be the beginning of a word.
    is_beginning: bool = False

    @property
    def sequence(self) -> str:
        """The text that a document has among its words if it has the words of the term one after the other."""
        return f" {' '.join(self.words)}{'' if self.is_beginning else ' '}"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a document must have: all of the terms."""

    all: tuple[Term, ...]

    @property
    def words(self) -> list[str]:
        """The whole words, each once."""
        whole = [word for term in self.all for word in (term.words[:-1] if term.is_beginning else term.words)]
        return list(dict.fromkeys(whole))

    @property
    def beginnings(self) -> list[str]:
        """The beginnings of words, each once."""
        return list(dict.fromkeys(term.words[-1] for term in self.all if term.is_beginning))

    @property
    def sequences(self) -> list[str]:
        """What a document must have among its words, for terms of several words."""
        return [term.sequence for term in self.all if len(term.words) > 1]

    def with_beginning(self) -> Terms | None:
        """The same, but the last word may be the beginning of one; None if it is too short, or no single word."""
        last = self.all[-1] if self.all else None
        if last is None or last.is_beginning or len(last.words) > 1 or len(last.words[0]) < _BEGINNING:
            return None
        return Terms((*self.all[:-1], Term(last.words, is_beginning=True)))


def parse(query: str, language: str) -> Terms:
    """The terms of a query; none if it has no words."""
    query = query[:_LONGEST]
    found: list[Term] = []
    position = 0
    for match in _QUOTED.finditer(query):
        found += _unquoted(query[position : match.start()], language)
        found += [_term(quoted)] if (quoted := list(runs(match[1], language))) else []
        position = match.end()
    found += _unquoted(query[position:], language)
    return Terms(tuple(dict.fromkeys(found[:_MOST])))


def _unquoted(text: str, language: str) -> list[Term]:
    groups: list[list[Run]] = []
    for run in runs(text, language):
        if groups and text[groups[-1][-1].end : run.start] in _JOINTS:
            groups[-1].append(run)
        else:
            groups.append([run])
    return [_term(group) for group in groups]


def _term(group: Sequence[Run]) -> Term:
    *before, last = group
    words = tuple(word for run in before for word in run.words)
    if not last.is_unspaced:
        return Term(words + last.words)
    if len(last.words) == 1:  # one character, with which pairs begin
        return Term(words + last.words, is_beginning=True)
    return Term(words + last.words[:-1])

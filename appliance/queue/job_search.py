"""The search language of jobs: one line of text, read into a filter, and told in words.

    state:failed site:blog,news template:archive.html path:blog/2026/* error:"no such filter" -kind:mail age:>10m surge

A term is a qualifier with a value, or a word to find in the path or the error. Quotation marks keep spaces together,
and a hyphen before a term excludes what it matches. Guarantees that a line with a mistake selects no job at all, so
that nobody acts on more than was meant, and that the mistake is told in a sentence.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from appliance.queue.job_filter import JobFilter
from appliance.queue.models import State
from appliance.queue.search_qualifiers import QUALIFIERS, Meaning, Surroundings, closest, meaning

#: Characters that a line may have, and terms.
LONGEST: Final = 1000
_MOST_TERMS: Final = 40
#: What is selected by a line with a mistake.
_NOTHING: Final = JobFilter(ids=())


@dataclass(frozen=True, slots=True)
class Term:
    """A part of the line between two spaces."""

    #: As it was typed.
    source: str
    #: Empty for a word.
    qualifier: str
    value: str
    is_negated: bool = False
    #: Whether its quotation marks are closed.
    is_closed: bool = True


@dataclass(frozen=True, slots=True)
class Search:
    """A line of the search language, read."""

    text: str
    terms: tuple[Term, ...]
    #: Which jobs it selects: none if there are problems.
    filter: JobFilter
    #: What it says, a phrase for each condition.
    explained: tuple[str, ...] = ()
    #: A sentence for each mistake.
    problems: tuple[str, ...] = ()

    @property
    def state(self) -> State | None:
        """The only state that is asked for."""
        return self.filter.states[0] if len(self.filter.states) == 1 else None

    def in_state(self, state: State | None) -> str:
        """Return the line that asks for this state in place of any other; for every state without one."""
        kept = [term.source for term in self.terms if term.qualifier != "state"]
        return " ".join([f"state:{state}", *kept] if state else kept)

    def in_any_state(self) -> JobFilter:
        """Return the filter without the states that it asks for or excludes."""
        excluded = tuple(one for one in self.filter.excluded if not one.states)
        return replace(self.filter, states=(), excluded=excluded)


def parse(text: str, sites: Collection[str], zone: dt.tzinfo = dt.UTC) -> Search:
    """Read a line of the search language.

    Args:
        text: the line.
        sites: the names of the sites that it may name.
        zone: where days begin.
    """
    text = text.strip()
    terms = tuple(split(text))
    problems = list(_misspelt(text, terms))
    conditions: dict[str, Any] = {}
    excluded: list[JobFilter] = []
    explained: list[str] = []
    around = Surroundings(sites, zone)
    for qualifier, values, is_negated in _grouped(terms):
        try:
            found = meaning(qualifier, values, around)
        except ValueError as error:
            problems.append(f"{qualifier}: {error}" if qualifier else str(error))
            continue
        explained += [f"not: {words}" for words in found.words] if is_negated else found.words
        if is_negated:
            excluded.append(JobFilter(**found.conditions))
        else:
            _join(conditions, found)
    if problems:
        return Search(text, terms, _NOTHING, (), tuple(dict.fromkeys(problems)))
    return Search(text, terms, JobFilter(**conditions, excluded=tuple(excluded)), tuple(explained))


def _grouped(terms: Sequence[Term]) -> Iterator[tuple[str, list[str], bool]]:
    """Each qualifier with all values that are looked for, then each value that is excluded."""
    for qualifier in dict.fromkeys(term.qualifier for term in terms):
        wanted = [term.value for term in terms if term.qualifier == qualifier and not term.is_negated]
        if wanted:
            yield qualifier, wanted, False
    for term in terms:
        if term.is_negated:
            yield term.qualifier, [term.value], True


def _join(conditions: dict[str, Any], found: Meaning) -> None:
    texts = conditions.get("texts", ())
    conditions |= found.conditions
    conditions["texts"] = (*texts, *found.conditions.get("texts", ()))


def _misspelt(text: str, terms: Sequence[Term]) -> Iterator[str]:
    if len(text) > LONGEST or len(terms) > _MOST_TERMS:
        yield f"A search has at most {LONGEST:,} characters and {_MOST_TERMS} terms; leave some out."
    if any(not sign.isprintable() for sign in text):
        yield "There is a character in the search that cannot be typed; type the line anew."
    for term in terms:
        if not term.is_closed:
            yield f"The quotation mark in {term.source} is not closed; add another at the end."
        elif not term.qualifier and not term.value:
            yield f"“{term.source}” says nothing to look for; write a word, or a qualifier such as state:failed."
        elif not term.qualifier and (name := _unknown_qualifier(term)):
            close = closest(name, QUALIFIERS)
            yield (
                f"“{name}:” is no qualifier.{close} The qualifiers are {', '.join(QUALIFIERS)}."
                " To look for the text itself, put it in quotation marks."
            )


def _unknown_qualifier(term: Term) -> str:
    name, colon, rest = term.source.removeprefix("-").partition(":")
    is_one = colon and rest and not rest.startswith("/") and name.isascii() and name.isalpha() and name.islower()
    return name if is_one else ""


def split(text: str) -> Iterator[Term]:
    """The terms of a line, in their order."""
    at, end = 0, len(text)
    while at < end:
        if text[at].isspace():
            at += 1
            continue
        start, is_quoted = at, False
        while at < end and (is_quoted or not text[at].isspace()):
            is_quoted ^= text[at] == '"'
            at += 1
        yield _term(text[start:at], is_closed=not is_quoted)


def _term(source: str, *, is_closed: bool) -> Term:
    is_negated = source.startswith("-") and len(source) > 1
    body = source[1:] if is_negated else source
    name, colon, rest = body.partition(":")
    if colon and name.lower() in QUALIFIERS:
        return Term(source, name.lower(), rest.replace('"', ""), is_negated, is_closed)
    if body.startswith("#") and body[1:].isdecimal():
        return Term(source, "id", body[1:], is_negated, is_closed)
    value = "" if body == "-" else body.replace('"', "")
    return Term(source, "", value, is_negated, is_closed)


def quoted(value: str) -> str:
    """Return a value as the language has it, in quotation marks where it needs them. It cannot hold any itself."""
    value = value.replace('"', "")
    return f'"{value}"' if not value or any(sign.isspace() for sign in value) else value

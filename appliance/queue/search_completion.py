"""Completion of a line of the search language: whole lines that go on from what was typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from appliance.queue.job_search import Term, quoted, split
from appliance.queue.models import STATES
from appliance.queue.search_qualifiers import QUALIFIERS

#: Lines that are offered at once.
_MOST: Final = 12
#: The qualifiers whose values are known only from jobs.
_FROM_JOBS: Final = ("kind", "template", "worker")
#: What the values of other qualifiers may look like.
_EXAMPLES: Final[Mapping[str, Sequence[str]]] = {
    "state": STATES,
    "age": (">10m", ">1h", "<10m", "<1h"),
    "priority": (">=9", ">=5", "<5"),
}


def complete(text: str, sites: Sequence[str], known: Callable[[], Mapping[str, Sequence[str]]]) -> list[str]:
    """Return lines that begin with the text and go on with a qualifier or one of its values.

    Args:
        text: the line as far as it is typed; what is completed is its end.
        sites: the names of the sites that it may name.
        known: returns the values of other qualifiers, by their names; called only if they are needed.
    """
    terms = list(split(text))
    is_begun = bool(terms) and not text[-1:].isspace()
    last = terms[-1] if is_begun else Term("", "", "")
    before = text[: len(text) - len(last.source)] if is_begun else text
    return [before + line for line in _ends(last, sites, known) if line != last.source][:_MOST]


def _ends(last: Term, sites: Sequence[str], known: Callable[[], Mapping[str, Sequence[str]]]) -> Iterator[str]:
    hyphen = "-" if last.is_negated else ""
    if not last.qualifier:
        yield from (f"{hyphen}{name}:" for name in QUALIFIERS if name.startswith(last.value.lower()))
        return
    values = known()[last.qualifier] if last.qualifier in _FROM_JOBS else _EXAMPLES.get(last.qualifier, ())
    values = sites if last.qualifier == "site" else values
    *done, begun = last.value.split(",")
    for value in values:
        if value.lower().startswith(begun.lower()):
            yield f"{hyphen}{last.qualifier}:{quoted(','.join([*done, value]))}"

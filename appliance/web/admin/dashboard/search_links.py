"""Links to lists of jobs, in the search language of the page Jobs."""

from __future__ import annotations

import re
from typing import Final

from appliance.queue.failure_groups import FailureGroup
from appliance.web.admin.pages.own_addresses import with_query

#: A value that needs no quotation marks.
_PLAIN: Final = re.compile(r"[\w./-]+")


def search_link(**qualifiers: str) -> str:
    """Return the address of the list of jobs with these qualifiers; one without a value is left out."""
    terms = [f"{name}:{_quoted(value)}" for name, value in qualifiers.items() if value]
    return with_query("/jobs", q=" ".join(terms))


def link_to_group(group: FailureGroup) -> str:
    """Return the address of the list of a group's jobs."""
    return search_link(state="failed", site=group.scope, kind=group.kind, template=group.about, error=group.same_in_all)


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else f'"{value.replace(chr(34), "")}"'

"""Groups of jobs that an index has together and in the order of a list, such as the done ones of a kind and a site.

A list merges its groups, and a count adds them up, so that both cost the same at any number of jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from appliance.db import keyset
from appliance.db.keyset import Condition
from appliance.paging import Group
from appliance.queue.job_filter import JobFilter, in_states
from appliance.queue.models import OVER

#: Groups that a list merges, and that are counted apart.
MOST_MERGED: Final = 60
MOST_COUNTED: Final = 400


def over_groups(wanted: JobFilter, most: int) -> dict[Group, Condition] | None:
    """The groups of jobs that are over and match a filter's states, kinds and scopes; None when there are too many."""
    all_groups = keyset.find_groups("job", in_states(OVER), ("kind", "scope", "state"), "finished_at", MOST_COUNTED + 1)
    found = {
        Group(scope, kind, state): in_states(OVER)
        & in_states([state])
        & Condition("kind = ? AND scope = ?", (kind, scope))
        for kind, scope, state in all_groups
        if (not wanted.states or state in wanted.states)
        and (not wanted.kinds or kind in wanted.kinds)
        and (not wanted.scopes or scope in wanted.scopes)
    }
    return found if len(found) <= most and len(all_groups) <= MOST_COUNTED else None


def waiting_groups(scopes: Sequence[str] = ()) -> dict[tuple[str, int], Condition] | None:
    """The groups of waiting jobs of one scope and priority, each in the order of its turn; None if they are too many.

    With `scopes` only theirs.
    """
    pending = in_states(["pending"])
    all_groups = keyset.find_groups("job", pending, ("scope", "priority"), "rank", MOST_COUNTED + 1)
    found = {
        (scope, priority): pending & Condition("scope = ? AND priority = ?", (scope, priority))
        for scope, priority in all_groups
        if not scopes or scope in scopes
    }
    return found if len(found) <= MOST_MERGED and len(all_groups) <= MOST_COUNTED else None

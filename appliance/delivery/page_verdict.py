"""Where a page is, in a sentence: what the docroots have confirmed, and what was found by whoever looked there.

A look that found something else counts more than what was confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from appliance.delivery.page_look import PlaceLook
from appliance.delivery.whereabouts import Place, Whereabouts

#: Places that a sentence names.
_NAMED: Final = 3


def judge(found: Whereabouts, looks: Mapping[str, PlaceLook]) -> tuple[Literal["good", "warn", "bad"], str]:
    """Return how good it is where a page is, and a sentence.

    Args:
        found: what is confirmed of a path that was published.
        looks: what was found there, by the keys of the places.
    """
    places = [place for place in (*found.hosts, *found.front_ends) if place.state != "unknown"]
    if wrong := [place.name for place in places if _contradicts(place, looks.get(place.key), found)]:
        return "bad", f"What was confirmed is not what is there: {_names(wrong)}."
    if behind := [place.name for place in places if not place.is_up_to_date]:
        has = "does not have" if len(behind) == 1 else "do not have"
        return "warn", f"{len(behind)} of {len(places)} docroots {has} the latest version: {_names(behind)}."
    latest = found.latest
    if latest is not None and latest.is_deletion:
        return "good", "It is deleted, and gone from every docroot."
    return "good", "Every docroot has the latest version."


def _contradicts(place: Place, look: PlaceLook | None, found: Whereabouts) -> bool:
    """Whether a look, at the version that is the latest still, found something else than what is confirmed."""
    is_newest = look is not None and found.latest is not None and look.publication == found.latest.number
    return bool(is_newest and look and place.is_up_to_date and look.found in ("different", "absent"))


def _names(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")

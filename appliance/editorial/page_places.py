"""Where is this page: the answer that the browser, the API and the shell give to a path or an address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from appliance.config import Config
from appliance.delivery import page_look, page_verdict
from appliance.delivery.diagnostics import judgements
from appliance.delivery.page_look import PlaceLook
from appliance.delivery.whereabouts import PathVersion, Place, whereabouts
from appliance.editorial import page_paths
from appliance.errors import DeliveryError


@dataclass(frozen=True, slots=True)
class ShownPlace:
    """A docroot, what it is known to show, and what the last look there found."""

    place: Place
    look: PlaceLook | None


@dataclass(frozen=True, slots=True)
class PagePlaces:
    """Where a page is."""

    path: str
    state: Literal["good", "warn", "bad"]
    sentence: str
    latest: PathVersion
    #: The docroots of the publishing hosts, and then those of the front ends.
    places: tuple[ShownPlace, ...]


def find_places(config: Config, path_or_address: str) -> PagePlaces:
    """Return where the page is that somebody means by a path below the docroot or by an address.

    Raises:
        DeliveryError: nothing was ever published there.
    """
    path = page_paths.find_path(path_or_address)
    found = whereabouts(config, path) if path is not None else None
    if path is None or found is None or found.latest is None:
        alike = ", ".join(page_paths.similar_paths(path_or_address)[:3])
        hint = f"; these begin alike: {alike}" if alike else "; give a path below the docroot, or a full address"
        raise DeliveryError(f"nothing was ever published at “{path_or_address}”{hint}")
    looks = page_look.read(path)
    state, sentence = page_verdict.judge(found, looks)
    places = [ShownPlace(_without_address(one), looks.get(one.key)) for one in (*found.hosts, *found.front_ends)]
    return PagePlaces(path, state, sentence, found.latest, tuple(places))


def _without_address(place: Place) -> Place:
    """A place whose error does not give the address of the target, which is not for everybody."""
    return replace(place, error=judgements.strip_target_name(place.error or "", place.target) or None)

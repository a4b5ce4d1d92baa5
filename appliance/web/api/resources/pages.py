"""Pages: where the versions of each are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from appliance import db
from appliance.delivery.transports.base import Found
from appliance.delivery.whereabouts import PlaceState
from appliance.editorial import page_places
from appliance.web.api.fields import Sent, Shown
from appliance.web.api.operations import Answer, Call, found, operation


class PageQuery(Sent):
    """Which page."""

    path: str = Field(min_length=1, max_length=2000, description="A path below the docroot, or the address of a page.")


class PageVersion(Shown):
    """One publication of a path."""

    number: int = Field(description="Of the publication.")
    is_deletion: bool
    version: int = Field(description="Seconds since the epoch; the time of the file.")
    digest: str | None = Field(description="BLAKE2b-256; null for a deletion.")
    size: int | None
    origin: str = Field(description="The publishing host that made it.")
    at: float


class Look(Shown):
    """What was found when a worker looked there last."""

    target: str
    found: Found
    publication: int = Field(description="The publication that it was compared with.")
    error: str | None
    host: str = Field(description="The publishing host that looked.")
    at: float


class PlaceOfPage(Shown):
    """A docroot, and what it is known to show."""

    name: str
    target: str = Field(description="The target that it is; empty if nothing is sent to it.")
    state: PlaceState
    shown: PageVersion | None = Field(description="Null if it never had one, or if the journal no longer tells.")
    confirmed_at: float | None
    paused: bool
    error: str | None = Field(description="Why the last push failed.")
    is_host: bool = Field(description="Whether it is a docroot of publishing hosts.")


class ShownPlace(Shown):
    """A docroot with the last look there."""

    place: PlaceOfPage
    look: Look | None


class PagePlaces(Shown):
    """Where a page is. Times are seconds since the epoch."""

    path: str
    state: Literal["good", "warn", "bad"]
    sentence: str
    latest: PageVersion
    places: list[ShownPlace] = Field(description="Publishing hosts, and then front ends.")
    now: float = Field(description="The time of the database, for ages.")


@operation("GET", "/pages", "target.read", query=PageQuery, answer=PagePlaces)
def find_page(call: Call) -> Answer:
    """Say where a page is: the version that each docroot shows, and when it had confirmed that."""
    places = found(lambda: page_places.find_places(call.config, call.query.path))
    values = {name: getattr(places, name) for name in PagePlaces.model_fields if name != "now"}
    return Answer({**values, "now": db.now()})

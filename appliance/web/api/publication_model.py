"""How far an entry is, as the API shows it."""

from __future__ import annotations

from pydantic import Field

from appliance.editorial.publication import PublicationState
from appliance.web.api.fields import Shown


class EntryChange(Shown):
    """The newest change of an entry that the log still has."""

    id: int
    event: str
    by: str
    at: int = Field(description="Seconds since the epoch.")
    is_planned: bool


class FrontEnd(Shown):
    """What one front end shows of an entry."""

    name: str
    is_readable: bool = Field(description="Whether it shows the newest state of the entry's page.")
    lag: float = Field(description="Seconds since the oldest publication that it has not confirmed.")
    is_paused: bool
    error: str | None = Field(description="Why the last push to it failed.")


class EntryStatus(Shown):
    """How far the newest change of an entry is."""

    entry: int
    state: PublicationState = Field(
        description="`saved`: waits to be planned. `queued`, `building`, `failed`: the job of its page. `built`: the"
        " page is in the docroot, or gone from it. `private`: nothing of the entry is published."
    )
    change: EntryChange | None
    url: str | None = Field(description="The address of its page; null if it has none.")
    job: int | None = Field(description="The job that builds the page, if it waits, runs or has failed.")
    is_readable: bool = Field(description="Whether every front end shows the newest state.")
    readable: int = Field(description="On how many front ends it can be read.")
    front_ends: list[FrontEnd] = Field(description="Without front ends, the docroot of the publishing host.")

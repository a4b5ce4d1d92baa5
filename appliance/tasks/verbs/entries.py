"""The verbs for entries and pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

from appliance import editorial
from appliance.actor import current
from appliance.config import Config
from appliance.editorial import EditResult, EntryDetails, EntryFilter, EntryRow
from appliance.paging import Page
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class EntryLike(Protocol):
    """What is printed of an entry that was edited."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def kind(self) -> str:
        """`entry` or `page`."""

    @property
    def status(self) -> str:
        """Its status."""

    @property
    def title(self) -> str:
        """Its title."""

    @property
    def slug(self) -> str:
        """Its slug."""


class EntryVerbs(Protocol):
    """The verbs. See `editorial` for each; `site` may be empty where there is only one."""

    def add_entry(self, site: str, **fields: Any) -> EditResult[EntryLike]:
        """Add an entry."""

    def edit_entry(
        self, site: str, entry: str, *, expected_version: str | None, **fields: Any
    ) -> EditResult[EntryLike]:
        """Change the given fields of an entry."""

    def get_entry(self, site: str, entry: int | str) -> EntryDetails:
        """Return an entry with all that belongs to it."""

    def get_editable_entry(self, site: str, entry: str) -> EntryDetails:
        """Return an entry, unless it has to be edited in its source."""

    def list_entries(
        self, site: str, wanted: EntryFilter, *, order: str, size: int, after: str | None
    ) -> Page[EntryRow]:
        """Read a page of entries."""

    def delete_entries(self, site: str, *entries: str) -> EditResult[Sequence[EntryLike]]:
        """Delete entries: all of them or none."""


@contextmanager
def open_entries(*, later: bool = False) -> Iterator[EntryVerbs]:
    """Open the verbs for entries, here or where --api says. Here edits are built at once, or `later` as elsewhere."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.entries import RemoteEntries

        with connect(address) as connection:
            yield RemoteEntries(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalEntries(config, later=later)


class _LocalEntries:
    """The verbs on this host."""

    def __init__(self, config: Config, *, later: bool) -> None:
        self._config = config
        self.add_entry = partial(editorial.add_entry, config, actor=current(), later=later)
        self.edit_entry = partial(editorial.edit_entry, config, actor=current(), later=later)
        self.delete_entries = partial(editorial.delete_entries, config, actor=current(), later=later)
        self.get_entry = partial(editorial.get_entry, config)
        self.list_entries = partial(editorial.list_entries, config, with_total=False)

    def get_editable_entry(self, site: str, entry: str) -> EntryDetails:
        row = editorial.find_site(self._config, site)
        return editorial.get_entry(self._config, site, editorial.find_editable_entry(self._config, row, entry))

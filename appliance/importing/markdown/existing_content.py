"""What the database has of a source before it is imported: its entries, assets and described categories."""

from __future__ import annotations

from functools import cached_property

from appliance.content.models import Asset, Category, Site
from appliance.content.terms import category_path
from appliance.importing.existing_entries import ExistingEntry, assets_of_source, entries_of_source, read_rows


class ExistingContent:
    """The content of one source, by path in its folder, as it was when it was first asked for; see `load`."""

    def __init__(self, site: Site, source: str) -> None:
        self.site = site
        self.source = source

    def load(self) -> None:
        """Ask for all of it, before an import changes anything."""
        _ = self.entries, self.assets, self.sections

    @cached_property
    def entries(self) -> dict[str, ExistingEntry]:
        """The entries and pages."""
        return entries_of_source(self.site, self.source)

    @cached_property
    def assets(self) -> dict[str, Asset]:
        """The assets."""
        return assets_of_source(self.site, self.source)

    @cached_property
    def sections(self) -> dict[str, int]:
        """Ids of the categories that section files describe."""
        rows = Category.select(Category.source_path, Category.id)
        return dict(read_rows(rows.where(Category.site == self.site, Category.source == self.source)))

    def has(self, path: str) -> bool:
        """Whether an entry or an asset came from the file at `path`."""
        return path in self.entries or path in self.assets

    def category_id(self, name: str) -> int | None:
        """The id of a top category of the site, whatever its source."""
        row = Category.select(Category.id).where(Category.site == self.site, Category.path == category_path([name]))
        return next((key for (key,) in read_rows(row)), None)

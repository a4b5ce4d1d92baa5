"""The verbs for uploaded files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from appliance import editorial
from appliance.actor import current
from appliance.config import Config
from appliance.editorial import AssetFilter, AssetRow, EditResult
from appliance.paging import Page
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class AssetLike(Protocol):
    """What is printed of a file that was uploaded, moved or removed."""

    @property
    def path(self) -> str:
        """Its path below the site."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def width(self) -> int | None:
        """Its pixels; None where it is no picture."""

    @property
    def height(self) -> int | None:
        """Its pixels; None where it is no picture."""


class AssetVerbs(Protocol):
    """The verbs. See `editorial` for each; `site` may be empty where there is only one."""

    def upload_asset(self, site: str, file: str, path: str, *, entry: str | None) -> EditResult[AssetLike]:
        """Upload a file of this machine, in place of one that is there."""

    def list_assets(self, site: str, wanted: AssetFilter, *, size: int, after: str | None) -> Page[AssetRow]:
        """Read a page of files."""

    def move_asset(self, site: str, asset: str, path: str) -> EditResult[AssetLike]:
        """Move a file to another path."""

    def remove_assets(self, site: str, *assets: str) -> EditResult[Sequence[AssetLike]]:
        """Remove files: all of them or none."""


@contextmanager
def open_assets(*, later: bool = False) -> Iterator[AssetVerbs]:
    """Open the verbs for files, here or where --api says. Here edits are built at once, or `later` as elsewhere."""
    if address := api_mode.address():
        from appliance.api_client.assets import RemoteAssets
        from appliance.api_client.connection import connect

        with connect(address) as connection:
            yield RemoteAssets(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalAssets(config, later=later)


class _LocalAssets:
    """The verbs on this host."""

    def __init__(self, config: Config, *, later: bool) -> None:
        self.upload_asset = partial(editorial.upload_asset, config, actor=current(), later=later)
        self.move_asset = partial(editorial.move_asset, config, actor=current(), later=later)
        self.remove_assets = partial(editorial.remove_assets, config, actor=current(), later=later)
        self.list_assets = partial(editorial.list_assets, config, with_total=False)

"""The verbs for links to previews."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from appliance import previews
from appliance.config import Config
from appliance.paging import Page
from appliance.previews import PreviewLink
from appliance.tasks import api_mode
from appliance.tasks.command_line import open_installation


class PreviewVerbs(Protocol):
    """The verbs. See `previews` for each; `site` may be empty where there is only one."""

    def share(self, site: str, entry: str, *, days: int) -> tuple[str, PreviewLink]:
        """Make a link; returns its address, which cannot be read again, and the link."""

    def list_links(self, site: str, entry: str | None, *, size: int, after: str | None) -> Page[PreviewLink]:
        """Read a page of the links."""

    def revoke(self, site: str, link: int) -> PreviewLink:
        """Revoke a link at once."""


@contextmanager
def open_previews() -> Iterator[PreviewVerbs]:
    """Open the verbs for links to previews, here or where --api says."""
    if address := api_mode.address():
        from appliance.api_client.connection import connect
        from appliance.api_client.previews import RemotePreviews

        with connect(address) as connection:
            yield RemotePreviews(connection)
    else:
        with open_installation() as (config, _):
            yield _LocalPreviews(config)


class _LocalPreviews:
    """The verbs on this host."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.revoke = partial(previews.revoke, config)

    def share(self, site: str, entry: str, *, days: int) -> tuple[str, PreviewLink]:
        secret, link = previews.share(self._config, site, entry, days=days)
        return previews.link_url(self._config, secret), link

    def list_links(self, site: str, entry: str | None, *, size: int, after: str | None) -> Page[PreviewLink]:
        return previews.list_links(self._config, site, entry, size=size, after=after)

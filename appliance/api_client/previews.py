"""Links to previews of an installation elsewhere, by its API."""

from __future__ import annotations

from appliance.api_client.answers import decode, decode_page
from appliance.api_client.connection import Connection
from appliance.api_client.entries import RemoteEntries
from appliance.api_client.sites import site_path
from appliance.errors import ApiRefused, ContentError
from appliance.paging import Page
from appliance.previews import LONGEST_DAYS, PreviewLink


class RemotePreviews:
    """The verbs for links to previews. Workers build what they show."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def share(self, site: str, entry: str, *, days: int) -> tuple[str, PreviewLink]:
        """Make a link; returns its address, which cannot be read again, and the link."""
        if not 1 <= days <= LONGEST_DAYS:
            raise ContentError(f"A link is valid for 1 to {LONGEST_DAYS} days, not for {days}.")
        path = f"{site_path(self._connection, site)}/entries/{self._entry(site, entry)}/previews"
        made = self._connection.post(path, {"days": days}).value
        return str(made["url"]), decode(PreviewLink, made)

    def list_links(self, site: str, entry: str | None, *, size: int, after: str | None) -> Page[PreviewLink]:
        """Read a page of the links of a site, or of all sites if none is named, the newest first."""
        if not site and entry is None:
            return decode_page(PreviewLink, self._connection.get("/previews", size=size, after=after))
        number = None if entry is None else self._entry(site, entry)
        path = f"{site_path(self._connection, site)}/previews"
        return decode_page(PreviewLink, self._connection.get(path, entry=number, size=size, after=after))

    def revoke(self, site: str, link: int) -> PreviewLink:
        """Revoke a link at once, of any site if none is named."""
        if site:
            places = [site_path(self._connection, site)]
        else:
            places = [f"/sites/{row['name']}" for row in self._connection.get("/sites")["rows"]]
        for place in places if link > 0 else ():
            path = f"{place}/previews/{link}"
            try:
                self._connection.ask("DELETE", path)
            except ApiRefused as error:
                if error.status == 404:
                    continue
                raise
            return decode(PreviewLink, self._connection.get(path))
        where = f" on the site {site}" if site else ""
        raise ContentError(f"There is no link {link}{where}; previews.list lists them.")

    def _entry(self, site: str, reference: str) -> int:
        return RemoteEntries(self._connection).get_entry(site, reference).id

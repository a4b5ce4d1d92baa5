"""Sites of an installation elsewhere: the one that a command means, and their publication."""

from __future__ import annotations

from collections.abc import Sequence

from appliance.api_client.answers import decode
from appliance.api_client.connection import Connection
from appliance.editorial.site_publication import SitePublication
from appliance.errors import ApiRefused, ContentError


def site_path(connection: Connection, name: str) -> str:
    """Return the path of the named site or, without a name, of the only site on which the user has a role.

    Raises:
        ContentError: no site is named and there are several.
        ApiRefused: there is no such site.
    """
    try:
        known = [row["name"] for row in connection.get("/sites")["rows"]]
    except ApiRefused:
        if not name:
            raise
        return f"/sites/{name}"  # the token does not let us look, but may let us do what we are here for
    if not name and len(known) > 1:
        raise ContentError(f"There are several sites; choose one with --site: {', '.join(known)}.")
    if not known:
        raise ApiRefused("The user of this token has a role on no site.", kind="not-found", exit_code=1)
    if name and name not in known:
        raise ApiRefused(f"there is no site “{name}”; the sites are {', '.join(known)}", kind="not-found", exit_code=3)
    return f"/sites/{name or known[0]}"


class RemotePublication:
    """The verbs for having workers publish sites."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def site_names(self) -> Sequence[str]:
        """Return the names of the sites on which the user has a role."""
        return [row["name"] for row in self._connection.get("/sites")["rows"]]

    def request(self, site: str, *, rebuild: bool) -> float:
        """Have a worker publish a site; returns the time of the database before that."""
        path = f"{site_path(self._connection, site)}/publish"
        return float(self._connection.post(path, {"rebuild": rebuild}).value["since"])

    def read(self, site: str, since: float) -> SitePublication:
        """Tell how far a site is, and what failed since then."""
        return decode(SitePublication, self._connection.get(f"/sites/{site}/publication", since=since))

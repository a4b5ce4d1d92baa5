"""The site that a command means, when it is run from elsewhere."""

from __future__ import annotations

from appliance.api_client.connection import Connection
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

"""Previews that can be shared: links to an entry as it would be published now, for people who have no account.

A link is an address with a secret, valid for some days and revocable. A worker builds what it shows, into the database;
the application in `web.previews` answers with it under a host name of its own.

    share ─► preview_requests: a job ─► build_job: render, save ─► web.previews: a visit
"""

from appliance.previews.links import (
    DEFAULT_DAYS,
    LONGEST_DAYS,
    OpenPreview,
    PreviewLink,
    find,
    get_link,
    link_url,
    list_links,
    note_visit,
    revoke,
    share,
)

__all__ = [
    "DEFAULT_DAYS",
    "LONGEST_DAYS",
    "OpenPreview",
    "PreviewLink",
    "find",
    "get_link",
    "link_url",
    "list_links",
    "note_visit",
    "revoke",
    "share",
]

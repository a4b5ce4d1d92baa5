"""The permalink of an entry: the one page that is its address, though other archive maps may show it as well."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from appliance import db
from appliance.content.models import Site
from appliance.planning.paths import url_path

#: Joins the artifact `p` that is the permalink of the entry `e`, after JOIN or LEFT JOIN.
OF_ENTRY: Final = "artifact p ON p.type = e.kind AND p.subject = e.id AND p.is_permalink AND p.wanted"

_PATH: Final = "SELECT path FROM artifact WHERE type = ? AND subject = ? AND is_permalink AND wanted"

# Most paths need no quoting, and to find that out this way takes a tenth of the time that quoting them does.
_PLAIN: Final = re.compile("[a-zA-Z0-9_./-]*").fullmatch


def find_path(kind: str, subject: int | None, *, built: bool = False) -> str | None:
    """The path in the docroot of the permalink of an entry or term; None if it has none.

    Args:
        kind: the type of the artifact: `entry`, `page`, `category`, `tag` or `author`.
        subject: the id of what the page is about.
        built: whether the page must exist already.
    """
    row = db.execute(f"{_PATH} AND digest IS NOT NULL" if built else _PATH, [kind, subject]).fetchone()
    return None if row is None else str(row[0])


def page_url(site: Site, path: str | None) -> str:
    """The address of the page with this path in the docroot; of the site if there is no page."""
    return str(site.url) if path is None else url_of(path, site.folder, site.url)


def url_of(path: str, folder: str, root: str) -> str:
    """The URL of a path below the docroot, for a site in `folder` whose URLs begin with `root`."""
    below = path[len(folder) + 1 :] if folder else path
    path = url_path(below)
    return root + (path if _PLAIN(path) else quote(path, safe="/~!$&'()*+,;=:@"))

"""Sites and pages as the web process shows them: their titles, and paths on their host."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from appliance.config import Config
from appliance.content.models import Comment, Entry, Site
from appliance.db import rows
from appliance.errors import ConfigError
from appliance.intake.messages import SiteAnswer
from appliance.planning.permalinks import find_path, page_url

#: What is asked of an entry: all but its texts, which may be long.
_ENTRY: Final = """
SELECT id, site_id, kind, title, status, allow_comments, published_at FROM entry
WHERE id = ? AND site_id = ? AND status = 'published'
"""


class Missing(Exception):  # noqa: N818 - not a mistake of this program
    """There is no such site, or no such entry on it that readers can see."""


@dataclass(frozen=True, slots=True)
class EntryPage:
    """An entry that readers can see, and the path of its page on its host."""

    site: Site
    about: SiteAnswer
    entry: Entry
    path: str


def find_site(config: Config, name: str) -> Site:
    """The row of a site of the settings.

    Raises:
        Missing: there is no such site.
    """
    try:
        config.site(name)
    except ConfigError:
        raise Missing from None
    found = rows.select(Site, "SELECT * FROM site WHERE name = ?", [name])
    if not found:
        raise Missing
    return found[0]


def describe_site(site: Site) -> SiteAnswer:
    """How a site presents itself."""
    accent = json.loads(site.settings).get("accent", "")
    root = path_of(site.url)
    return SiteAnswer(
        name=site.name, title=site.title, url=site.url, root=root, language=site.language,
        accent=accent if isinstance(accent, str) else "",
    )  # fmt: skip


def find_page(config: Config, name: str, number: int) -> EntryPage:
    """A published entry whose page exists.

    Raises:
        Missing: there is no such site or entry, or readers cannot see it.
    """
    site = find_site(config, name)
    found = rows.select(Entry, _ENTRY, [number, site.id])
    entry = found[0] if found else None
    path = find_path(entry.kind, entry.id, built=True) if entry is not None else None
    if entry is None or path is None:
        raise Missing
    return EntryPage(site, describe_site(site), entry, path_of(page_url(site, path)))


def find_parent(entry: Entry, number: int | None) -> Comment | None:
    """The comment that is replied to; None if readers cannot see it on this entry."""
    if number is None:
        return None
    found: Comment | None = Comment.get_or_none(
        Comment.id == number, Comment.entry == entry, Comment.status == "approved"
    )
    return found


def path_of(url: str) -> str:
    """The path of a URL on its host, with its fragment."""
    parts = urlsplit(url)
    return parts._replace(scheme="", netloc="").geturl() or "/"

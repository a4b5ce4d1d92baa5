"""The path below the docroot that somebody means who writes a path, or the address of a page as a browser shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from appliance import db
from appliance.content.models import Site
from appliance.delivery import journal
from appliance.planning.paths import address_path, path_fault

#: Published paths that are named in place of one that is not.
_SIMILAR: Final = 8
_BEGINNING: Final = """
SELECT path FROM publication WHERE path >= ? AND path < ? AND op = 'put' AND latest ORDER BY path LIMIT ?
"""


def candidate_paths(path_or_url: str) -> list[str]:
    """The paths that a path or an address may stand for, the likeliest first; none that could not be published."""
    return [path for path in dict.fromkeys(_candidates(path_or_url)) if path and path_fault(path) is None]


def find_path(path_or_url: str) -> str | None:
    """The likeliest of these that was ever published; None if none was."""
    paths = candidate_paths(path_or_url)
    known = journal.read_latest(paths)
    return next((path for path in paths if path in known), None)


def similar_paths(path_or_url: str) -> list[str]:
    """Some published paths that begin like a path or an address that is not published."""
    start = next(iter(candidate_paths(path_or_url)), "").removesuffix("index.html").rstrip("/")
    while start:
        rows = db.execute(_BEGINNING, (start, f"{start}\U0010ffff", _SIMILAR))
        if found := [str(path) for (path,) in rows.fetchall()]:
            return found
        start = start.rpartition("/")[0]
    return []


def _candidates(path_or_url: str) -> Iterator[str]:
    plain = path_or_url.strip().partition("#")[0]
    if "://" not in plain:
        for below in (plain.strip("/"), plain.partition("?")[0].strip("/")):
            yield from (below, address_path(below), unquote(below), address_path(unquote(below)))
        return
    host = plain.partition("?")[0].partition("://")[2]
    for site in Site.select():
        start = site.url.partition("://")[2]
        if f"{host}/".startswith(start):
            below, folder = unquote(host[len(start) :]), f"{site.folder}/" if site.folder else ""
            yield from (folder + below.strip("/"), folder + address_path(below))
    yield plain

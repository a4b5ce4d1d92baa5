"""The paths that a theme may use one day, whatever is published there now.

The page of a month comes with its first entry, that of a tag with its first use. Guarantees that whoever may not
replace pages of the site takes none of them beforehand. The paths are stored with the plan, as regular expressions,
since the admin application sees no theme. Those of entries and pages are not among them: entries of one name are told
apart by numbers, so that none takes anything away from another.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from appliance import db
from appliance.content.models import Site
from appliance.planning.paths import Subject
from appliance.planning.sitemaps import sitemap_outputs
from appliance.planning.theme import Output, Theme

#: Fields whose values people choose. The path of any entry may match a pattern with one of these by chance.
_CHOSEN: Final = frozenset({"category", "author", "tag", "id"})
#: Suffixes of pictures that the theme may make smaller.
_PICTURES: Final = r"\.(?i:jpe?g|jpe|jfif|png|webp)"


class ReservedPath(NamedTuple):
    """Paths below a site that the theme may use."""

    #: What is there, in words.
    what: str
    #: A regular expression for the whole path.
    expression: str
    #: Whether such a path can be for nothing else, so that no name of an entry may lead there either.
    is_certain: bool = True
    #: Whether it is about uploads alone.
    binds_uploads_only: bool = False


def reserved_paths(theme: Theme) -> Iterator[ReservedPath]:
    """The paths that a theme may use for anything but entries and pages."""
    for output in theme.outputs:
        if output.build != "never" and output.type not in ("entry", "page"):
            yield from _listing_paths(output)
    for output in sitemap_outputs(theme):
        whole = PurePosixPath(output.first.path(Subject()))
        part = re.escape(whole.with_suffix("").as_posix()) + r"-[a-z-]+-\d+" + re.escape(whole.suffix)
        yield ReservedPath("a part of the sitemap", part)
    folder = theme.manifest.static.path.strip("/")
    if folder:
        yield ReservedPath("a file of the theme", f"{re.escape(folder)}(?:/.*)?")
    else:
        for name in theme.static_files:
            yield ReservedPath("a file of the theme", re.escape(name))
    if theme.manifest.thumbnails.widths:
        widths = "|".join(str(width) for width in sorted(theme.manifest.thumbnails.widths))
        yield ReservedPath("a smaller copy of a picture", f".*-(?:{widths})w{_PICTURES}", binds_uploads_only=True)


@functools.lru_cache(maxsize=8)
def _certain(theme: Theme) -> re.Pattern[str]:
    found = [one.expression for one in reserved_paths(theme) if one.is_certain and not one.binds_uploads_only]
    return re.compile("|".join(f"(?:{one})" for one in found) or r"\Z.")


@functools.lru_cache(maxsize=8)
def unreported(theme: Theme) -> re.Pattern[str]:
    """The paths below a site where nobody is told that the theme has something, when an author's page is there."""
    outputs = (output for output in theme.outputs if output.type == "index" and output.build != "never")
    found = [one.expression for output in outputs for one in _listing_paths(output)]
    folder = theme.manifest.static.path
    found += [re.escape(f"{folder}/{name}".lstrip("/")) for name in theme.static_files]
    return re.compile("|".join(f"(?:{one})" for one in found) or r"\Z.")


def is_certain(theme: Theme, path: str) -> bool:
    """Whether a path below a site can be for nothing but what the theme makes: a month, a year, the home page."""
    return _certain(theme).fullmatch(path) is not None


def _listing_paths(output: Output) -> Iterator[ReservedPath]:
    is_certain = not output.first.fields & _CHOSEN
    what = "a page of the theme" if output.type == "index" else f"a {output.type} archive"
    yield ReservedPath(what, output.first.expression, is_certain)
    if output.per_page:
        further = output.first.folder_expression + output.further.expression
        yield ReservedPath(f"a further page of {what}", further, is_certain)


def store(site: Site, theme: Theme) -> None:
    """Store the paths that the theme of a site may use, beside its last plan."""
    text = json.dumps(list(reserved_paths(theme)), ensure_ascii=False)
    db.execute("UPDATE planned SET reserved = ? WHERE site_id = ?", [text, site.id])


def stored(site: Site) -> list[ReservedPath]:
    """The paths that were stored with the last plan of a site; none before the first."""
    row = db.execute("SELECT reserved FROM planned WHERE site_id = ?", [site.id]).fetchone()
    return [ReservedPath(*values) for values in json.loads((row and row[0]) or "[]")]


def find_reserved(reserved: list[ReservedPath], path: str) -> ReservedPath | None:
    """What the theme may need at a path below the site, or in the place of one of its folders; None if nothing."""
    places = [path, *(str(above) for above in PurePosixPath(path).parents if str(above) != ".")]
    return next((one for one in reserved if any(re.fullmatch(one.expression, place) for place in places)), None)

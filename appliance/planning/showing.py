"""Which artifacts may show what readers say: those whose templates speak of comments.

A theme's author declares nothing: a template is read with all it extends, includes and imports, and one that
nowhere has the word “comment” cannot show any, nor how many there are. Where a template is named by an expression,
anything may be shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from appliance import db
from appliance.content.models import Site
from appliance.planning.theme import Theme

#: Types that never show an entry.
_FILES = "'static', 'asset', 'thumbnail', 'redirect', 'sitemap'"

# A name alone; followed by anything but the words that may stand after it, it is part of an expression.
_REFERENCE = re.compile(
    r"\{%[-+]?\s*(?:extends|include|import|from)\b\s*"
    r"(?:([\"'])(?P<name>[^\"']+)\1(?=\s*[-+]?%\}|\s+(?:ignore|with|without|import|as)\b))?"
)


@dataclass(frozen=True)
class Speaking:
    """Templates that speak of comments: of the entries they list, and of any entry of the site (`site.recent`)."""

    of_listed: frozenset[str]
    of_any: frozenset[str]


@lru_cache(maxsize=16)
def speaking(theme: Theme) -> Speaking:
    """The templates of `theme` that speak of comments; a theme is read once, as it was when it was loaded."""
    listed, any_entry = set(), set()
    for name in {output.template for output in theme.outputs}:
        text = _whole(theme, name)
        if text is None or "comment" in text:
            listed.add(name)
            if text is None or "recent" in text:
                any_entry.add(name)
    return Speaking(frozenset(listed), frozenset(any_entry))


def _whole(theme: Theme, name: str) -> str | None:
    """The text of a template and all it names; None when it names one that cannot be told beforehand."""
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        try:
            found[current] = (theme.folder / current).read_text("utf-8").lower()
        except (OSError, UnicodeDecodeError):
            return None
        for reference in _REFERENCE.finditer((theme.folder / current).read_text("utf-8")):
            if reference["name"] is None:
                return None
            if reference["name"] not in found:
                waiting.append(reference["name"])
    return "\n".join(found.values())


def condition(site: Site, theme: Theme, entries: Sequence[int]) -> tuple[str, list[object]]:
    """SQL that holds for the artifacts `a` which may show comments of these entries, and its values.

    An index template shows an entry on one page of it, which follows from how many entries are newer.
    """
    templates = speaking(theme)
    ours, listed, any_entry = (_among(names) for names in (entries, templates.of_listed, templates.of_any))
    pages = sorted(set(_newer(site, entries)))
    on_page = " OR ".join(["a.per_page = 0", *(["a.page = ? / a.per_page + 1"] * len(pages))])
    where = f"""(
        (a.type IN ('entry', 'page') AND a.subject IN ({ours[0]}))
     OR a.template IN ({any_entry[0]}) AND a.type NOT IN ({_FILES})
     OR a.template IN ({listed[0]}) AND a.type NOT IN ('entry', 'page', 'index', {_FILES})
     OR a.template IN ({listed[0]}) AND a.type = 'index' AND ({on_page}))"""
    return where, [*ours[1], *any_entry[1], *listed[1], *listed[1], *pages]


def _among(values: Sequence[object] | frozenset[str]) -> tuple[str, list[object]]:
    listed = sorted(values, key=str)
    return db.marks(len(listed)) if listed else "NULL", listed


def _newer(site: Site, entries: Sequence[int]) -> list[int]:
    """How many entries of the site are newer than each of these."""
    if not entries:
        return []
    rows = db.execute(
        f"""SELECT (SELECT COUNT(*) FROM entry n
                    WHERE n.site_id = e.site_id AND n.kind = 'entry' AND n.status = 'published'
                      AND (n.published_at, n.id) > (e.published_at, e.id))
            FROM entry e WHERE e.site_id = ? AND e.kind = 'entry' AND e.id IN ({db.marks(len(entries))})""",
        [site.id, *entries],
    ).fetchall()
    return [int(row[0]) for row in rows]

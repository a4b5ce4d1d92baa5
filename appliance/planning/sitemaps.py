"""The parts of a sitemap: one for each type of page and block of its subjects' ids, once a site has many pages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from appliance import db
from appliance.content.models import Site
from appliance.planning.archives import Row
from appliance.planning.paths import Subject
from appliance.planning.theme import IndexTemplate, Output, Theme

#: Entries and pages a site has at most while its sitemap is one file; and ids a part covers. The protocol allows
#: 50,000 addresses a file; smaller parts are sooner written again.
BLOCK: Final = 1000

#: The artifacts `a` whose addresses sitemaps list.
LISTED: Final = """a.wanted AND a.is_permalink AND a.type <> 'asset' AND a.path LIKE '%.html'
  AND NOT (a.type = 'index' AND a.path LIKE '%404.html')"""


def outputs(theme: Theme) -> list[Output]:
    """The index templates of a theme that are sitemaps."""
    return [o for o in theme.outputs if isinstance(o.source, IndexTemplate) and o.source.sitemap]


def is_split(site: Site) -> bool:
    """Whether the site has so many entries and pages that its sitemap is in parts."""
    row = db.execute(
        f"""SELECT COUNT(*) FROM (SELECT 1 FROM entry WHERE site_id = ? AND kind IN ('entry', 'page')
            AND status = 'published' LIMIT {BLOCK + 1}) AS counted""",
        [site.id],
    ).fetchone()
    return int(row[0]) > BLOCK


def parts(site: Site, theme: Theme) -> Iterator[Row]:
    """The parts that the artifacts of the site need now; none while one file holds all."""
    if not outputs(theme) or not is_split(site):
        return
    blocks = db.execute(
        f"SELECT DISTINCT a.type, COALESCE(a.subject, 0) / {BLOCK} FROM artifact a WHERE a.site_id = ? AND {LISTED}",
        [site.id],
    ).fetchall()
    yield from (row for kind, block in sorted(blocks) for row in part(site, theme, kind, block))


def part(site: Site, theme: Theme, kind: str, block: int) -> Iterator[Row]:
    """The files of one part, one for each sitemap of the theme."""
    prefix = f"{site.folder}/" if site.folder else ""
    for output in outputs(theme):
        whole = PurePosixPath(output.first.path(Subject()))
        path = whole.with_name(f"{whole.stem}-{kind}-{block + 1}{whole.suffix}").as_posix()
        made = ("sitemap", output.template, None, kind, block + 1, BLOCK, False)
        yield Row(prefix + path, *made, output.priority, output.every, output.build)

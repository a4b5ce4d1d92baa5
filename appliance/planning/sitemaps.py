"""The parts of a sitemap. A site with many pages has one part for each type of page and block of subject ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Final

from appliance import db
from appliance.content.models import Site
from appliance.planning.archives import ArtifactSpec, path_prefix
from appliance.planning.changeset import ChangeSet
from appliance.planning.manifest import IndexTemplate
from appliance.planning.paths import Subject
from appliance.planning.theme import Output, Theme

#: The number of entries and pages above which a sitemap is split, and the number of ids that each part covers. The
#: protocol allows 50,000 addresses in a file, but a smaller part is faster to rebuild.
BLOCK_SIZE: Final = 1000

#: Selects the artifacts `a` that sitemaps list.
IS_LISTED: Final = """a.wanted AND a.is_permalink AND a.type <> 'asset' AND a.path LIKE '%.html'
  AND NOT (a.type = 'index' AND a.path LIKE '%404.html')"""


def sitemap_outputs(theme: Theme) -> list[Output]:
    """The index templates of a theme that are sitemaps."""
    return [o for o in theme.outputs if isinstance(o.source, IndexTemplate) and o.source.sitemap]


def is_split(site: Site) -> bool:
    """Whether the site has so many entries and pages that its sitemap is split."""
    row = db.execute(
        f"""SELECT COUNT(*) FROM (SELECT 1 FROM entry WHERE site_id = ? AND kind IN ('entry', 'page')
            AND status = 'published' LIMIT {BLOCK_SIZE + 1}) AS counted""",
        [site.id],
    ).fetchone()
    return int(row[0]) > BLOCK_SIZE


def sitemap_parts(site: Site, theme: Theme) -> Iterator[ArtifactSpec]:
    """The sitemap parts that the artifacts of the site need; none while the sitemap is not split."""
    if not sitemap_outputs(theme) or not is_split(site):
        return
    blocks = db.execute(
        f"""SELECT DISTINCT a.type, COALESCE(a.subject, 0) / {BLOCK_SIZE} FROM artifact a
            WHERE a.site_id = ? AND {IS_LISTED}""",
        [site.id],
    ).fetchall()
    yield from (row for kind, block in sorted(blocks) for row in part_artifacts(site, theme, kind, block))


def has_pages(site: Site, kind: str, block: int) -> bool:
    """Whether a part would list any page."""
    first = block * BLOCK_SIZE
    found = f"SELECT 1 FROM artifact a WHERE a.type = ? AND +a.site_id = ? AND {IS_LISTED}"
    row = db.execute(
        f"{found} AND a.subject >= ? AND a.subject < ? LIMIT 1", [kind, site.id, first, first + BLOCK_SIZE]
    ).fetchone()
    if row is None and block == 0:
        row = db.execute(f"{found} AND a.subject IS NULL LIMIT 1", [kind, site.id]).fetchone()
    return row is not None


def part_artifacts(site: Site, theme: Theme, kind: str, block: int) -> Iterator[ArtifactSpec]:
    """The artifacts of one part: one for each sitemap of the theme."""
    prefix = path_prefix(site)
    for output in sitemap_outputs(theme):
        whole = PurePosixPath(output.first.path(Subject()))
        path = whole.with_name(f"{whole.stem}-{kind}-{block + 1}{whole.suffix}").as_posix()
        made = ("sitemap", output.template, None, kind, block + 1, BLOCK_SIZE, False)
        yield ArtifactSpec(prefix + path, *made, output.priority, output.every, output.build)


def blocks_of(entries: Iterable[int]) -> set[tuple[str, int]]:
    """(type, block) of the sitemap parts that these entries may be in."""
    return {(kind, entry // BLOCK_SIZE) for entry in entries for kind in ("entry", "page")}


def changed_blocks(
    site: Site, number: int, changeset: ChangeSet, displaced: Iterable[tuple[str, int | None]]
) -> set[tuple[str, int]]:
    """(type, block) of the sitemap parts in which a page came, went, moved or was modified."""
    rows = db.execute(
        f"""SELECT DISTINCT type, COALESCE(subject, 0) / {BLOCK_SIZE} FROM artifact
            WHERE site_id = ? AND marked = ? AND is_permalink AND type <> 'asset'""",
        [site.id, number],
    ).fetchall()
    entries = blocks_of(changeset.entries)
    gone = {(kind, (subject or 0) // BLOCK_SIZE) for kind, subject in displaced if kind != "asset"}
    return {(kind, block) for kind, block in rows} | gone | (set() if changeset.only_comments else entries)

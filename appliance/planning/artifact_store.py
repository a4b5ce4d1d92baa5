"""Writes artifacts to the database and decides which one gets a path that several want.

Guarantees that no two artifacts share a path, and that the content alone decides who gets it. In order: the site with
the nearest folder before a site above it, what an author made before what the theme makes, an uploaded file before a
page, a page with an explicit address before one whose path comes from its name. Between two names, the one that has the
path keeps it, and `planning.path_claims` gives the other a number. What was put at its path by somebody who may not
replace pages of the site gives way to what the theme makes there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from appliance import db
from appliance.content.models import Site
from appliance.planning.archives import ArtifactSpec, path_prefix
from appliance.planning.paths import path_fault
from appliance.planning.steps import ROWS, Steps

CHUNK: Final = ROWS

# A plus before a column keeps the database from choosing its index, which would read the whole site.

#: Types of artifacts that authors make. What the theme makes gives way to them at every path, unless they give way.
AUTHORED_TYPES: Final = ("asset", "entry", "page")
_FILES: Final = ("static", "thumbnail")

_IS_AUTHORS = "{0}.type IN ('asset', 'entry', 'page')"
_IS_THEMES = "{0}.type NOT IN ('asset', 'entry', 'page', 'redirect')"
_DIFFERS = " OR ".join(
    [f"artifact.{c} <> excluded.{c}" for c in ("site_id", "type", "template", "period", "page", "per_page")]
    + ["artifact.subject IS DISTINCT FROM excluded.subject", "artifact.is_permalink <> excluded.is_permalink"]
    + ["artifact.from_oldest <> excluded.from_oldest"]
    + ["NOT artifact.wanted"]
)
_COLUMNS = ArtifactSpec._fields[1:]
#: Whether an artifact, under a name in the query, gives way to what the theme makes.
GIVES_WAY: Final = """CASE WHEN {0}.type = 'asset' THEN EXISTS
        (SELECT 1 FROM asset yielding WHERE yielding.id = {0}.subject AND yielding.gives_way)
    WHEN {0}.type IN ('entry', 'page') THEN EXISTS
        (SELECT 1 FROM entry yielding WHERE yielding.id = {0}.subject AND yielding.gives_way)
    ELSE false END"""
#: Holds for a path that the last plan gave to a page or an upload, which may still want it: it is claimed later.
_KEPT = f"""
artifact.wanted AND {_IS_AUTHORS.format("artifact")} AND (
    NOT {_IS_AUTHORS.format("excluded")} AND NOT {GIVES_WAY.format("artifact")}
    OR {_IS_AUTHORS.format("excluded")}
    AND artifact.type <> 'asset' AND excluded.type <> 'asset' AND artifact.subject <> excluded.subject)
"""
# Each site numbers its own plans and has its own dependency sets.
_OF_THE_SITE = ", ".join(
    f"{c} = CASE WHEN artifact.site_id = excluded.site_id THEN artifact.{c} ELSE {other} END"
    for c, other in (
        *(("built", "0"), ("recipe", "NULL")),
        *(("shown", "NULL"), ("reads", "NULL"), ("counted", "NULL")),
    )
)
_UPSERT = f"""
INSERT INTO artifact (site_id, path, {", ".join(_COLUMNS)}, wanted, plan, marked, built, version)
VALUES %s
ON CONFLICT (path) DO UPDATE SET
    site_id = excluded.site_id, {", ".join(f"{c} = excluded.{c}" for c in _COLUMNS)},
    wanted = true, plan = excluded.plan, marked = CASE WHEN {_DIFFERS} THEN excluded.marked ELSE artifact.marked END,
    {_OF_THE_SITE}
WHERE (artifact.site_id = excluded.site_id AND artifact.plan <> excluded.plan %s)
   OR (artifact.site_id = excluded.site_id AND artifact.plan = excluded.plan
       AND {_IS_THEMES.format("artifact")} AND {_IS_AUTHORS.format("excluded")}
       AND NOT {GIVES_WAY.format("excluded")})
   OR (artifact.site_id <> excluded.site_id AND (NOT artifact.wanted OR artifact.site_id IN (%s)))
RETURNING path
"""
_ONE = "(" + ", ".join(["?"] * (2 + len(_COLUMNS)) + ["true", "?", "?", "0", "0"]) + ")"


class ArtifactStore:
    """Writes the artifacts of one site during one plan."""

    def __init__(self, site: Site, number: int, steps: Steps | None = None) -> None:
        self.site = site
        self.steps = steps or Steps()
        self.number = number
        #: One sentence for each artifact that has no path it can be published at.
        self.faults: list[str] = []
        #: (type, subject) of artifacts that lost their path to another one. No row records that afterwards.
        self.displaced: set[tuple[str, int | None]] = set()
        #: What the theme would make at paths that this plan then gave to an author.
        self.outdone: list[ArtifactSpec] = []
        self._above = _sites_above(site)

    def put(self, specs: Iterable[ArtifactSpec], *, may_displace: bool = True) -> list[ArtifactSpec]:
        """Write artifacts; return those that did not get their path.

        Unless `may_displace`, none takes a path that the last plan gave to another page or upload.
        """
        waiting, lost = iter(specs), list[ArtifactSpec]()
        while chunk := list(islice(waiting, CHUNK)):
            with self.steps.write():
                lost += self._put(chunk, may_displace)
        return lost

    def _put(self, chunk: Sequence[ArtifactSpec], may_displace: bool) -> list[ArtifactSpec]:
        specs: dict[str, ArtifactSpec] = {}
        lost: list[ArtifactSpec] = []
        for spec in chunk:
            fault = path_fault(spec.path)
            holder = specs.get(spec.path)
            if fault:
                what = f"{describe(spec)} would be published as “{spec.path}”, but {fault}"
                self.faults.append(f"{what}; change its address or slug")
            elif holder is None:
                specs[spec.path] = spec
            elif holder.type in _FILES and spec.type in AUTHORED_TYPES:
                specs[spec.path] = spec
                lost.append(holder)
            else:
                lost.append(spec)
        taken = self.upsert(list(specs.values()), may_displace=may_displace) if specs else set()
        return lost + [spec for path, spec in specs.items() if path not in taken]

    def upsert(self, specs: Sequence[ArtifactSpec], *, may_displace: bool = True) -> set[str]:
        """Write artifacts that have distinct paths; return the paths they got."""
        before = self._addresses_at([spec.path for spec in specs])
        outdone = self._themes_at([spec.path for spec in specs if spec.type in AUTHORED_TYPES])
        values = [value for spec in specs for value in (self.site.id, *spec, self.number, self.number)]
        above = ", ".join(str(site) for site in self._above) or "NULL"
        sql = _UPSERT % (", ".join([_ONE] * len(specs)), "" if may_displace else f"AND NOT ({_KEPT})", above)
        taken = {path for (path,) in db.execute(sql, values).fetchall()}
        now = {spec.path: (spec.type, spec.subject) for spec in specs if spec.path in taken}
        displaced = {before[path] for path, owner in now.items() if before.get(path, owner) != owner}
        if displaced - self.displaced:
            self.displaced |= displaced
            self.steps.note_displaced()
        self.outdone += [spec for spec in outdone if spec.path in taken]
        return taken

    def _themes_at(self, paths: Sequence[str]) -> list[ArtifactSpec]:
        """What the theme makes at these paths in this plan."""
        if not paths:
            return []
        rows = db.execute(
            f"""SELECT {", ".join(ArtifactSpec._fields)} FROM artifact WHERE path IN ({db.placeholders(len(paths))})
                AND +site_id = ? AND plan = ? AND {_IS_THEMES.format("artifact")}""",
            [*paths, self.site.id, self.number],
        )
        return [ArtifactSpec(*row) for row in rows.fetchall()]

    def _addresses_at(self, paths: Sequence[str]) -> dict[str, tuple[str, int | None]]:
        """(type, subject) of the permalinks that are at these paths, or were until this plan."""
        rows = db.execute(
            f"""SELECT path, type, subject FROM artifact WHERE path IN ({db.placeholders(len(paths))})
                AND +site_id = ? AND is_permalink AND (wanted OR marked = ?)""",
            [*paths, self.site.id, self.number],
        )
        return {path: (kind, subject) for path, kind, subject in rows.fetchall()}

    def count_overlaps(self) -> dict[int, int]:
        """How many wanted artifacts each site above has at or below the folder of this one, by site id."""
        if not self._above:
            return {}
        folder = path_prefix(self.site)
        rows = db.execute(
            f"""SELECT site_id, COUNT(*) FROM artifact WHERE wanted AND path >= ? AND path < ?
                AND site_id IN ({", ".join(str(site) for site in self._above)}) GROUP BY site_id""",
            [folder, f"{folder[:-1]}0"],
        )
        return dict(rows.fetchall())


def _sites_above(site: Site) -> list[int]:
    """Ids of the sites whose folders contain the folder of this one."""
    folders = {folder.rstrip("/") for folder in _folders(site.folder)}
    rows = db.execute("SELECT id, folder FROM site WHERE id <> ?", [site.id]).fetchall()
    return sorted(key for key, folder in rows if folder in folders)


def _folders(folder: str) -> Iterator[str]:
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder


_NAMES = {
    "entry": "SELECT title, source_path FROM entry WHERE id = ?",
    "page": "SELECT title, source_path FROM entry WHERE id = ?",
    "asset": "SELECT path, source_path FROM asset WHERE id = ?",
    "thumbnail": "SELECT path, source_path FROM asset WHERE id = ?",
    "redirect": "SELECT path, NULL FROM alias WHERE id = ?",
    "category": "SELECT path, NULL FROM category WHERE id = ?",
    "author": "SELECT name, NULL FROM author WHERE id = ?",
    "tag": "SELECT name, NULL FROM tag WHERE id = ?",
}


def describe(spec: ArtifactSpec) -> str:
    """An artifact in words that people know it by."""
    query = _NAMES.get(spec.type.partition("-")[0])
    found = db.execute(query, [spec.subject]).fetchone() if query and spec.subject is not None else None
    if found is None:
        return f"the {spec.type} {spec.period or spec.template}".strip()
    return f"the {spec.type} “{found[0]}”" + (f" ({found[1]})" if found[1] else "")


def conflict_message(spec: ArtifactSpec, holder: ArtifactSpec) -> str:
    """Why an artifact is left out: another one is published at its path."""
    return (
        f"{describe(spec)} and {describe(holder)} would both be published as “{spec.path}”;"
        f" the latter is, change the address or slug of one of them"
    )


def artifact_at(path: str) -> ArtifactSpec:
    """The artifact that has a path."""
    columns = ", ".join(ArtifactSpec._fields)
    return ArtifactSpec(*db.execute(f"SELECT {columns} FROM artifact WHERE path = ?", [path]).fetchone())

"""Claims of entry pages to their paths, and the numbers that tell apart entries of the same name.

Several artifacts may claim one path; `planning.artifact_store` decides which one gets it. Among entries whose paths
come from their names, the one that has a path keeps it and the others get the next free number. Guarantees that a
number stays: it is stored with its entry, so that no edit, no new import of the same files, no rebuild from nothing and
no deletion of the other entry changes an address that was given once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, count, islice
from typing import Final
from zoneinfo import ZoneInfo

from appliance import clock, db
from appliance.content.models import Site
from appliance.planning import reserved_paths
from appliance.planning.archives import (
    ArtifactSpec,
    alias_redirects,
    file_artifacts,
    listing_artifacts,
    path_prefix,
    rows_in_chunks,
    yielding_uploads,
)
from appliance.planning.artifact_store import CHUNK, ArtifactStore, artifact_at, conflict_message, describe
from appliance.planning.changeset import Scope
from appliance.planning.paths import Subject, address_path, path_fault
from appliance.planning.theme import Output, Theme

#: The number of the second entry of a name. One that gives way has a number from the start where the theme has pages.
FIRST_NUMBER: Final = 2


@dataclass(frozen=True, slots=True)
class PathClaim:
    """The page of an entry, and the path it takes when its first choice is taken.

    `base_path` is its path below the site without a number. `with_number` returns its spec with a number; it is None
    when the author chose the path, or when no name is part of it.
    """

    spec: ArtifactSpec
    base_path: str
    with_number: Callable[[int], ArtifactSpec] | None


def wanted_artifacts(site: Site, theme: Theme, scope: Scope | None = None) -> Iterator[ArtifactSpec]:
    """All artifacts of a site under a theme, or those of a scope. Several of them may have the same path.

    Files come first, so that a page never appears before its pictures. Parts of sitemaps and redirects from former
    addresses are not included, since they depend on the other artifacts.
    """
    yield from file_artifacts(site, theme, scope)
    yield from yielding_uploads(site, scope)
    for claim in chain(fixed_claims(site, theme, scope), named_claims(site, theme, scope)):
        yield claim.spec
    yield from listing_artifacts(site, theme, scope)
    yield from alias_redirects(site, theme, scope)


def fixed_claims(site: Site, theme: Theme, scope: Scope | None = None) -> Iterator[PathClaim]:
    """Claims of entry pages with a fixed path: an explicit address, or a pattern without a name."""
    for output in _entry_maps(theme):
        if not _is_numberable(output):
            yield from _entry_claims(site, theme, output, scope, "")
        elif output.preferred:
            yield from _entry_claims(site, theme, output, scope, "AND e.address IS NOT NULL")


def named_claims(site: Site, theme: Theme, scope: Scope | None = None) -> Iterator[PathClaim]:
    """Claims of entry pages whose path contains a name, to which a number can be added."""
    for output in _entry_maps(theme):
        if _is_numberable(output):
            among = "AND e.address IS NULL" if output.preferred else ""
            yield from _entry_claims(site, theme, output, scope, among)


_ENTRIES = """
SELECT e.id, e.slug, e.address, e.folder, e.published_at,
       (SELECT c.path FROM entry_category m JOIN category c ON c.id = m.category_id
        WHERE m.entry_id = e.id AND m.is_primary LIMIT 1),
       (SELECT a.slug FROM entry_author m JOIN author a ON a.id = m.author_id
        WHERE m.entry_id = e.id ORDER BY m.position LIMIT 1),
       e.numbers, e.gives_way
FROM entry e
WHERE e.site_id = ? AND e.kind = ? AND e.status = 'published' AMONG %s AND e.id > ? ORDER BY e.id LIMIT ?
"""


def _entry_maps(theme: Theme) -> Iterator[Output]:
    return (o for o in theme.outputs if o.type in ("entry", "page") and o.build != "never")


def address_fields(theme: Theme) -> set[str]:
    """The fields of the paths of entries and pages, such as `category` and `slug`."""
    return {name for output in _entry_maps(theme) for name in output.first.fields}


def _is_numberable(output: Output) -> bool:
    return bool(output.first.fields & {"slug", "file", "file_stem"})


def _entry_claims(site: Site, theme: Theme, output: Output, scope: Scope | None, among: str) -> Iterator[PathClaim]:
    zone, prefix, numberable = ZoneInfo(site.timezone), path_prefix(site), _is_numberable(output)
    sql = _ENTRIES.replace("AMONG", among)
    found = rows_in_chunks(sql, [site.id, output.type], "e.id", scope.entries if scope else None)
    for entry_id, slug, address, folder, moment, category, author, numbers, gives_way in found:
        made = (output.type, output.template, entry_id, "", 1, 0, output.preferred)
        how = (output.priority, output.every, output.build)
        if address is not None and output.preferred:
            path = address_path(address)
            yield PathClaim(ArtifactSpec(prefix + path, *made, *how), path, None)
            continue
        subject = Subject(
            moment=clock.to_datetime(moment, zone),
            id=entry_id,
            slug=slug,
            folder=folder,
            category=category or "",
            author=author or "",
            named=True,
        )
        plain = output.first.path(subject)

        row = ArtifactSpec(prefix + plain, *made, *how)
        numbered = partial(_numbered_spec, row, prefix, output, subject) if numberable else None
        number = json.loads(numbers).get(plain) if numbers else None
        if number is None and gives_way and reserved_paths.is_certain(theme, plain):
            number = FIRST_NUMBER
        yield PathClaim(numbered(number) if numbered and number else row, plain, numbered)


def _numbered_spec(row: ArtifactSpec, prefix: str, output: Output, subject: Subject, number: int) -> ArtifactSpec:
    """The page of an entry, with its name followed by a number."""
    path = output.first.path(replace(subject, slug=f"{subject.slug}-{number}"))
    return row._replace(path=prefix + path)


@dataclass
class NumberedPaths:
    """Stores the pages of entries whose paths contain a name, and numbers those whose path is taken."""

    store: ArtifactStore
    #: One sentence for each number that was given.
    notes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    #: The first number that may be free, by path.
    _next: dict[str, int] = field(default_factory=dict)

    def put(self, claims: Iterable[PathClaim]) -> None:
        """Store all pages; give a number to each one whose path belongs to another."""
        remaining, lost = iter(claims), list[PathClaim]()
        while chunk := list(islice(remaining, CHUNK)):
            lost += self._put_or_return(chunk, may_displace=False)
        # First those that had the path before, then the others in their order.
        lost = [claim for claim in lost if self._put_or_return([claim], may_displace=False)]
        for claim in lost:
            if self._put_or_return([claim], may_displace=True):
                with self.store.steps.write():
                    self._number(claim)

    def _put_or_return(self, claims: list[PathClaim], *, may_displace: bool) -> list[PathClaim]:
        lost = {id(spec) for spec in self.store.put([claim.spec for claim in claims], may_displace=may_displace)}
        return [claim for claim in claims if id(claim.spec) in lost]

    def _number(self, claim: PathClaim) -> None:
        spec, holder = claim.spec, artifact_at(claim.spec.path)
        if claim.with_number is None or (holder.type in ("entry", "page") and holder.subject == spec.subject):
            self.faults.append(conflict_message(spec, holder))
            return
        for number in count(self._next.get(claim.base_path, FIRST_NUMBER)):
            numbered = claim.with_number(number)
            if path_fault(numbered.path):  # no room for a number
                self.faults.append(conflict_message(spec, holder))
                return
            if numbered.path != spec.path and self.store.upsert([numbered]):
                self._next[claim.base_path] = number + 1
                self._keep(claim, number)
                self.notes.append(_number_note(numbered, spec, holder))
                return

    def _keep(self, claim: PathClaim, number: int) -> None:
        entry = claim.spec.subject
        (kept,) = db.execute("SELECT numbers FROM entry WHERE id = ?", [entry]).fetchone()
        numbers = {**json.loads(kept or "{}"), claim.base_path: number}
        db.execute("UPDATE entry SET numbers = ? WHERE id = ?", [json.dumps(numbers, sort_keys=True), entry])


def _number_note(numbered: ArtifactSpec, spec: ArtifactSpec, holder: ArtifactSpec) -> str:
    return f"{describe(spec)} is published as “{numbered.path}”, since {describe(holder)} is at “{spec.path}”"

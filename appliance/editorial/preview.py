"""Preview an entry: render it as if it were published now, into a folder that is not public.

The entry is published, planned and rendered in a transaction that is rolled back and that nobody waits for, so nothing
outside the folder changes. Only the pages that show the entry are rendered, so the number of pages does not grow with
the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin
from zoneinfo import ZoneInfo

from appliance import db, publishing
from appliance.building.builder import Builder, BuildResult
from appliance.building.docroot import File
from appliance.building.loaders import ArtifactRow, SiteContext, find_artifacts
from appliance.config import Config
from appliance.content import entry_edits
from appliance.content.aspects import EVERYTHING
from appliance.content.models import Entry, Site
from appliance.content.sites import find_site
from appliance.editorial.lookup import find_entry
from appliance.editorial.preview_folder import PreviewFolder
from appliance.errors import ContentError
from appliance.planning import trial_plan
from appliance.planning.archives import path_prefix, split_type
from appliance.planning.changeset import ChangeSet
from appliance.planning.listings import ListingQuery, listing_page
from appliance.planning.page_boundaries import Key, PagedListing, page_with
from appliance.planning.theme import Theme

_ADDRESS: Final = re.compile(rb"""\b(?:src|href|poster|srcset)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_IS_FILE: Final = "type IN ('static', 'asset', 'thumbnail')"


def preview_entry(config: Config, site: str, entry: Entry | int | str, folder: Path | None = None) -> list[str]:
    """Render an entry as if it were published now, with the listings and neighbouring entries that would show it.

    Args:
        config: the settings of the opened installation.
        site: the name of the site. It may be empty if there is only one.
        entry: a draft or any other entry, by id, slug or address.
        folder: the folder for the files, by default `preview` next to the settings file. The files of an earlier
            preview are removed from it.

    Returns:
        The paths of the files below the folder. The page of the entry comes first. The folder is meant to be served
        as the root of a host.

    Raises:
        ContentError: the entry does not exist or cannot be published, or the folder is used for something else.
        ThemeError, BuildError: the entry cannot be rendered.
    """
    row = find_site(config, site)
    found = find_entry(row, entry)
    theme = publishing.load_themes(config, [row.name])[row.name]
    target = PreviewFolder.prepare(config, theme, folder)
    return target.write(render_preview(config, row, found).files)


@dataclass(frozen=True, slots=True)
class RenderedPreview:
    """The files that show an entry as if it were published now."""

    #: The contents by path below the root of the host; the page of the entry comes first.
    files: Mapping[str, bytes | File]

    @property
    def page(self) -> str:
        """The path of the page of the entry."""
        return next(iter(self.files))


def render_preview(config: Config, site: Site, entry: Entry) -> RenderedPreview:
    """Render an entry and the pages that would show it. Not inside a transaction.

    However long it takes, nobody waits for it: on SQLite it writes to private copies of the tables, on PostgreSQL it
    locks only the rows of the entry and of its artifacts.

    Raises:
        ContentError: the entry cannot be published.
        ThemeError, BuildError: it cannot be rendered.
    """
    theme = publishing.load_themes(config, [site.name])[site.name]
    context, builder = SiteContext.of(site, theme), Builder(config)
    try:
        with db.scratch(_written_tables(site)):
            pages = _PreviewPages(context, builder, _publish_and_plan(site, theme, entry)).render()
            files = builder.load(find_artifacts(_referenced_files(context, pages)).values())
        contents = {path: build().content for path, build in files.items()}
    finally:
        builder.close()
    return RenderedPreview(
        {_path_on_host(context, path): content for path, content in [*pages.items(), *contents.items()]}
    )


def _written_tables(site: Site) -> dict[str, str]:
    """The tables that publishing and planning an entry write, with what is read of each."""
    on_site = f"site_id = {site.id}"
    of_terms = f"entry_id IN (SELECT id FROM main.entry WHERE {on_site})"
    return {
        "entry": on_site,
        **dict.fromkeys(("entry_author", "entry_category", "entry_tag"), of_terms),
        "change": f"{on_site} AND (NOT planned OR id = (SELECT MAX(id) FROM main.change WHERE {on_site}))",
        **trial_plan.TABLES,
    }


def _publish_and_plan(site: Site, theme: Theme, entry: Entry) -> Entry:
    entry_edits.publish(entry, "preview")
    faults = trial_plan.sync_entry(site, theme, entry)
    entry = Entry.get_by_id(entry.id)
    if not _entry_paths(entry):
        reason = " ".join(faults) or "its theme makes no page of it; add an archive map for it to theme.toml"
        raise ContentError(f"“{entry.title}” cannot be shown: {reason}")
    return entry


def _entry_paths(entry: Entry) -> list[str]:
    """Return the paths of the pages of an entry, with the permalink first."""
    rows = db.execute(
        "SELECT path FROM artifact WHERE type = ? AND subject = ? AND wanted ORDER BY is_permalink DESC, path",
        [entry.kind, entry.id],
    )
    return [path for (path,) in rows.fetchall()]


class _PreviewPages:
    """The pages that show one entry. They can be read only inside the transaction of the preview."""

    def __init__(self, context: SiteContext, builder: Builder, entry: Entry) -> None:
        self._context, self._builder, self._entry = context, builder, entry
        self._zone = ZoneInfo(context.site.timezone)
        self._listing_ids: dict[ListingQuery, tuple[int, ...]] = {}

    def render(self) -> dict[str, bytes]:
        """Render the pages. Returns the content by path below the docroot, with the pages of the entry first."""
        own = _entry_paths(self._entry)
        paths = list(dict.fromkeys([*own, *self._listing_pages(), *self._neighbours(), *self._first_pages()]))
        artifacts = find_artifacts(paths)
        builds = self._builder.load(artifacts[path] for path in paths)
        results = {path: builds[path]() for path in paths}
        return {
            path: result.content
            for path, result in results.items()
            if isinstance(result.content, bytes) and (path in own or self._shows_entry(artifacts[path], result))
        }

    def _shows_entry(self, artifact: ArtifactRow, result: BuildResult) -> bool:
        """Tell from the dependencies of a build whether the page shows the entry."""
        if any(read.kind == "e" and read.subject == self._entry.id for read in result.dependencies):
            return True
        if self._entry.kind == "page":
            return "pages" in result.shared_keys and not self._entry.folder
        counts = [int(key.split(":")[1]) for key in result.shared_keys if key.startswith("recent:")]
        if counts and artifact.type == "index":
            return self._entry.id in self._ids(ListingQuery(self._context.site.id, "index"))[: max(counts)]
        return False

    def _ids(self, query: ListingQuery) -> tuple[int, ...]:
        if query not in self._listing_ids:
            self._listing_ids[query] = listing_page(query, self._zone, 1, 0).ids
        return self._listing_ids[query]

    def _listing_pages(self) -> Iterator[str]:
        """Yield, for each listing that contains the entry, the path of the page with the entry."""
        site, entry = self._context.site.id, self._entry.id
        for kind, subject, period, per_page, from_oldest in self._listings():
            ids = self._ids(ListingQuery(site, kind, subject, period))
            if entry in ids:
                page = ids.index(entry) // per_page + 1 if per_page else 1
                if from_oldest:
                    listing = PagedListing(site, kind, subject or 0, period, per_page)
                    page = page_with(listing, Key(self._entry.published_at, entry))
                rows = db.execute(
                    """SELECT path FROM artifact WHERE site_id = ? AND type = ? AND subject IS NOT DISTINCT FROM ?
                       AND period = ? AND per_page = ? AND page = ? AND wanted ORDER BY path""",
                    [site, kind, subject, period, per_page, page],
                )
                yield from (path for (path,) in rows.fetchall())

    def _listings(self) -> Iterator[tuple[str, int | None, str, int, bool]]:
        """Yield the listings that may contain the entry.

        As (type, subject, period, entries per page, whether pages are counted from the oldest entries).
        """
        changes = ChangeSet()
        changes.entries[self._entry.id] = EVERYTHING
        scope = changes.scope()
        for kind in dict.fromkeys(output.type for output in self._context.theme.outputs):
            if kind in ("entry", "page"):
                continue
            term, period = ("", "") if kind == "index" else split_type(kind)
            condition, values = "subject IS NULL", list[object]()
            if term:
                terms = scope.terms.get(term, ())
                condition, values = f"subject IN ({db.placeholders(len(terms)) or 'NULL'})", [*terms]
            if period:
                periods = scope.periods(period)
                condition = f"{condition} AND period IN ({db.placeholders(len(periods)) or 'NULL'})"
                values += periods
            yield from db.execute(
                f"""SELECT DISTINCT type, subject, period, per_page, from_oldest FROM artifact
                    WHERE page = 1 AND site_id = ? AND wanted AND type = ? AND {condition} ORDER BY 2, 3, 4""",
                [self._context.site.id, kind, *values],
            ).fetchall()

    def _neighbours(self) -> list[str]:
        """Return the paths of the entries published directly before and after this one."""
        ids = self._ids(ListingQuery(self._context.site.id, "index"))
        position = ids.index(self._entry.id) if self._entry.id in ids else None
        near = [] if position is None else [*ids[max(position - 1, 0) : position], *ids[position + 1 : position + 2]]
        rows = db.execute(
            f"""SELECT path FROM artifact WHERE type = 'entry' AND is_permalink AND wanted
                AND subject IN ({db.placeholders(len(near)) or "NULL"}) ORDER BY path""",
            near,
        )
        return [path for (path,) in rows.fetchall()]

    def _first_pages(self) -> list[str]:
        """Return the paths of the first page of each index template, which may list the newest entries or pages."""
        rows = db.execute(
            "SELECT path FROM artifact WHERE site_id = ? AND type = 'index' AND page = 1 AND wanted ORDER BY path",
            [self._context.site.id],
        )
        return [path for (path,) in rows.fetchall()]


def _referenced_files(context: SiteContext, pages: Mapping[str, bytes]) -> list[str]:
    """Return the paths of all static files of the theme, and of the uploads that the pages refer to."""
    rows = db.execute(
        "SELECT path FROM artifact WHERE site_id = ? AND type = 'static' AND wanted ORDER BY path", [context.site.id]
    )
    files = {path for (path,) in rows.fetchall()}
    referenced = sorted({path for page, content in pages.items() for path in _referenced_paths(context, page, content)})
    for chunk in db.chunks(referenced):
        rows = db.execute(
            f"SELECT path FROM artifact WHERE path IN ({db.placeholders(len(chunk))}) AND wanted AND {_IS_FILE}",
            [*chunk],
        )
        files |= {path for (path,) in rows.fetchall()}
    return sorted(files)


def _referenced_paths(context: SiteContext, page: str, content: bytes) -> Iterator[str]:
    """Yield the path below the docroot of each address of the site in a page."""
    folder = path_prefix(context.site)
    base = context.absolute(context.url(page))
    for double_quoted, single_quoted in _ADDRESS.findall(content):
        for address in _split_srcset(unescape((double_quoted or single_quoted).decode("utf-8", "replace"))):
            with suppress(ValueError):  # not an address
                url = urljoin(base, address).partition("#")[0].partition("?")[0]
                if url.startswith(context.site.url):
                    yield folder + unquote(url[len(context.site.url) :])


def _split_srcset(value: str) -> Iterable[str]:
    """Return the possible addresses in an attribute: its whole value, and each part of a `srcset` without the width."""
    return [value.strip(), *(part.split()[0] for part in value.split(",") if part.split())]


def _path_on_host(context: SiteContext, path: str) -> str:
    """Convert a path below the docroot to a path below the root of the host."""
    below = path[len(context.site.folder) + 1 :] if context.site.folder else path
    return context.root.strip("/") + "/" + below if context.root != "/" else below

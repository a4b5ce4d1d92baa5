"""Builds the content of a batch of artifacts: loads what they show in a few queries, then renders one after another.

Everything that a batch reads is from one moment: call `load` inside a snapshot. Compiled templates and site-wide lists
are kept between batches, until the content or the theme changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from jinja2 import Environment

from appliance import db
from appliance.building import file_artifacts, loaders
from appliance.building.dependency_tracking import (
    EntityRead,
    TrackedReads,
    digest_reads,
    keys_text,
    tracked_post,
    tracking,
)
from appliance.building.docroot import File
from appliance.building.environment import create_environment, template_failure
from appliance.building.kept_posts import ROOM, KeptPosts
from appliance.building.key_digests import KeyDigests
from appliance.building.loaders import ArtifactRow, SiteContext
from appliance.building.template_site import TrackedSite
from appliance.building.template_variables import load_listings, redirect_targets, sitemap_variables
from appliance.building.thumbnails import Resizer
from appliance.config import Config
from appliance.content.models import Site
from appliance.errors import BuildError, PlanUnfinished, TemplateEdited, ThemeError
from appliance.planning.listings import ListingPage, listing_digest
from appliance.planning.sitemaps import sitemap_outputs
from appliance.planning.theme import Theme
from appliance.queue.store import LEASE


@dataclass(frozen=True, slots=True, eq=False)
class BuildResult:
    """The content of an artifact, and what was read to build it."""

    content: bytes | File
    #: Number of the plan that the content was read after.
    plan_number: int
    #: The dependency keys that were read, and those among them whose digest is not the one that planning stored.
    shared_keys: tuple[str, ...] = ()
    outdated_keys: tuple[str, ...] = ()
    dependencies: Sequence[EntityRead] = ()
    #: Digest of the listing page, if it was read.
    listing_digest: str | None = None
    #: How many entries and pages the whole listing has, if that was read.
    counted: str | None = None
    #: Digest of everything that was read.
    reads_digest: str = ""
    #: Computes the digests of keys, as this build saw them.
    digest_keys: Callable[[Iterable[str]], dict[str, str]] = lambda _keys: {}


#: Builds the content of one artifact; raises BuildError.
BuildFunction = Callable[[], BuildResult]


@dataclass(frozen=True)
class SiteRenderer:
    """What is needed to render the pages of one site, for one state of its content and theme."""

    context: SiteContext
    site: TrackedSite
    templates: Environment
    state: _RendererState
    key_digests: KeyDigests
    #: Digests of keys as planning stored them.
    planned_digests: dict[str, str]
    #: Posts of listings, as they are in this state.
    kept_posts: KeptPosts
    #: The sets of keys that pages have read.
    known_keys: dict[tuple[frozenset[str], tuple[tuple[str, int], ...]], SharedKeys]

    def shared_keys(self, reads: TrackedReads) -> SharedKeys:
        """The keys that were read. Most pages of a template read the same, so what follows from them is kept."""
        key = (frozenset(reads.keys), tuple(sorted(reads.lists.items())))
        found = self.known_keys.get(key)
        if found is None:
            keys = reads.shared_keys()
            found = self.known_keys[key] = SharedKeys(keys, self._outdated(keys), keys_text(keys))
        return found

    def _outdated(self, keys: Iterable[str]) -> tuple[str, ...]:
        """The keys whose digest differs from the stored one, since the content has changed after the plan."""
        return tuple(
            key
            for key in keys
            if key in self.planned_digests and self.planned_digests[key] != self.key_digests.digest(key)
        )


class SharedKeys(NamedTuple):
    """Dependency keys that were read together, those among them that are outdated, and the text for their digest."""

    keys: tuple[str, ...]
    outdated: tuple[str, ...]
    text: str


class _RendererState(NamedTuple):
    """The state that a renderer is valid for: last change, last plan, last plan that changed lists, and theme."""

    change: int
    number: int
    structure: int
    theme: str
    #: Number of the plan that is being made in steps and does not count yet, or 0. Each of its steps may change what
    #: pages show, so what is read meanwhile is valid for one batch.
    unfinished: int
    #: When the last step of that plan began, on the database's clock; 0 if its process gave it up.
    step_at: float

    def has_lists_of(self, other: _RendererState) -> bool:
        """Whether lists that only a plan can change are the same in both states."""
        return self.structure == other.structure and not (self.unfinished or other.unfinished)


class Builder:
    """Builds artifacts of any site of the installation."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._renderers: dict[int, SiteRenderer] = {}
        self._resizer = Resizer()
        #: What was read by artifacts whose template failed, by path, until a caller takes it. The content is empty.
        self.failed_results: dict[str, BuildResult] = {}
        #: Sites with a template that failed since their templates were compiled.
        self._failed_sites: set[int] = set()
        #: The time of the batch, on the database's clock.
        self._now = 0.0

    def close(self) -> None:
        """End the process that makes thumbnails."""
        self._resizer.close()

    def load(self, artifacts: Iterable[ArtifactRow]) -> dict[str, BuildFunction]:
        """Load what `artifacts` show; return the function that builds each one, by path."""
        builds: dict[str, BuildFunction] = {}
        by_site: dict[int, list[ArtifactRow]] = {}
        for artifact in artifacts:
            by_site.setdefault(artifact.site, []).append(artifact)
        self._now = db.now() if by_site else 0.0
        for site, members in by_site.items():
            builds |= self._load_site(self._renderer(site), members)
        return builds

    def _load_site(self, renderer: SiteRenderer, artifacts: list[ArtifactRow]) -> dict[str, BuildFunction]:
        builds: dict[str, BuildFunction] = {}
        pages = [a for a in artifacts if a.type in ("entry", "page")]
        posts = loaders.load_posts(
            renderer.context,
            [a.subject for a in pages if a.subject is not None],
            whole=True,
            view=tracked_post(),
            terms=renderer.kept_posts.terms,
        )
        for a in pages:
            builds[a.path] = self._page_build(renderer, a, {"entry": posts.get(a.subject or 0)})
        redirects = [a for a in artifacts if a.type == "redirect"]
        for a, target in zip(redirects, redirect_targets(redirects), strict=True):
            url = renderer.context.url(target) if target else renderer.context.root
            builds[a.path] = self._page_build(
                renderer, a, {"target_url": url, "target_absolute_url": renderer.context.absolute(url)}
            )
        listing_artifacts = [a for a in artifacts if a.type not in _NO_LISTINGS]
        sitemaps = {
            a.path: sitemap_variables(renderer.context, a)
            for a in listing_artifacts
            if a.type == "sitemap" or _is_sitemap(renderer, a)
        }
        loaded_listings = load_listings(
            renderer.context, [a for a in listing_artifacts if a.path not in sitemaps], renderer.kept_posts
        )
        for a in listing_artifacts:
            if a.path in sitemaps:
                builds[a.path] = self._page_build(renderer, a, sitemaps[a.path])
            else:
                listing, entries = loaded_listings[a.path]
                builds[a.path] = self._page_build(renderer, a, {"listing": listing}, entries)
        return builds | self._file_builds(
            renderer, [a for a in artifacts if a.type in ("static", "asset", "thumbnail")]
        )

    def _page_build(
        self, renderer: SiteRenderer, artifact: ArtifactRow, values: dict[str, Any], page: ListingPage | None = None
    ) -> BuildFunction:
        url = renderer.context.url(artifact.path)
        shared = {"site": renderer.site, "page_url": url, "page_absolute_url": renderer.context.absolute(url)}

        def build() -> BuildResult:
            if values.get("entry", values) is None:
                raise BuildError(f"{artifact.path}: its entry is no longer published; publish again", artifact.path)
            try:
                with tracking(TrackedReads()) as reads:
                    content = renderer.templates.get_template(artifact.template).render(shared, **values).encode()
            except Exception as error:  # a template may raise anything
                self._failed_sites.add(artifact.site)
                self.failed_results[artifact.path] = _result(b"", renderer, artifact, reads, page)
                failure = template_failure(error, renderer.context, artifact.path)
                if self._is_theme_edited(renderer):
                    raise TemplateEdited(str(failure), artifact.path) from error
                if renderer.state.unfinished and renderer.state.step_at > self._now - LEASE:
                    raise PlanUnfinished(str(failure), artifact.path) from error
                raise failure from error
            return _result(content, renderer, artifact, reads, page)

        return build

    def _file_builds(self, renderer: SiteRenderer, artifacts: list[ArtifactRow]) -> dict[str, BuildFunction]:
        ids = sorted({a.subject for a in artifacts if a.subject is not None})
        uploads = _load_uploads(ids) if ids else {}
        return {a.path: self._file_build(renderer, a, uploads) for a in artifacts}

    def _file_build(
        self, renderer: SiteRenderer, artifact: ArtifactRow, uploads: dict[int, tuple[str, int]]
    ) -> BuildFunction:
        def build() -> BuildResult:
            path, theme = artifact.path, renderer.context.theme
            if artifact.type == "static":
                return file_result(file_artifacts.static_file(theme, artifact.template, path))
            asset = artifact.subject
            if asset not in uploads:
                raise BuildError(f"{path}: its upload is no longer there; publish again", path)
            digest, size = uploads[asset]
            if artifact.type == "asset":
                return file_result(file_artifacts.upload(self._config, asset, digest, size, path))
            width, quality = int(artifact.template), theme.manifest.thumbnails.quality
            return file_result(
                file_artifacts.thumbnail(self._config, asset, digest, width, quality, self._resizer, path)
            )

        def file_result(file: File) -> BuildResult:
            return BuildResult(file, renderer.state.number)

        return build

    def _renderer(self, site_id: int) -> SiteRenderer:
        """The renderer of a site for its current content and theme. The last one is used again if nothing changed."""
        state = _RendererState(
            *db.execute(
                """SELECT COALESCE((SELECT MAX(id) FROM change WHERE site_id = s.id), 0), COALESCE(p.number, 0),
                          COALESCE(p.structure, 0), COALESCE(p.theme_digest, ''), COALESCE(o.number, 0),
                          COALESCE(o.at, 0)
                   FROM site s LEFT JOIN planned p ON p.site_id = s.id
                   LEFT JOIN open_plan o ON o.site_id = s.id AND o.number > COALESCE(p.number, 0)
                   WHERE s.id = ?""",
                [site_id],
            ).fetchone()
        )
        renderer = self._renderers.get(site_id)
        if renderer and site_id in self._failed_sites and self._is_theme_edited(renderer):
            self._failed_sites.discard(site_id)
            renderer = None
        if renderer is None or renderer.state != state or state.unfinished:
            renderer = self._renderers[site_id] = self._new_renderer(site_id, state, renderer)
        renderer.kept_posts.room = ROOM // len(self._renderers)
        return renderer

    def _is_theme_edited(self, renderer: SiteRenderer) -> bool:
        """Whether the theme has changed on disk since its templates were compiled, and can be used as it is now.

        Planning asks for that, so a page is built by one state of the theme. Whoever mends a template that failed
        retries the job, before anything is planned.
        """
        context = renderer.context
        with suppress(ThemeError):  # it is being edited
            return Theme.load(context.site.theme, self._config.path.parent) is not context.theme
        return False

    def _new_renderer(self, site_id: int, state: _RendererState, former: SiteRenderer | None) -> SiteRenderer:
        site = Site.get_by_id(site_id)
        # Templates stay compiled until the theme or the site settings change. Lists that only a plan can change are
        # kept until a plan changes them.
        if former and former.state.theme == state.theme and former.context.site.__data__ == site.__data__:
            context, templates = former.context, former.templates
        else:
            context = SiteContext.of(site, Theme.load(site.theme, self._config.path.parent))
            templates, former = create_environment(context), None
        same_structure = former if former and former.state.has_lists_of(state) else None
        tracked_site = TrackedSite(context, lambda: self._now, same_structure.site if same_structure else None)
        planned_digests = dict(db.execute("SELECT key, digest FROM answer WHERE site_id = ?", [site_id]).fetchall())
        return SiteRenderer(
            context,
            tracked_site,
            templates,
            state,
            KeyDigests(context, tracked_site),
            planned_digests,
            KeptPosts(),
            {},
        )


def _result(
    content: bytes, renderer: SiteRenderer, artifact: ArtifactRow, reads: TrackedReads, page: ListingPage | None
) -> BuildResult:
    shared = renderer.shared_keys(reads)
    shown = listing_digest(page) if page and (reads.listing or reads.counted) else None
    counted = page.counted if page and reads.counted else None
    dependencies = reads.dependencies(artifact.own_entry)
    return BuildResult(
        content,
        renderer.state.number,
        shared_keys=shared.keys,
        outdated_keys=shared.outdated,
        dependencies=dependencies,
        listing_digest=shown,
        counted=counted,
        reads_digest=digest_reads(shared.text, dependencies, shown, counted),
        digest_keys=renderer.key_digests.digests,
    )


_NO_LISTINGS = frozenset({"entry", "page", "redirect", "static", "asset", "thumbnail"})


def _is_sitemap(renderer: SiteRenderer, artifact: ArtifactRow) -> bool:
    return artifact.type == "index" and any(
        o.template == artifact.template for o in sitemap_outputs(renderer.context.theme)
    )


def _load_uploads(ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    rows = db.execute(f"SELECT id, digest, size FROM asset WHERE id IN ({db.placeholders(len(ids))})", list(ids))
    return {asset: (listing_digest, size) for asset, listing_digest, size in rows.fetchall()}

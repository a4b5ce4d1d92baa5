"""A batch of artifacts to their content: loads what they show in a few queries, then renders one after another.

Everything a batch reads is of one moment: call `load` inside a snapshot. What is kept between batches (templates, lists
many pages show) is dropped as soon as the content or the theme is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jinja2 import Environment

from appliance import db
from appliance.building import files, loading
from appliance.building.answers import Answers
from appliance.building.artifacts import Made
from appliance.building.docroot import File
from appliance.building.environment import environment, failure
from appliance.building.listings import listings
from appliance.building.loading import Place
from appliance.building.noted import NotedFacts
from appliance.building.reads import Reading, Reads, noted_post, noting
from appliance.building.redirects import redirect_targets
from appliance.building.resizing import Resizer
from appliance.building.sitemaps import sitemap
from appliance.config import Config
from appliance.content.models import Site
from appliance.errors import BuildError
from appliance.planning.pages import Asked, Shown, digest
from appliance.planning.sitemaps import outputs
from appliance.planning.theme import Theme


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """What an artifact came to: its content and what was read for it."""

    content: bytes | File
    #: Number of the planning whose content was read.
    number: int
    #: The keys read that others read too, and those among them whose answers differ from what planning knows.
    recipe: tuple[str, ...] = ()
    stray: tuple[str, ...] = ()
    readings: Sequence[Reading] = ()
    #: Digest of the page of a listing, when it was read.
    shown: str | None = None
    #: Digest of all that was read.
    reads: str = ""
    #: What the keys of the recipe answered.
    answers: Callable[[Iterable[str]], dict[str, str]] = lambda _keys: {}


#: Makes one artifact's content; raises BuildError.
Make = Callable[[], Product]


@dataclass(frozen=True)
class _Bench:
    """What building pages of one site takes."""

    place: Place
    facts: NotedFacts
    templates: Environment
    state: _State
    answers: Answers
    #: What planning knows of the answers to keys.
    known: dict[str, str]
    #: How many entries listings have.
    totals: dict[Asked, int]

    def stray(self, recipe: Iterable[str]) -> tuple[str, ...]:
        """The keys that answer something else here than planning knows: content has changed since."""
        return tuple(key for key in recipe if key in self.known and self.known[key] != self.answers.digest(key))


class _State(NamedTuple):
    """What a bench is good for: changes recorded, plannings, of them those that changed lists, and the theme."""

    change: int
    number: int
    structure: int
    theme: str


class Builder:
    """Builds artifacts of any site of the installation."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._benches: dict[int, _Bench] = {}
        self._resizer = Resizer()
        #: What was read for artifacts whose template failed, by path, until somebody takes it; its content is empty.
        self.unfinished: dict[str, Product] = {}
        #: When the batch was loaded, on the database's clock.
        self._now = 0.0

    def close(self) -> None:
        """End the process that makes pictures smaller."""
        self._resizer.close()

    def load(self, artifacts: Iterable[Made]) -> dict[str, Make]:
        """Load what `artifacts` show; returns, by path, what makes each one's content."""
        makes: dict[str, Make] = {}
        by_site: dict[int, list[Made]] = {}
        for artifact in artifacts:
            by_site.setdefault(artifact.site, []).append(artifact)
        self._now = db.now() if by_site else 0.0
        for site, members in by_site.items():
            makes |= self._load_site(self._bench(site), members)
        return makes

    def _load_site(self, bench: _Bench, artifacts: list[Made]) -> dict[str, Make]:
        makes: dict[str, Make] = {}
        pages = [a for a in artifacts if a.type in ("entry", "page")]
        found = loading.posts(
            bench.place, [a.subject for a in pages if a.subject is not None], whole=True, view=noted_post()
        )
        for a in pages:
            makes[a.path] = self._page(bench, a, {"entry": found.get(a.subject or 0)})
        redirects = [a for a in artifacts if a.type == "redirect"]
        for a, target in zip(redirects, redirect_targets(redirects), strict=True):
            url = bench.place.url(target) if target else bench.place.root
            makes[a.path] = self._page(bench, a, {"target_url": url, "target_absolute_url": bench.place.absolute(url)})
        listed = [a for a in artifacts if a.type not in _NO_LISTINGS]
        maps = {a.path: sitemap(bench.place, a) for a in listed if a.type == "sitemap" or _is_sitemap(bench, a)}
        shown = listings(bench.place, [a for a in listed if a.path not in maps], bench.totals)
        for a in listed:
            if a.path in maps:
                makes[a.path] = self._page(bench, a, maps[a.path])
            else:
                listing, entries = shown[a.path]
                makes[a.path] = self._page(bench, a, {"listing": listing}, entries)
        return makes | self._files(bench, [a for a in artifacts if a.type in ("static", "asset", "thumbnail")])

    def _page(self, bench: _Bench, artifact: Made, values: dict[str, Any], entries: Shown | None = None) -> Make:
        url = bench.place.url(artifact.path)
        shared = {"site": bench.facts, "page_url": url, "page_absolute_url": bench.place.absolute(url)}

        def make() -> Product:
            if values.get("entry", values) is None:
                raise BuildError(f"{artifact.path}: its entry is no longer published; publish again", artifact.path)
            try:
                with noting(Reads()) as reads:
                    content = bench.templates.get_template(artifact.template).render(shared, **values).encode()
            except Exception as error:  # a template may raise anything
                self.unfinished[artifact.path] = _product(b"", bench, artifact, reads, entries)
                raise failure(error, bench.place, artifact.path) from error
            return _product(content, bench, artifact, reads, entries)

        return make

    def _files(self, bench: _Bench, artifacts: list[Made]) -> dict[str, Make]:
        ids = sorted({a.subject for a in artifacts if a.subject is not None})
        uploads = _uploads(ids) if ids else {}
        return {a.path: self._file(bench, a, uploads) for a in artifacts}

    def _file(self, bench: _Bench, artifact: Made, uploads: dict[int, tuple[str, int]]) -> Make:
        def make() -> Product:
            path, theme = artifact.path, bench.place.theme
            if artifact.type == "static":
                return made(files.static_file(theme, artifact.template, path))
            asset = artifact.subject
            if asset not in uploads:
                raise BuildError(f"{path}: its upload is no longer there; publish again", path)
            digest, size = uploads[asset]
            if artifact.type == "asset":
                return made(files.upload(self._config, asset, digest, size, path))
            width, quality = int(artifact.template), theme.manifest.thumbnails.quality
            return made(files.thumbnail(self._config, asset, digest, width, quality, self._resizer, path))

        def made(file: File) -> Product:
            return Product(file, bench.state.number)

        return make

    def _bench(self, site_id: int) -> _Bench:
        """The site's bench for the content and theme of this moment, the last one if they are the same."""
        state = _State(
            *db.execute(
                """SELECT COALESCE((SELECT MAX(id) FROM change WHERE site_id = ?), 0), COALESCE(MAX(number), 0),
                          COALESCE(MAX(structure), 0), COALESCE(MAX(theme_digest), '')
                   FROM planned WHERE site_id = ?""",
                [site_id, site_id],
            ).fetchone()
        )
        bench = self._benches.get(site_id)
        if bench is None or bench.state != state:
            bench = self._benches[site_id] = self._new_bench(site_id, state, bench)
        return bench

    def _new_bench(self, site_id: int, state: _State, former: _Bench | None) -> _Bench:
        site = Site.get_by_id(site_id)
        # Templates stay compiled while theme and site are the same, whatever happens to content; and lists that only
        # planning changes stay known while it did not.
        if former and former.state.theme == state.theme and former.place.site.__data__ == site.__data__:
            place, templates = former.place, former.templates
        else:
            place = Place.of(site, Theme.load(site.theme, self._config.path.parent))
            templates, former = environment(place), None
        same = former if former and former.state.structure == state.structure else None
        facts = NotedFacts(place, lambda: self._now, same.facts if same else None)
        known = dict(db.execute("SELECT key, digest FROM answer WHERE site_id = ?", [site_id]).fetchall())
        return _Bench(place, facts, templates, state, Answers(place, facts), known, same.totals if same else {})


def _product(content: bytes, bench: _Bench, artifact: Made, reads: Reads, entries: Shown | None) -> Product:
    recipe, own = reads.recipe(), artifact.own_entry
    shown = digest(entries) if entries and reads.listing else None
    read = (recipe, bench.stray(recipe), reads.readings(own), shown, reads.digest(own, shown))
    return Product(content, bench.state.number, *read, bench.answers.digests)


_NO_LISTINGS = frozenset({"entry", "page", "redirect", "static", "asset", "thumbnail"})


def _is_sitemap(bench: _Bench, artifact: Made) -> bool:
    return artifact.type == "index" and any(o.template == artifact.template for o in outputs(bench.place.theme))


def _uploads(ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    rows = db.execute(f"SELECT id, digest, size FROM asset WHERE id IN ({db.marks(len(ids))})", list(ids))
    return {asset: (digest, size) for asset, digest, size in rows.fetchall()}

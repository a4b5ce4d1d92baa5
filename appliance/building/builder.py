"""A batch of artifacts to their content: loads what they show in a few queries, then renders one after another.

Everything a batch reads is of one moment: call `load` inside a snapshot. What is kept between batches (templates, lists
many pages show) is dropped as soon as the content or the theme is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment

from appliance import db
from appliance.building import files, loading
from appliance.building.artifacts import Made
from appliance.building.docroot import File
from appliance.building.environment import environment, failure
from appliance.building.facts import Facts
from appliance.building.listings import listings
from appliance.building.loading import Place
from appliance.building.resizing import Resizer
from appliance.building.sitemaps import sitemap
from appliance.config import Config
from appliance.content.models import Site
from appliance.errors import BuildError
from appliance.planning.theme import IndexTemplate, Theme

#: Makes one artifact's content; raises BuildError.
Make = Callable[[], bytes | File]


@dataclass(frozen=True)
class _Bench:
    """What building pages of one site takes."""

    place: Place
    facts: Facts
    templates: Environment
    state: tuple[int, int, str]


class Builder:
    """Builds artifacts of any site of the installation."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._benches: dict[int, _Bench] = {}
        self._resizer = Resizer()

    def close(self) -> None:
        """End the process that makes pictures smaller."""
        self._resizer.close()

    def load(self, artifacts: Iterable[Made]) -> dict[str, Make]:
        """Load what `artifacts` show; returns, by path, what makes each one's content."""
        makes: dict[str, Make] = {}
        by_site: dict[int, list[Made]] = {}
        for artifact in artifacts:
            by_site.setdefault(artifact.site, []).append(artifact)
        for site, members in by_site.items():
            makes |= self._load_site(self._bench(site), members)
        return makes

    def _load_site(self, bench: _Bench, artifacts: list[Made]) -> dict[str, Make]:
        makes: dict[str, Make] = {}
        pages = [a for a in artifacts if a.type in ("entry", "page")]
        found = loading.posts(bench.place, [a.subject for a in pages if a.subject is not None], whole=True)
        for a in pages:
            makes[a.path] = self._page(bench, a, {"entry": found.get(a.subject or 0)})
        redirects = [a for a in artifacts if a.type == "redirect"]
        for a, target in zip(redirects, _redirect_targets(redirects), strict=True):
            url = bench.place.url(target) if target else bench.place.root
            makes[a.path] = self._page(bench, a, {"target_url": url, "target_absolute_url": bench.place.absolute(url)})
        listed = [a for a in artifacts if a.type not in ("entry", "page", "redirect", "static", "asset", "thumbnail")]
        maps = {a.path: sitemap(bench.place, a) for a in listed if a.type == "sitemap" or self._is_sitemap(bench, a)}
        shown = listings(bench.place, [a for a in listed if a.path not in maps])
        for a in listed:
            values = maps[a.path] if a.path in maps else {"listing": shown[a.path]}
            makes[a.path] = self._page(bench, a, values)
        return makes | self._files(bench, [a for a in artifacts if a.type in ("static", "asset", "thumbnail")])

    def _page(self, bench: _Bench, artifact: Made, values: dict[str, Any]) -> Make:
        url = bench.place.url(artifact.path)
        shared = {"site": bench.facts, "page_url": url, "page_absolute_url": bench.place.absolute(url)}

        def make() -> bytes:
            if values.get("entry", values) is None:
                raise BuildError(f"{artifact.path}: its entry is no longer published; publish again", artifact.path)
            try:
                return bench.templates.get_template(artifact.template).render(shared, **values).encode()
            except Exception as error:  # a template may raise anything
                raise failure(error, bench.place, artifact.path) from error

        return make

    def _files(self, bench: _Bench, artifacts: list[Made]) -> dict[str, Make]:
        ids = sorted({a.subject for a in artifacts if a.subject is not None})
        uploads = _uploads(ids) if ids else {}
        return {a.path: self._file(bench, a, uploads) for a in artifacts}

    def _file(self, bench: _Bench, artifact: Made, uploads: dict[int, tuple[str, int]]) -> Make:
        def make() -> File:
            path, theme = artifact.path, bench.place.theme
            if artifact.type == "static":
                return files.static_file(theme, artifact.template, path)
            if artifact.subject not in uploads:
                raise BuildError(f"{path}: its upload is no longer there; publish again", path)
            digest, size = uploads[artifact.subject]
            if artifact.type == "asset":
                return files.upload(self._config, digest, size, path)
            quality = theme.manifest.thumbnails.quality
            return files.thumbnail(self._config, digest, int(artifact.template), quality, self._resizer, path)

        return make

    def _is_sitemap(self, bench: _Bench, artifact: Made) -> bool:
        return artifact.type == "index" and any(
            isinstance(o.source, IndexTemplate) and o.source.sitemap and o.template == artifact.template
            for o in bench.place.theme.outputs
        )

    def _bench(self, site_id: int) -> _Bench:
        """The site's bench for the content and theme of this moment, the last one if they are the same."""
        state: tuple[int, int, str] = db.execute(
            """SELECT COALESCE((SELECT MAX(id) FROM change WHERE site_id = ?), 0),
                      COALESCE((SELECT MAX(plan) FROM artifact WHERE site_id = ?), 0),
                      COALESCE((SELECT theme_digest FROM planned WHERE site_id = ?), '')""",
            [site_id, site_id, site_id],
        ).fetchone()
        known = self._benches.get(site_id)
        if known and known.state == state:
            return known
        site = Site.get_by_id(site_id)
        # Templates stay compiled while theme and site are the same, whatever happens to content.
        same = known is not None and known.state[2] == state[2] and known.place.site.__data__ == site.__data__
        if known and same:
            place, templates = known.place, known.templates
        else:
            place = Place.of(site, Theme.load(site.theme, self._config.path.parent))
            templates = environment(place)
        bench = _Bench(place, Facts(place), templates, state)
        self._benches[site_id] = bench
        return bench


def _redirect_targets(redirects: Sequence[Made]) -> list[str | None]:
    """The path each redirect leads to; None when its entry is not published."""
    if not redirects:
        return []
    found = dict(
        db.execute(
            f"""SELECT x.id, a.path FROM alias x JOIN entry e ON e.id = x.entry_id
                JOIN artifact a ON a.type = e.kind AND a.subject = e.id AND a.is_permalink AND a.wanted
                WHERE x.id IN ({db.marks(len(redirects))})""",
            [a.subject for a in redirects],
        ).fetchall()
    )
    return [found.get(a.subject) for a in redirects]


def _uploads(ids: Sequence[int]) -> dict[int, tuple[str, int]]:
    rows = db.execute(f"SELECT id, digest, size FROM asset WHERE id IN ({db.marks(len(ids))})", list(ids))
    return {asset: (digest, size) for asset, digest, size in rows.fetchall()}

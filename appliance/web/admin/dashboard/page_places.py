"""Where is this page: the version that each docroot shows, and what is really there if somebody had it looked at."""

from __future__ import annotations

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from appliance import target_job
from appliance.config import Config, SiteSettings
from appliance.delivery import page_look, page_verdict
from appliance.delivery.whereabouts import whereabouts
from appliance.editorial import page_paths
from appliance.errors import DeliveryError
from appliance.planning.permalinks import url_of
from appliance.web.admin import guard
from appliance.web.admin.dashboard import target_words
from appliance.web.admin.pages.layout import live_page, page, see
from appliance.web.admin.pages.own_addresses import with_query

#: The longest address that is looked for.
_LONGEST = 2000


def add_routes(blueprint: Blueprint, config: Config) -> None:
    """Add the routes."""

    @guard.route(blueprint, "/pages", action="target.read")
    def page_places() -> Response:
        # No path and no address has a character that cannot be shown.
        asked = "".join(filter(str.isprintable, request.args.get("path", "")[:_LONGEST])).strip()
        path = page_paths.find_path(asked) if asked else None
        if path is None:
            similar = page_paths.similar_paths(asked) if asked else []
            return page("dashboard/page_unknown.html", 404 if asked else 200, asked=asked, similar=similar)
        return _answer(config, asked, path)

    @guard.route(blueprint, "/pages/look", action="target.act", methods=("POST",))
    def page_look_request() -> Response:
        path = request.form.get("path", "")[:_LONGEST]
        try:
            target_job.request_look(config, path)
        except DeliveryError:
            return see(with_query("/pages", path=path))
        return see(with_query("/pages", path=path), "page-look")


def _answer(config: Config, asked: str, path: str) -> Response:
    found = whereabouts(config, path)
    if found.latest is None:  # pruned since it was found
        raise NotFound
    looks, job = page_look.read(path), target_job.newest_look(path)
    is_looking = job is not None and job.state in ("pending", "running")
    tone, sentence = page_verdict.judge(found, looks)
    site = _site_of(config, path)
    return live_page(
        "dashboard/page_places.html",
        {"places": "dashboard/_page_places.html"},
        asked=asked,
        found=found,
        latest=found.latest,
        looks=looks,
        job=job,
        is_looking=is_looking,
        every=2 if is_looking else 5,
        tone=tone,
        sentence=sentence,
        url=url_of(path, site.folder, str(site.url)) if site else "",
        site=site,
        acts=guard.principal().may("target.act"),
        jobs=site is not None and guard.principal().may("job.read", site.name),
        words=target_words,
    )


def _site_of(config: Config, path: str) -> SiteSettings | None:
    """The site in whose folder a path is; the nearest folder counts."""
    inside = [site for site in config.sites if not site.folder or path.startswith(f"{site.folder}/")]
    return max(inside, key=lambda site: len(site.folder), default=None)

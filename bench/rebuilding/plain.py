"""The floor: the pages of a site rendered by Jinja in a plain loop, and written.

All that they show is loaded before, as plain values; nothing of what is read is tracked, and nothing is published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, Template

from appliance import db
from appliance.building import loaders
from appliance.building.environment import create_environment
from appliance.building.kept_posts import KeptPosts
from appliance.building.loaders import ArtifactRow, SiteContext, find_artifacts
from appliance.building.template_site import TemplateSite
from appliance.building.template_variables import load_listings, sitemap_variables
from appliance.building.views import Listing, Post
from appliance.config import Config
from appliance.content.models import Site
from appliance.planning.theme import Theme


class Page(NamedTuple):
    """A page that is ready to be rendered."""

    path: str
    template: Template
    values: dict[str, Any]


def load(config: Config) -> list[Page]:
    """The pages of the first site, in the order in which workers build them."""
    site = Site.get()
    context = SiteContext.of(site, Theme.load(site.theme, config.path.parent))
    rows = db.execute(
        "SELECT path FROM artifact WHERE wanted AND type <> 'static' ORDER BY priority DESC, id"
    ).fetchall()
    artifacts: list[ArtifactRow] = []
    for some in db.chunks([path for (path,) in rows]):
        artifacts += find_artifacts(some).values()
    environment, plain_site = _environment(context), TemplateSite(context, db.now)
    entries = [a.subject for a in artifacts if a.type in ("entry", "page") and a.subject is not None]
    posts: dict[int, Post] = {}
    for some_ids in db.chunks(entries):
        posts |= loaders.load_posts(context, some_ids, whole=True)
    listings = _listings(context, artifacts, posts)
    pages = []
    for a in artifacts:
        url = context.url(a.path)
        values: dict[str, Any] = {"site": plain_site, "page_url": url, "page_absolute_url": context.absolute(url)}
        if a.type in ("entry", "page"):
            values["entry"] = posts[a.subject or 0]
        elif a.path in listings:
            values["listing"] = listings[a.path]
        else:
            values |= sitemap_variables(context, a)
        pages.append(Page(a.path, environment.get_template(a.template), values))
    return pages


def write(pages: Sequence[Page], folder: Path) -> None:
    """Render and write them all."""
    for page in pages:
        content = page.template.render(page.values).encode()
        file = folder / page.path
        try:
            file.write_bytes(content)
        except FileNotFoundError:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def _environment(context: SiteContext) -> Environment:
    ours = create_environment(context)
    made = Environment(
        loader=FileSystemLoader(context.theme.folder), autoescape=ours.autoescape, undefined=ours.undefined,
        trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    made.filters, made.globals = ours.filters, ours.globals
    return made


def _listings(context: SiteContext, artifacts: Sequence[ArtifactRow], posts: dict[int, Post]) -> dict[str, Listing]:
    listed = [
        a for a in artifacts if a.type not in ("entry", "page", "sitemap") and not a.template.startswith("sitemap")
    ]
    found = {}
    for path, (listing, page) in load_listings(context, listed, KeptPosts()).items():
        values = {f.name: getattr(listing, f.name) for f in fields(Listing)}
        found[path] = Listing(**values | {"entries": tuple(posts[i] for i in page.ids)})
    return found

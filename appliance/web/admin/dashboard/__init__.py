"""The dashboard: what is queued and why, what failed, where each page is, and which process does what.

Guarantees that every page works without scripts; that the address of a page holds its whole view; that what acts on
several things asks before it does, names how many, and acts on those alone that were shown or counted; and that pages
show only sites on which the user has a role.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from flask import Blueprint, Flask

from appliance.config import Config
from appliance.web.admin.dashboard import (
    comment,
    comment_acts,
    comment_bans,
    comments,
    failures,
    job,
    job_actions,
    job_acts_pages,
    jobs,
    overview,
    page_places,
    processes,
    schedule,
    settings,
    targets,
)

#: The modules of pages. Each has `add_routes(blueprint, config)`.
_PAGES: Final[tuple[ModuleType, ...]] = (
    overview,
    jobs,
    job_acts_pages,
    job,
    job_actions,
    failures,
    targets,
    page_places,
    processes,
    schedule,
    settings,
    comments,
    comment_acts,
    comment,
    comment_bans,
)


def add_routes(app: Flask, config: Config) -> None:
    """Add the pages of the dashboard to the application."""
    blueprint = Blueprint("dashboard", __name__)
    for module in _PAGES:
        module.add_routes(blueprint, config)
    app.register_blueprint(blueprint)

"""The WSGI entry of the admin process: the admin application and that of previews, each under its own name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.config import Config
from appliance.web.admin import database
from appliance.web.admin.app import create_app
from appliance.web.admin.hosts import HostSwitch
from appliance.web.previews.app import create_app as create_preview_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def create_application(config: Config) -> WSGIApplication:
    """Open the database in this process, and return what answers its requests."""
    database.open_in_worker(config)
    admin = create_app(config)
    applications: dict[str, WSGIApplication] = {config.admin.url: admin}
    if config.admin.preview_url:
        applications[config.admin.preview_url] = create_preview_app(config)
    return HostSwitch(applications, admin)

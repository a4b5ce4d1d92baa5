"""The WSGI entry of the admin process: the admin application and that of previews, each under its own name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.config import Config
from appliance.web.admin import database
from appliance.web.admin.app import create_app
from appliance.web.admin.hosts import HostSwitch

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def create_application(config: Config) -> WSGIApplication:
    """Open the database in this process, and return what answers its requests."""
    database.open_in_worker(config)
    admin = create_app(config)
    return HostSwitch({config.admin.url: admin}, admin)

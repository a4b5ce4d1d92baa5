"""Opens an installation: its database and its sites. Commands that only read need nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from peewee import PeeweeException

from appliance import db, plan_job, preview_requests
from appliance.config import Config, ownership
from appliance.content import sites
from appliance.content.models import Site
from appliance.errors import ConfigError
from appliance.search import updates


@contextmanager
def open_installation(config: Config) -> Iterator[dict[str, Site]]:
    """Open the installation: its database, brought up to date, and its sites by name; closed at the end.

    Raises:
        ConfigError: the database cannot be opened, or is none; or this is root, and the installation another account's.
    """
    ownership.check_owner(config)
    updates.follow_changes()
    preview_requests.follow_changes()
    try:
        opened = db.connect(config)
    except (PeeweeException, OSError) as error:
        # An address may hold a password.
        name = "the server" if "://" in config.database else config.database
        told = f"database: {name} cannot be used ({error}); name another, or mend what keeps it from working"
        raise ConfigError([told], config.path) from error
    try:
        with plan_job.hold_back(plan_job.IMPORT_DELAY):  # other hosts may be about to be given the same settings
            found = sites.sync(config)
        yield found
    finally:
        opened.close()

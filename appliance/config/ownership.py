"""The account that owns an installation. Root must not run commands in an installation of another account.

A file that root wrote there, such as a write-ahead log of the database or a published page, could not be replaced by
the account, and its jobs would fail from then on. Root does not switch to the account by itself: a program that runs
as the account, such as a theme, would then have access to root's terminal.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.errors import ConfigError

if TYPE_CHECKING:
    from appliance.config.sections import Config


def check_owner(config: Config) -> None:
    """Refuse to run as root in an installation of another account.

    Raises:
        ConfigError: this is root, and the installation belongs to another account.
    """
    owner = owner_of(config)
    if os.geteuid() or not owner:
        return
    try:
        name = pwd.getpwuid(owner).pw_name
        example = f", such as: sudo -u {name} appliance …"
    except KeyError:
        name, example = f"the account {owner}", ""
    fault = f"the installation belongs to {name}, who could not replace what root writes in it"
    raise ConfigError([f"{fault}; run the command as {name}{example}"], config.path)


def owner_of(config: Config) -> int | None:
    """Return the user id of the account that owns the installation. None if none of its files exist yet."""
    for place in _owned_paths(config):
        try:
            return place.stat().st_uid
        except OSError:
            continue
    return None


def _owned_paths(config: Config) -> Iterator[Path]:
    """Yield paths that the account owns, the most reliable first. A docroot may be shared with others."""
    if not config.database_url:
        yield config.database_file
    if not config.shared:
        yield config.docroot
    yield from (config.assets_folder, config.staging_folder, config.checkouts_folder, config.docroot)
    yield config.path.parent

"""The settings of the installation that the open database belongs to, as far as signing in needs them."""

from __future__ import annotations

from typing import Final

from appliance import db
from appliance.config import AdminSettings, Config
from appliance.errors import AccountError

#: Seconds in which a passkey's challenge can be answered.
CHALLENGE_LIFETIME: Final = 300.0

_DEFAULTS: Final = AdminSettings()


def rules() -> AdminSettings:
    """Return the rules of signing in: those of [admin] in the settings."""
    config = db.opened_config()
    return config.admin if config else _DEFAULTS


def config_with_url() -> Config:
    """Return the settings, which say where the admin application is.

    Raises:
        AccountError: they do not.
    """
    config = db.opened_config()
    if config is None or not config.admin.url:
        raise AccountError("There is no admin application; give its address in the settings: url in [admin].")
    return config


def host_of(config: Config) -> str:
    """Return the host name of the admin application, which authenticators show."""
    return config.admin.url.removeprefix("https://").rstrip("/").partition(":")[0]

"""The settings of the web process, from a file that it may read: `web.toml`, or the table [web] of the installation's.

Where the web process has an account of its own, that account cannot read the settings of the installation. Its file has
the keys of [web] at the top.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from appliance.config import error_messages, toml
from appliance.config.admin import AdminSettings
from appliance.config.file import find, load
from appliance.config.sections import Config
from appliance.config.web import WebSettings
from appliance.errors import ConfigError

WEB_FILE_NAME: Final = "web.toml"


def find_web(file: Path | None = None) -> Path:
    """Return the file that `load_web` reads.

    Raises:
        ConfigError: none is named, and there is none.
    """
    if file is not None:
        return file.absolute()
    settings = find()
    own = settings.with_name(WEB_FILE_NAME)
    return own if own.is_file() else settings


def load_web(file: Path | None = None) -> WebSettings:
    """Read the settings of the web process, with absolute paths.

    Args:
        file: a file with the keys of [web] at its top; None for `web.toml` beside the settings of the installation, or
            the table [web] there.

    Raises:
        ConfigError: with all errors of the file.
    """
    named, file = file, find_web(file)
    if named is None and file.name != WEB_FILE_NAME:
        return web_of(load(file))
    try:
        raw = toml.loads(file.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}; correct that or name another file"], file) from error
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"is not TOML: {error}; correct it there"], file) from error
    try:
        return _absolute(WebSettings.model_validate(raw), file.parent)
    except ValidationError as error:
        raise ConfigError(error_messages.describe_errors(error, WebSettings, raw), file) from error


def web_of(config: Config) -> WebSettings:
    """The settings of the web process in those of an installation, with absolute paths."""
    return _absolute(config.web, config.path.parent)


def admin_of(config: Config) -> AdminSettings:
    """The settings of the admin application in those of an installation, with absolute paths."""
    return config.admin.model_copy(update={"listen": _absolute_listen(config.admin.listen, config.path.parent)})


def _absolute(settings: WebSettings, folder: Path) -> WebSettings:
    listen = _absolute_listen(settings.listen, folder)
    return settings.model_copy(update={"listen": listen, "intake": folder / settings.intake})


def _absolute_listen(listen: str, folder: Path) -> str:
    return f"unix:{folder / listen.removeprefix('unix:')}" if listen.startswith("unix:") else listen

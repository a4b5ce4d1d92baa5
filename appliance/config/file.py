"""Finds, reads and validates the settings file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from appliance.config import error_messages, toml
from appliance.config.contradictions import find_contradictions
from appliance.config.sections import FILE_NAME, Config, SiteSettings
from appliance.config.targets import TargetSettings
from appliance.config.values import absolute_path
from appliance.errors import ConfigError

#: The settings file of a host, used when the working folder has none.
SYSTEM_FILE = Path("/etc/appliance/appliance.toml")


def find(folder: Path | None = None, environ: Mapping[str, str] = os.environ, system: Path = SYSTEM_FILE) -> Path:
    """Return the settings file to use: $APPLIANCE_CONFIG, or the one in `folder` (the working folder), or `system`.

    Raises:
        ConfigError: there is no settings file.
    """
    if named := environ.get("APPLIANCE_CONFIG"):
        path = Path(named).absolute()
        if not _exists(path):
            raise ConfigError([f"APPLIANCE_CONFIG names {path}, which is not a file; correct or unset it"])
        return path
    for path in ((folder or Path.cwd()) / FILE_NAME, system):
        if _exists(path):
            return path
    raise ConfigError(
        [f"no {FILE_NAME} here and none in {system.parent}; create an installation with: invoke site.init FOLDER"]
    )


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return True  # Reading it will fail with a clear error. Skipping it would silently use other settings.


def load(path: Path | None = None, place: Path | None = None) -> Config:
    """Read and validate a settings file.

    Args:
        path: the file; None for the one that `find` returns.
        place: the future path of the file, when it is validated before it is installed. Relative paths in the file are
            relative to that path.

    Raises:
        ConfigError: with all errors of the file.
    """
    path = (path or find()).absolute()
    try:
        raw = toml.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}; correct that or name another file"], path) from error
    except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"is not TOML: {error}; correct it there"], path) from error
    return validate(raw, place.absolute() if place else path)


def validate(raw: Mapping[str, Any], path: Path) -> Config:
    """Return the settings in parsed TOML. `path` is the path of the file.

    Raises:
        ConfigError: with all errors found.
    """
    errors = ["path: unknown key; remove it"] if "path" in raw else []
    given = {**raw, "path": path}
    try:
        config = Config.model_validate(given)
    except ValidationError as error:
        errors += error_messages.describe_errors(error, Config, given)
        if any(detail["loc"] for detail in error.errors()):
            errors += _contradictions_of_valid_values(given)
    if errors:
        raise ConfigError(errors, path)
    return config


def _contradictions_of_valid_values(raw: Mapping[str, Any]) -> list[str]:
    """Return the contradictions between the valid values, when other values are invalid."""
    top = _valid_keys(Config, raw)
    docroot = absolute_path(Path(top["docroot"])) if "docroot" in top else None
    sites = [SiteSettings.model_construct(**{"name": "", **item}) for item in _valid_items(SiteSettings, raw, "sites")]
    targets = [
        TargetSettings.model_construct(**{"name": "", **item})
        for item in _valid_items(TargetSettings, raw, "targets")
        if "address" in item
    ]
    return list(find_contradictions(docroot, sites, targets, {}))


def _valid_items(model: type[BaseModel], raw: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = raw.get(key)
    return [_valid_keys(model, item) for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _valid_keys(model: type[BaseModel], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return `raw` without its invalid keys."""
    try:
        model.model_validate(raw)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
        return {key: value for key, value in raw.items() if key not in wrong}
    return dict(raw)

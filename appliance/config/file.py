"""Finding, reading and checking the settings file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from appliance.config import faults
from appliance.config.contradictions import contradictions
from appliance.config.sections import FILE_NAME, Config, SiteSettings, TargetSettings
from appliance.config.values import absolute
from appliance.errors import ConfigError

#: The settings of a host, when the working folder has none.
SYSTEM_FILE = Path("/etc/appliance/appliance.toml")


def find(folder: Path | None = None, environ: Mapping[str, str] = os.environ, system: Path = SYSTEM_FILE) -> Path:
    """The settings file in force: $APPLIANCE_CONFIG, then `folder` (the working folder), then /etc/appliance.

    Raises:
        ConfigError: there is none.
    """
    if named := environ.get("APPLIANCE_CONFIG"):
        path = Path(named).absolute()
        if not _is_there(path):
            raise ConfigError([f"APPLIANCE_CONFIG names {path}, which is not a file; correct or unset it"])
        return path
    for path in ((folder or Path.cwd()) / FILE_NAME, system):
        if _is_there(path):
            return path
    raise ConfigError([f"no {FILE_NAME} here and none in {system.parent}; make a site with: invoke site.init DIR"])


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return True  # reading it will say so; passing it over would silently use other settings


def load(path: Path | None = None, place: Path | None = None) -> Config:
    """Read and check a settings file; it alone, or the one `find` names.

    Args:
        path: the file.
        place: where it will be, when it is checked before it is put there: relative paths count from there.

    Raises:
        ConfigError: with every fault of the file.
    """
    path = (path or find()).absolute()
    try:
        raw = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}; correct that or name another file"], path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"is not TOML: {error}; correct it there"], path) from error
    return check(raw, place.absolute() if place else path)


def check(raw: Mapping[str, Any], path: Path) -> Config:
    """Make a Config of parsed TOML.

    Raises:
        ConfigError: with every fault found.
    """
    found = ["path: unknown key; remove it"] if "path" in raw else []
    given = {**raw, "path": path}
    try:
        config = Config.model_validate(given)
    except ValidationError as error:
        found += faults.sentences(error, Config, given)
        if any(detail["loc"] for detail in error.errors()):
            found += _contradictions_of_the_sound(given)
    if found:
        raise ConfigError(found, path)
    return config


def _contradictions_of_the_sound(raw: Mapping[str, Any]) -> list[str]:
    """The contradictions between those values that are sound, when others are not."""
    top = _sound(Config, raw)
    docroot = absolute(Path(top["docroot"])) if "docroot" in top else None
    sites = [SiteSettings.model_construct(**{"name": "", **item}) for item in _sound_items(SiteSettings, raw, "sites")]
    targets = [
        TargetSettings.model_construct(**{"name": "", **item})
        for item in _sound_items(TargetSettings, raw, "targets")
        if "address" in item
    ]
    return list(contradictions(docroot, sites, targets, {}))


def _sound_items(model: type[BaseModel], raw: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = raw.get(key)
    return [_sound(model, item) for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _sound(model: type[BaseModel], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Those keys of `raw` with which nothing is wrong."""
    try:
        model.model_validate(raw)
    except ValidationError as error:
        wrong = {detail["loc"][0] for detail in error.errors() if detail["loc"]}
        return {key: value for key, value in raw.items() if key not in wrong}
    return dict(raw)

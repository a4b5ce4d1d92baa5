"""The settings of each host and what is wrong in them: checked by the daemons, read by whoever looks after them.

The admin application may run under an account that sees neither the settings of a publishing host nor its themes, and
there may be several hosts. So each daemon writes down what its settings are, without secrets, and what a check of its
file finds now: the same check as that of `site.check`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from peewee import DoubleField, TextField

from appliance import clock, config, db, logging, publishing
from appliance.config import Config
from appliance.config.shown import ShownSetting, hide_values, shown_settings
from appliance.db import NOW, BaseModel
from appliance.errors import ApplianceError, ConfigError

log = logging.get_logger("settings")

#: Seconds until the first check of a daemon, which is busy starting before, and between two checks.
_FIRST, _EVERY = 2.0, 10.0


class SettingsReport(BaseModel):
    """What a daemon says of its settings; the row goes with the daemon's row in the list of processes."""

    #: The name of the supervisor: `pub1:4711`.
    process = TextField(primary_key=True)
    host = TextField()
    file = TextField()
    checked_at = DoubleField()
    #: JSON: `settings`, the fields of `ShownSetting` for each key, and `faults`, a sentence for each.
    report = TextField()


@dataclass(frozen=True, slots=True)
class HostSettings:
    """The settings of a host, and what is wrong in its file."""

    #: The process that uses them: `pub1:4711`.
    process: str
    host: str
    file: str
    #: Seconds since the epoch on the database's clock.
    checked_at: float
    settings: tuple[ShownSetting, ...]
    faults: tuple[str, ...]


def check(file: Path, place: Path | None = None) -> Config:
    """Read a settings file and the themes of its sites, and return the settings.

    Args:
        file: the file.
        place: the path that it will have; relative paths in it are relative to that.

    Raises:
        ConfigError: with all faults of the file, or else of the themes.
    """
    settings = config.load(file, place)
    if faults := list(_theme_faults(settings)):
        raise ConfigError(faults, settings.path)
    return settings


def report(used: Config, *, themes: bool = True) -> tuple[tuple[ShownSetting, ...], tuple[str, ...]]:
    """Return the settings in use, and what is wrong with those that their file has now.

    With `themes` false only the file is checked, for an account that need not see any theme.
    """
    now, faults = None, list[str]()
    try:
        now = config.load(used.path)
        faults = list(_theme_faults(now)) if themes else []
    except ConfigError as error:
        faults = error.faults
    return tuple(shown_settings(used, now)), tuple(map(hide_values, faults))


class SettingsWatch:
    """Keeps the row of one daemon."""

    def __init__(self, used: Config, process: str) -> None:
        self._used = used
        self._process = process
        self._due = clock.monotonic() + _FIRST

    def run_due(self) -> None:
        """Check the settings and write the row if that is due. Call it often; whatever it finds ends nothing."""
        if clock.monotonic() < self._due:
            return
        self._due = clock.monotonic() + _EVERY
        try:
            settings, faults = report(self._used)
        except Exception:
            log.exception("the settings cannot be checked", file=str(self._used.path))
            return
        with db.suppress_unavailable():
            write(HostSettings(self._process, self._used.host_name, str(self._used.path), 0.0, settings, faults))


_WRITE: Final = f"""
INSERT INTO settings_report (process, host, file, checked_at, report) VALUES (?, ?, ?, {NOW}, ?)
ON CONFLICT (process) DO UPDATE SET checked_at = excluded.checked_at, report = excluded.report
"""
_READ: Final = """
SELECT r.process, r.host, r.file, r.checked_at, r.report FROM settings_report r JOIN process p ON p.name = r.process
ORDER BY r.host, r.process
"""


def write(said: HostSettings) -> None:
    """Write the row of a daemon, as of now, and delete those of daemons that have ended."""
    text = json.dumps({"settings": [asdict(each) for each in said.settings], "faults": said.faults}, ensure_ascii=False)
    with db.write():
        db.execute("DELETE FROM settings_report WHERE process NOT IN (SELECT name FROM process)")
        db.execute(_WRITE, [said.process, said.host, said.file, text])


def read() -> list[HostSettings]:
    """What the daemons that run say of their settings, by host."""
    return [_host_settings(*row) for row in db.execute(_READ).fetchall()]


def _host_settings(process: str, host: str, file: str, checked_at: float, text: str) -> HostSettings:
    known = json.loads(text)
    settings = tuple(ShownSetting(**each) for each in known["settings"])
    return HostSettings(process, host, file, checked_at, settings, tuple(known["faults"]))


def _theme_faults(settings: Config) -> Iterator[str]:
    """Yield the faults of the themes that sites use, and of the theme settings of sites."""
    for site in settings.sites:
        try:
            publishing.load_themes(settings, [site.name])
        except ApplianceError as error:
            yield f"sites.{site.name}: {error}"

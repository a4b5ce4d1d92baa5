"""The sources a site is fed from: folders and git repositories, edited there and imported as they are.

Guarantees that an unchanged commit imports nothing; that an import which was interrupted is done again and then counts
as a change, so that none is left unpublished; that a source which vanished, was rewritten or came in part removes
nothing without the guard's leave (`content.guard`); and that of two pulls of one source on this host one waits.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance import clock, db
from appliance.config import Config, SourceSettings
from appliance.content import sites
from appliance.content.models import Asset, Entry, Site, Source
from appliance.errors import ApplianceError, ConfigError, ContentError
from appliance.importing import metadata
from appliance.importing.folder import Progress, import_folder
from appliance.importing.git import Repository
from appliance.importing.report import Report

#: Called in the transaction that ends a pull which changed something, with the reason in words.
OnChange = Callable[[Site, str], None]


@dataclass(frozen=True, slots=True)
class Named:
    """A source of the settings and the site it feeds."""

    site: str
    settings: SourceSettings

    @property
    def name(self) -> str:
        """The source's own name."""
        return self.settings.name


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull came to. `revision` is a commit's id, empty for a folder; `report` None: the commit is the last."""

    source: Named
    revision: str
    changed: bool
    report: Report | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a source stands, for reports. Moments are seconds since the epoch; None: not yet."""

    site: str
    name: str
    place: str
    every: str
    revision: str
    pulled_at: int | None
    tried_at: int | None
    outcome: str
    error: str | None


def find(config: Config, names: Sequence[str] = (), site: str = "") -> list[Named]:
    """The sources of the settings with these names (all when none is given), of one site or all.

    Raises:
        ConfigError: there is no such site or source.
    """
    chosen = [config.site(site)] if site else config.sites
    found = [Named(one.name, source) for one in chosen for source in one.sources]
    for name in names:
        if name not in {source.name for source in found}:
            known = ", ".join(source.name for source in found) or "none"
            raise ConfigError([f"there is no source “{name}”; the sources are: {known}"], config.path)
    return [source for source in found if not names or source.name in names]


def pull(
    config: Config,
    source: Named,
    *,
    allow_removals: bool = False,
    again: bool = False,
    progress: Progress | None = None,
    on_change: OnChange = lambda _site, _reason: None,
) -> Pulled:
    """Make the site say what the source says now; `again` also if it is at the commit that was imported last.

    Raises:
        ContentError: it cannot be had, or would remove too much; nothing has been touched.
    """
    site = sites.sync(config)[source.site]
    with _alone(config, source):
        row = _row(site, source)
        try:
            return _pull(config, site, source, row, allow_removals, again, progress, on_change)
        except ApplianceError as error:
            _remember(row, outcome="failed", error=str(error))
            raise


def standings(config: Config) -> list[Standing]:
    """Where each source of the settings stands."""
    rows = {(row.site.name, row.name): row for row in Source.select(Source, Site).join(Site)}
    found = []
    for source in find(config):
        row = rows.get((source.site, source.name)) or Source()
        said = (row.revision, row.pulled_at, row.tried_at, row.outcome, row.error)
        found.append(Standing(source.site, source.name, source.settings.place, source.settings.every, *said))
    return found


def owner(config: Config, entry: Entry | Asset) -> str | None:
    """The configured source an entry or a file belongs to; None for one that is edited here, or was imported once."""
    if entry.source is None:
        return None
    named = Site.get_by_id(entry.site_id).name
    site = next((one for one in config.sites if one.name == named), None)
    return entry.source if site and entry.source in {source.name for source in site.sources} else None


def refuse_edit(config: Config, entry: Entry) -> None:
    """Refuse to edit here what is edited in a source.

    Raises:
        ContentError: the entry belongs to one; says which, and the file.
    """
    if name := owner(config, entry):
        raise ContentError(
            f"“{entry.title}” comes from the source “{name}”, file {entry.source_path}; edit it there, then: "
            f"content.pull {name}"
        )


def _pull(
    config: Config,
    site: Site,
    source: Named,
    row: Source,
    allow_removals: bool,
    again: bool,
    progress: Progress | None,
    on_change: OnChange,
) -> Pulled:
    settings = source.settings
    place = f"{metadata.VERSION} {settings.place}"
    revision, folder, links = "", settings.folder, tuple[str, ...]()
    if folder is None:
        repository = Repository(settings, _home(config, source))
        revision = repository.fetch()
        if not again and (row.revision, row.place, row.unfinished) == (revision, place, False):
            _remember(row, outcome="unchanged", error=None, pulled_at=int(clock.now()))
            return Pulled(source, revision, False, None)
        commit = repository.check_out(revision)
        folder, links = commit.folder, commit.links
    was_unfinished = row.unfinished
    _remember(row, unfinished=True)
    report = import_folder(
        config, site.name, folder, source=source.name, progress=progress, allow_removals=allow_removals
    )
    report.notes += [f"{link}: is a symbolic link, which is left out; put the file there" for link in links]
    changed = was_unfinished or not report.is_idle
    with db.write():
        if changed:
            at = f" at {revision[:12]}" if revision else ""
            on_change(site, f"source “{source.name}”{at}")
        _remember(
            row, outcome="changed" if changed else "unchanged", error=None, pulled_at=int(clock.now()),
            revision=revision, place=place, unfinished=False,
        )  # fmt: skip
    return Pulled(source, revision, changed, report)


def _row(site: Site, source: Named) -> Source:
    with db.write():
        found: Any = Source.get_or_none(Source.site == site, Source.name == source.name)
        row: Source = found or Source.create(site=site, name=source.name)
    return row


def _remember(row: Source, **values: object) -> None:
    with db.write():
        for column, value in values.items():
            setattr(row, column, value)
        row.tried_at = int(clock.now())
        row.save(only=[*values, "tried_at"])


def _home(config: Config, source: Named) -> Path:
    return config.checkouts_folder / source.site / source.name


@contextmanager
def _alone(config: Config, source: Named) -> Iterator[None]:
    """Wait until nobody else on this host pulls the source."""
    home = _home(config, source)
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "lock").open("w")
    except OSError as error:
        raise ContentError(
            f"{home}: cannot be used: {error.strerror}; mend that, or let `checkouts` name another folder"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

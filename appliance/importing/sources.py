"""Sources: folders and git repositories from which a site is imported again and again, and where people edit.

Guarantees that a commit which was imported already is not imported again; that an interrupted import is repeated and
counts as a change, so that its content is published; that a source which vanished, was rewritten or came in part
deletes no more than `content.removal_guard` allows; and that two pulls of one source never run at once on a host.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance import audit, clock, db
from appliance.actor import Actor
from appliance.config import Config, SourceSettings
from appliance.content import sites
from appliance.content.models import Asset, Entry, Site, Source
from appliance.errors import ApplianceError, ConfigError, ContentError
from appliance.importing import Progress, pull_history
from appliance.importing.git import Repository
from appliance.importing.markdown import metadata
from appliance.importing.markdown.importer import import_folder
from appliance.importing.report import Report

#: Called with the site and the reason in the transaction that ends a pull which changed something.
OnChange = Callable[[Site, str], None]


@dataclass(frozen=True, slots=True)
class SiteSource:
    """A configured source, and the name of its site."""

    site: str
    settings: SourceSettings

    @property
    def name(self) -> str:
        """The name of the source."""
        return self.settings.name


@dataclass(frozen=True, slots=True)
class PullResult:
    """The result of a pull."""

    source: SiteSource
    #: The id of the commit; empty for a folder.
    revision: str
    #: Whether the site changed.
    changed: bool
    #: None when the commit was imported already.
    report: Report | None


@dataclass(frozen=True, slots=True)
class SourceState:
    """The state of a source. Times are seconds since the epoch, and None before the first pull."""

    site: str
    name: str
    #: The folder, or the repository with its branch.
    place: str
    #: How often it is pulled by itself, as the settings have it; empty for never.
    every: str
    #: The id of the commit that was imported last; empty for a folder.
    revision: str
    #: When it was pulled last without an error.
    pulled_at: int | None
    #: When it was pulled last.
    tried_at: int | None
    #: "changed", "unchanged" or "failed"; empty before the first pull.
    outcome: str
    error: str | None


def find_sources(config: Config, names: Sequence[str] = (), site: str = "") -> list[SiteSource]:
    """The configured sources with these names, or all when there are none, of one site or of all.

    Raises:
        ConfigError: there is no such site or source.
    """
    chosen = [config.site(site)] if site else config.sites
    found = [SiteSource(one.name, source) for one in chosen for source in one.sources]
    for name in names:
        if name not in {source.name for source in found}:
            known = ", ".join(source.name for source in found) or "none"
            raise ConfigError([f"there is no source “{name}”; the sources are: {known}"], config.path)
    return [source for source in found if not names or source.name in names]


def pull(
    config: Config,
    source: SiteSource,
    *,
    allow_removals: bool = False,
    again: bool = False,
    progress: Progress | None = None,
    on_change: OnChange = lambda _site, _reason: None,
) -> PullResult:
    """Import a source as it is now.

    Args:
        config: the settings.
        source: the source.
        allow_removals: delete more at once than `config.deletions` lets go.
        again: import even the commit that was imported last.
        progress: called with files done and files in the source.
        on_change: called when the site changed: see `OnChange`.

    Raises:
        ContentError: the source cannot be read, or too much would be deleted. Nothing was written.
    """
    site = sites.sync_site(config, source.site)
    with _locked(config, source):
        row, began = _row(site, source), db.now()
        try:
            return _pull(config, site, source, row, began, allow_removals, again, progress, on_change)
        except ApplianceError as error:
            with db.write():
                pull_history.record(row.id, began, "failed", error=str(error))
                _update(row, outcome="failed", error=str(error))
            raise


def source_states(config: Config) -> list[SourceState]:
    """The state of each configured source."""
    rows = {(row.site.name, row.name): row for row in Source.select(Source, Site).join(Site)}
    found = []
    for source in find_sources(config):
        row = rows.get((source.site, source.name)) or Source()
        settings, pulls = source.settings, (row.revision, row.pulled_at, row.tried_at, row.outcome, row.error)
        found.append(SourceState(source.site, source.name, settings.place, settings.every, *pulls))
    return found


def owning_source(config: Config, item: Entry | Asset) -> str | None:
    """The configured source of an entry or an asset; None for one that is edited here, or was imported once."""
    if item.source is None:
        return None
    site_name = Site.get_by_id(item.site_id).name
    site = next((site for site in config.sites if site.name == site_name), None)
    return item.source if site and item.source in {source.name for source in site.sources} else None


def refuse_edit(config: Config, entry: Entry) -> None:
    """Refuse to edit an entry that is edited in a source.

    Raises:
        ContentError: the entry belongs to a configured source; names the source and the file.
    """
    if name := owning_source(config, entry):
        raise ContentError(
            f"“{entry.title}” comes from the source “{name}”, file {entry.source_path}; edit it there, then: "
            f"content.pull {name}"
        )


def _pull(
    config: Config,
    site: Site,
    source: SiteSource,
    row: Source,
    began: float,
    allow_removals: bool,
    again: bool,
    progress: Progress | None,
    on_change: OnChange,
) -> PullResult:
    settings = source.settings
    place = f"{metadata.VERSION} {settings.place}"
    revision, folder, links = "", settings.folder, tuple[str, ...]()
    if folder is None:
        repository = Repository(settings, _home(config, source))
        revision = repository.fetch()
        if not again and (row.revision, row.place, row.unfinished) == (revision, place, False):
            with db.write():
                pull_history.record(row.id, began, "unchanged", revision=revision)
                _update(row, outcome="unchanged", error=None, pulled_at=int(clock.now()))
            return PullResult(source, revision, False, None)
        commit = repository.check_out(revision)
        folder, links = commit.folder, commit.links
    was_unfinished = row.unfinished
    _update(row, unfinished=True)
    report = import_folder(
        config, site.name, folder, source=source.name, progress=progress, allow_removals=allow_removals
    )
    report.notes += [f"{link}: is a symbolic link, which is left out; put a copy of the file there" for link in links]
    changed = was_unfinished or not report.changed_nothing
    outcome = "changed" if changed else "unchanged"
    with db.write():
        if changed:
            at = f" at {revision[:12]}" if revision else ""
            on_change(site, f"source “{source.name}”{at}")
            _audit(site, source, row.revision, revision, report)
        pull_history.record(row.id, began, outcome, revision=revision, lines=report.lines())
        _update(
            row,
            outcome=outcome,
            error=None,
            pulled_at=int(clock.now()),
            revision=revision,
            place=place,
            unfinished=False,
        )
    return PullResult(source, revision, changed, report)


def _audit(site: Site, source: SiteSource, before: str, revision: str, report: Report) -> None:
    """Record what came from a source, which whoever writes to it has changed, and not who had it pulled."""
    after = {"revision": revision, **report.counts()} if revision else report.counts()
    was = {"revision": before} if before else None
    who = Actor(source.name, "source")
    audit.record("source.import", "source", source.name, site=site.name, before=was, after=after, actor=who)


def _row(site: Site, source: SiteSource) -> Source:
    with db.write():
        found: Any = Source.get_or_none(Source.site == site, Source.name == source.name)
        row: Source = found or Source.create(site=site, name=source.name)
    return row


def _update(row: Source, **values: object) -> None:
    with db.write():
        for column, value in values.items():
            setattr(row, column, value)
        row.tried_at = int(clock.now())
        row.save(only=[*values, "tried_at"])


def _home(config: Config, source: SiteSource) -> Path:
    return config.checkouts_folder / source.site / source.name


@contextmanager
def _locked(config: Config, source: SiteSource) -> Iterator[None]:
    """Hold the lock of a source, once no other process of this host pulls it."""
    home = _home(config, source)
    try:
        config.checkouts_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "lock").open("w")
    except OSError as error:
        raise ContentError(
            f"{home}: cannot be used: {error.strerror}; mend that, or name another folder with `checkouts`"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

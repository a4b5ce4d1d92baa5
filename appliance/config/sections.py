"""The sections of the settings file and what each key means; the reference page is generated from them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from appliance.config.contradictions import contradictions, contradictions_of_hosts
from appliance.config.section import Section as _Section
from appliance.config.services import CacheSettings, MailSettings, ScheduleSettings
from appliance.config.sources import SourceSettings
from appliance.config.values import (
    ADDRESS,
    AbsolutePath,
    Address,
    AnyPath,
    Database,
    Docroot,
    Folder,
    Listener,
    Name,
    SiteUrl,
    Zone,
    absolute,
)
from appliance.errors import ConfigError

#: What the settings file is called.
FILE_NAME = "appliance.toml"


class SiteSettings(_Section):
    """One site: a title, an address, a folder below the docroot and a theme."""

    name: Name = Field(description="What the site is called in commands and on the queue. It never changes.")
    title: str = Field(description="The title people read.")
    url: SiteUrl = Field(description="The address readers use, such as `https://www.example.org/`.")
    folder: Folder = Field("", description="Where the site lives below the docroot; empty for the docroot itself.")
    description: str = Field("", description="A sentence about the site, for feeds and search engines.")
    theme: str = Field("default", description="A theme the appliance ships with, or the path of a theme folder.")
    language: str = Field("en", description="The language of the site, as a BCP 47 tag.")
    timezone: Zone = Field("UTC", description="The zone in which dates become days, months and paths.")
    week_starts: Literal["monday", "sunday"] = Field(
        "monday", description="The first day of a week in weekly archives."
    )
    empty_archives: bool = Field(False, description="Publish pages of categories and authors that have no entries.")
    comment_endpoint: str = Field(
        "", description="Where the comment form posts to. Empty: comments are shown, no form is."
    )
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description="Values for the theme's own settings, checked against its `theme.toml`.",
    )
    sources: list[SourceSettings] = Field(
        default_factory=list, description="Folders and git repositories that the site is fed from."
    )


class TargetSettings(_Section):
    """One target: a front end's docroot over ssh and rsync, or a folder on this host."""

    name: Name = Field(description="What the target is called in commands and reports.")
    address: Address = Field(
        description=(
            "`user@host:/absolute/path`, `host:/absolute/path`, an ssh config alias, or `/absolute/path` on this host."
        )
    )
    access: Literal["shell", "rrsync", "module"] = Field(
        "shell",
        description=(
            "How the front end's key is confined: `shell` not at all, `rrsync` by a forced rrsync, "
            "`module` by a forced rsync daemon whose module is named `docroot`."
        ),
    )
    port: int = Field(22, ge=1, le=65535, description="The ssh port.")
    ssh_options: list[str] = Field(
        default_factory=list, description="Further `ssh -o` options, such as `ProxyJump=gate`."
    )
    rsync_options: list[str] = Field(default_factory=list, description="Further rsync options, such as `--bwlimit=2m`.")
    other_path: bool = Field(False, description="Allow a path that differs from the docroot's.")

    @property
    def host(self) -> str | None:
        """`user@host` or an alias; None for a folder on this host."""
        match = None if self.address.startswith("/") else ADDRESS.fullmatch(self.address)
        return match["host"] if match else None

    def path(self, docroot: Path) -> Path:
        """The folder on the target; an alias without a path means the docroot's own."""
        if self.address.startswith("/"):
            return absolute(Path(self.address))
        match = ADDRESS.fullmatch(self.address)
        return absolute(Path(match["path"])) if match and match["path"] else docroot


class PublishingHost(TargetSettings):
    """One of several publishing hosts. All of them hold the whole docroot, so each is a target of the others.

    A list of names alone is taken as well, such as `publishing_hosts = ["pub1", "pub2"]`: then none is sent what the
    others made.
    """

    name: str = Field(min_length=1, pattern=r"^[^:\s]+$", description="What the host calls itself, see `host`.")
    address: Address = Field(
        "", description="Where the others reach its docroot, as for a target. Empty: it is sent nothing."
    )


def _named(value: object) -> object:
    """Publishing hosts of which some may be given by name alone."""
    return [{"name": item} if isinstance(item, str) else item for item in value] if isinstance(value, list) else value


class QueueSettings(_Section):
    """How jobs are claimed, retried and limited."""

    workers: int = Field(2, ge=1, le=256, description="Worker processes on this host.")
    batch: int = Field(50, ge=1, le=1000, description="Jobs a worker claims at once.")
    lease: float = Field(30.0, gt=0, description="Seconds a claim lasts unless renewed; renewed after a third of it.")
    retries: int = Field(
        5, ge=0, le=100, description="Retries of what may pass by itself before a job counts as failed."
    )
    limit: int = Field(
        0, ge=0, description="Jobs that one `drain` or `work --once` works on at most; 0 for as many as there are."
    )
    pause: float = Field(0.0, ge=0, description="Seconds each worker rests between two jobs.")
    rate: float = Field(0.0, ge=0, description="Jobs a second each worker starts at most; 0 for as many as it can.")
    memory: int = Field(
        0,
        ge=0,
        description="MiB of memory above which a worker is replaced by a fresh one, after the job at hand; 0 for none.",
    )
    jobs_per_worker: int = Field(
        0, ge=0, description="Jobs after which a worker is replaced by a fresh one; 0 for never."
    )
    ageing: float = Field(
        60.0,
        ge=0,
        description="Seconds of waiting that weigh as much as one step of priority, so that nothing starves.",
    )


class DeliverySettings(_Section):
    """How changes travel to the targets."""

    ssh_key: AbsolutePath | None = Field(
        None, description="The private key couriers use; ssh's own choice when absent."
    )
    known_hosts: AbsolutePath | None = Field(
        None, description="The file with the front ends' pinned host keys; `~/.ssh/known_hosts` when absent."
    )
    temp_path: AbsolutePath | None = Field(
        None,
        description=(
            "Where ssh control sockets live; a private folder below the system's temporary folder when absent."
        ),
    )
    rsync: str = Field("rsync", description="The rsync program on this host.")
    rsync_options: list[str] = Field(default_factory=list, description="Further rsync options for every target.")
    connect_timeout: int = Field(10, ge=1, description="Seconds to wait for a front end to answer.")
    timeout: int = Field(60, ge=1, description="Seconds without any data after which a transfer is given up.")
    gather: float = Field(0.005, ge=0, le=1, description="Seconds to gather further changes before a push.")
    keep: list[str] = Field(
        default_factory=list,
        description="rsync patterns of files on targets that are not ours and stay, such as `/stats/` or `*.htpasswd`.",
    )
    metrics: Listener = Field(
        "", description="Where Prometheus is answered at `/metrics`, such as `127.0.0.1:9187`. Empty: nowhere."
    )
    tries: int = Field(
        4, ge=1, description="Pushes a drain attempts to a target that fails before it counts as lagging."
    )


class DeletionSettings(_Section):
    """How much may disappear at once without leave."""

    share: float = Field(
        1 / 3, gt=0, le=1, description="More than this part of a site's files, or of a source's entries, is refused."
    )
    least: int = Field(50, ge=1, description="Fewer than this are never refused.")

    def are_exceeded(self, gone: int, total: int) -> bool:
        """Whether to remove `gone` of `total` at once needs leave."""
        return gone >= self.least and gone > self.share * total


class Config(_Section):
    """All settings of one installation on one host."""

    docroot: Docroot = Field(description="The folder whose content every front end serves.")
    database: Database = Field(
        "appliance.db",
        description="The SQLite file, relative to the settings file; or `postgresql://user@host/name`, as several"
        " publishing hosts need it.",
    )
    publishing_hosts: Annotated[list[PublishingHost], BeforeValidator(_named)] = Field(
        default_factory=list, description="All publishing hosts, when there are several."
    )
    staging: AbsolutePath | None = Field(
        None,
        description=(
            "Where files are made before they are renamed into the docroot; must be on its file system. A "
            "hidden folder beside the docroot when absent."
        ),
    )
    assets: AnyPath = Field(Path("assets"), description="Where uploaded files are kept, relative to the settings file.")
    checkouts: AnyPath = Field(
        Path("checkouts"),
        description="Where copies of the git repositories that feed sites are kept, relative to the settings file.",
    )
    shared: Name | None = Field(
        None,
        description="The name in the marker file of a docroot on a shared file system, which front ends mount. Nothing"
        " is sent then, and nothing published while the marker is not there.",
    )
    host: str = Field("", description="This publishing host's name in the journal; the system's host name when empty.")
    sites: list[SiteSettings] = Field(min_length=1, description="The sites of the installation.")
    targets: list[TargetSettings] = Field(default_factory=list, description="The front ends.")
    queue: QueueSettings = Field(
        default_factory=lambda: QueueSettings(), description="How jobs are claimed and retried."
    )
    deletions: DeletionSettings = Field(
        default_factory=lambda: DeletionSettings(), description="How much may disappear at once without leave."
    )
    delivery: DeliverySettings = Field(
        default_factory=lambda: DeliverySettings(), description="How changes travel to the targets."
    )
    schedule: ScheduleSettings = Field(
        default_factory=lambda: ScheduleSettings(), description="When periodic tasks run."
    )
    mail: MailSettings = Field(default_factory=lambda: MailSettings(), description="How mail is sent to authors.")
    caches: list[CacheSettings] = Field(default_factory=list, description="Caches that are told what to drop.")
    path: AnyPath = Field(Path(FILE_NAME), exclude=True, repr=False, description="The file these settings came from.")

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        found = list(contradictions(self.docroot, self.sites, self.targets, self._kept(), self.caches))
        found += contradictions_of_hosts(self.docroot, self.publishing_hosts, self.host_name)
        if len({host.name for host in self.publishing_hosts}) > 1 and not self.database_url:
            found.append(
                "database: several publishing hosts cannot share an SQLite file; write postgresql://user@host/name,"
                " or name one publishing host"
            )
        if self.shared and (self.targets or any(host.address for host in self.publishing_hosts)):
            found.append("shared: what front ends mount is sent nowhere; remove the targets and addresses, or `shared`")
        if found:
            raise ValueError("\n".join(found))
        return self

    def _kept(self) -> dict[str, Path]:
        """What must not be served, by its key."""
        places = {
            **({} if self.database_url else {"database": self.database_file}),
            "assets": self.assets_folder,
            "checkouts": self.checkouts_folder,
            "staging": self.staging_folder,
        }
        return {key: Path(os.path.normpath(path)) for key, path in places.items()}

    @property
    def database_url(self) -> str | None:
        """Where PostgreSQL is, None when the database is an SQLite file."""
        return self.database if "://" in self.database else None

    @property
    def database_file(self) -> Path:
        """Absolute path of the SQLite file."""
        return self.path.parent / self.database

    @property
    def assets_folder(self) -> Path:
        """Absolute path of the folder that keeps uploaded files."""
        return self.path.parent / self.assets

    @property
    def checkouts_folder(self) -> Path:
        """Absolute path of the folder that keeps copies of repositories."""
        return self.path.parent / self.checkouts

    @property
    def staging_folder(self) -> Path:
        """Where files are made before they are renamed into the docroot."""
        return self.staging or self.docroot.parent / f".{self.docroot.name}.staging"

    @property
    def host_name(self) -> str:
        """This publishing host's name in the journal."""
        return self.host or os.uname().nodename

    def site(self, name: str) -> SiteSettings:
        """The settings of one site.

        Raises:
            ConfigError: no site has that name.
        """
        for site in self.sites:
            if site.name == name:
                return site
        known = ", ".join(site.name for site in self.sites)
        raise ConfigError([f"there is no site “{name}”; the sites are {known}"], self.path)

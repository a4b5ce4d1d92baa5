"""The sections of the settings file. The reference page is generated from their descriptions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from appliance.config.admin import AdminSettings
from appliance.config.base import Section
from appliance.config.contradictions import find_contradictions, find_host_contradictions, find_name_contradictions
from appliance.config.services import CacheSettings, MailSettings, ScheduleSettings
from appliance.config.sources import SourceSettings
from appliance.config.targets import DeliverySettings, PublishingHost, TargetSettings
from appliance.config.values import (
    AbsolutePath,
    AnyPath,
    Database,
    Docroot,
    Folder,
    Name,
    SiteUrl,
    Zone,
)
from appliance.config.web import CommentSettings, WebSettings
from appliance.config.webhooks import WebhookSettings, find_webhook_contradictions
from appliance.errors import ConfigError

#: The name of the settings file.
FILE_NAME = "appliance.toml"


class SiteSettings(Section):
    """One site with its title, address, folder below the docroot and theme."""

    name: Name = Field(description="The name of the site in commands and on the queue. It must not change.")
    title: str = Field(description="The title of the site.")
    url: SiteUrl = Field(description="The public address of the site, such as `https://www.example.org/`.")
    folder: Folder = Field("", description="The folder of the site below the docroot; empty for the docroot itself.")
    description: str = Field("", description="A sentence that describes the site, for feeds and search engines.")
    theme: str = Field(
        "default",
        description="The name of an included theme, or the path of a theme folder. A theme can run code, so"
        " it must be trusted.",
    )
    language: str = Field("en", description="The language of the site, as a BCP 47 tag.")
    timezone: Zone = Field("UTC", description="The time zone in which dates become days, months and paths.")
    week_starts: Literal["monday", "sunday"] = Field(
        "monday", description="The first day of the week in weekly archives."
    )
    empty_archives: bool = Field(
        False, description="Also publish archive pages of categories and authors without entries."
    )
    comment_endpoint: str = Field(
        "",
        description="The URL that the comment form posts to. Empty: the web process, if there is one;"
        " otherwise comments are shown, but no form.",
    )
    comments: CommentSettings = Field(
        default_factory=lambda: CommentSettings(), description="How the site takes readers' comments."
    )
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description="Values of the theme's settings, validated against its `theme.toml`.",
    )
    sources: list[SourceSettings] = Field(
        default_factory=list, description="Folders and git repositories that the site imports content from."
    )


def _named(value: object) -> object:
    """Accept publishing hosts that are given by name alone."""
    return [{"name": item} if isinstance(item, str) else item for item in value] if isinstance(value, list) else value


class QueueSettings(Section):
    """How jobs are claimed, retried and limited."""

    workers: int = Field(2, ge=1, le=256, description="The number of worker processes on this host.")
    batch: int = Field(50, ge=1, le=1000, description="The number of jobs that a worker claims at once.")
    lease: float = Field(
        30.0, gt=0, description="Seconds until a claim expires. A worker renews its claim after a third of that time."
    )
    retries: int = Field(
        5, ge=0, le=100, description="The number of retries after temporary errors before a job fails."
    )
    limit: int = Field(0, ge=0, description="The most jobs that one `drain` or `work --once` runs; 0 for no limit.")
    pause: float = Field(0.0, ge=0, description="Seconds that each worker pauses between two jobs.")
    rate: float = Field(0.0, ge=0, description="The most jobs per second that each worker starts; 0 for no limit.")
    memory: int = Field(
        0,
        ge=0,
        description="MiB of memory above which a worker is replaced by a fresh one after its current job; 0"
        " for no limit.",
    )
    jobs_per_worker: int = Field(
        0, ge=0, description="The number of jobs after which a worker is replaced by a fresh one; 0 for never."
    )
    ageing: float = Field(
        60.0,
        ge=0,
        description="Seconds of waiting that count as much as one step of priority, so that no job starves.",
    )


class DeletionSettings(Section):
    """How many files or entries may be removed at once without `--allow-removals`."""

    share: float = Field(
        1 / 3,
        gt=0,
        le=1,
        description="Removing more than this part of a site's files, or of a source's entries, is refused.",
    )
    least: int = Field(50, ge=1, description="Removing fewer than this number is never refused.")

    def are_exceeded(self, removed: int, total: int) -> bool:
        """Whether removing `removed` of `total` files at once is refused."""
        return removed >= self.least and removed > self.share * total


class Config(Section):
    """All settings of one installation on one host."""

    docroot: Docroot = Field(description="The folder with the published files, which every front end serves.")
    database: Database = Field(
        "appliance.db",
        description="An SQLite file, relative to the settings file, or `postgresql://user@host/name`, which several"
        " publishing hosts require.",
    )
    publishing_hosts: Annotated[list[PublishingHost], BeforeValidator(_named)] = Field(
        default_factory=list, description="All publishing hosts, if there are several."
    )
    staging: AbsolutePath | None = Field(
        None,
        description=(
            "The folder in which files are written before they are renamed into the docroot, on the same file system. "
            "By default a hidden folder beside the docroot."
        ),
    )
    assets: AnyPath = Field(Path("assets"), description="The folder for uploaded files, relative to the settings file.")
    checkouts: AnyPath = Field(
        Path("checkouts"),
        description="The folder for clones of the git sources, relative to the settings file.",
    )
    shared: Name | None = Field(
        None,
        description="The name in the marker file of a docroot on a shared file system that front ends"
        " mount. Files are then"
        " not sent, and nothing is published while the marker is missing.",
    )
    host: str = Field(
        "", description="The name of this publishing host in the journal; by default the host name of the system."
    )
    sites: list[SiteSettings] = Field(min_length=1, description="The sites of the installation.")
    targets: list[TargetSettings] = Field(default_factory=list, description="The front ends.")
    queue: QueueSettings = Field(
        default_factory=lambda: QueueSettings(), description="How jobs are claimed and retried."
    )
    deletions: DeletionSettings = Field(
        default_factory=lambda: DeletionSettings(),
        description="How many files or entries may be removed at once without `--allow-removals`.",
    )
    delivery: DeliverySettings = Field(
        default_factory=lambda: DeliverySettings(), description="How changes are sent to the targets."
    )
    schedule: ScheduleSettings = Field(
        default_factory=lambda: ScheduleSettings(), description="When periodic tasks run."
    )
    mail: MailSettings = Field(default_factory=lambda: MailSettings(), description="How mail is sent to authors.")
    caches: list[CacheSettings] = Field(
        default_factory=list, description="Caches that are told which addresses to drop."
    )
    webhooks: list[WebhookSettings] = Field(default_factory=list, description="Other programs that are told of events.")
    web: WebSettings = Field(
        default_factory=lambda: WebSettings(), description="The web process for readers' comments and search."
    )
    admin: AdminSettings = Field(
        default_factory=lambda: AdminSettings(), description="The admin application: sign-in, dashboard and API."
    )
    path: AnyPath = Field(
        Path(FILE_NAME), exclude=True, repr=False, description="The file that these settings were read from."
    )

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        errors = list(find_contradictions(self.docroot, self.sites, self.targets, self._private_paths(), self.caches))
        errors += find_host_contradictions(self.docroot, self.publishing_hosts, self.host_name)
        errors += find_name_contradictions(self.admin, self.sites)
        errors += find_webhook_contradictions(self.webhooks, [site.name for site in self.sites])
        if len({host.name for host in self.publishing_hosts}) > 1 and not self.database_url:
            errors.append(
                "database: several publishing hosts cannot share an SQLite file; write postgresql://user@host/name,"
                " or name one publishing host"
            )
        if self.shared and (self.targets or any(host.address for host in self.publishing_hosts)):
            errors.append(
                "shared: a docroot that front ends mount is not sent to targets; remove the targets and"
                " addresses, or `shared`"
            )
        if errors:
            raise ValueError("\n".join(errors))
        return self

    def _private_paths(self) -> dict[str, Path]:
        """Return the paths that must not be served, by their key."""
        paths = {
            **({} if self.database_url else {"database": self.database_file}),
            "assets": self.assets_folder,
            "checkouts": self.checkouts_folder,
            "staging": self.staging_folder,
        }
        return {key: Path(os.path.normpath(path)) for key, path in paths.items()}

    @property
    def database_url(self) -> str | None:
        """The URL of the PostgreSQL database; None for an SQLite file."""
        return self.database if "://" in self.database else None

    @property
    def database_file(self) -> Path:
        """The absolute path of the SQLite file."""
        return self.path.parent / self.database

    @property
    def assets_folder(self) -> Path:
        """The absolute path of the folder for uploaded files."""
        return self.path.parent / self.assets

    @property
    def checkouts_folder(self) -> Path:
        """The absolute path of the folder for clones of git sources."""
        return self.path.parent / self.checkouts

    @property
    def staging_folder(self) -> Path:
        """The folder in which files are written before they are renamed into the docroot."""
        return self.staging or self.docroot.parent / f".{self.docroot.name}.staging"

    @property
    def intake_socket(self) -> Path:
        """The absolute path of the intake's socket."""
        return self.path.parent / self.web.intake

    @property
    def host_name(self) -> str:
        """The name of this publishing host in the journal."""
        return self.host or os.uname().nodename

    def site(self, name: str) -> SiteSettings:
        """Return the settings of a site.

        Raises:
            ConfigError: no site has this name.
        """
        for site in self.sites:
            if site.name == name:
                return site
        known = ", ".join(site.name for site in self.sites)
        raise ConfigError([f"there is no site “{name}”; the sites are {known}"], self.path)

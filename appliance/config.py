"""The settings: one TOML file, read whole, checked whole, before anything is touched.

Guarantees that a wrong file is refused with every fault at once, each naming file, key and mend. Nothing else in
the appliance reads settings or the environment. The reference page is generated from the descriptions here.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from typing_extensions import Annotated, Self

from appliance.errors import ConfigError

SYSTEM_FILE = Path("/etc/appliance/appliance.toml")
FILE_NAME = "appliance.toml"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_URL = re.compile(r"https?://[^/\s?#]+(/[^\s?#]*)?")
_ADDRESS = re.compile(r"(?P<host>(?:[^@/:\s]+@)?(?:\[[0-9A-Fa-f:.]+\]|[^@/:\s\[\]]+))(?::(?P<path>.*))?")


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"“{path}” is relative; write the absolute path, beginning with /")
    if ".." in path.parts:
        raise ValueError(f"“{path}” contains ..; write the path without it")
    return path


def _not_a_system_folder(path: Path) -> Path:
    refused = {"/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sbin", "/sys"}
    if str(path) in refused | {"/tmp", "/usr", "/var"}:  # noqa: S108 - refused, not used
        raise ValueError(f"“{path}” is a system folder; name a folder made for the site, such as /srv/www")
    return path


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(f"“{value}” is not a name; use up to 63 of a-z, 0-9, - and _, beginning with a-z or 0-9")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError) as error:
        raise ValueError(f"“{value}” is not a time zone; use a name such as Europe/Berlin or UTC") from error
    return value


def _site_url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError(f"“{value}” is not a site address; write it like https://www.example.org/")
    return value.rstrip("/") + "/"


def _folder(value: str) -> str:
    trimmed = value.strip("/")
    segments = trimmed.split("/") if trimmed else []
    if value.startswith("/") or any(s.startswith(".") or "\\" in s or not s for s in segments):
        raise ValueError(f"“{value}” is not a folder below the docroot; write it like blog or news/local")
    return trimmed


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]
Docroot = Annotated[Path, AfterValidator(_absolute), AfterValidator(_not_a_system_folder)]
Name = Annotated[str, AfterValidator(_name)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False, strict=False)


class SiteSettings(_Section):
    """One site: a title, an address, a folder below the docroot and a theme."""

    name: Name = Field(description="What the site is called in commands and on the queue. It never changes.")
    title: str = Field(description="The title people read.")
    url: Annotated[str, AfterValidator(_site_url)] = Field(description="The address readers use, such as `https://www.example.org/`.")
    folder: Annotated[str, AfterValidator(_folder)] = Field("", description="Where the site lives below the docroot; empty for the docroot itself.")
    description: str = Field("", description="A sentence about the site, for feeds and search engines.")
    theme: str = Field("default", description="A theme the appliance ships with, or the path of a theme folder.")
    language: str = Field("en", description="The language of the site, as a BCP 47 tag.")
    timezone: Annotated[str, AfterValidator(_zone)] = Field("UTC", description="The zone in which dates become days, months and paths.")
    week_starts: Literal["monday", "sunday"] = Field("monday", description="The first day of a week in weekly archives.")
    empty_archives: bool = Field(False, description="Publish pages of categories and authors that have no entries.")
    comment_endpoint: str = Field("", description="Where the comment form posts to. Empty: comments are shown, no form is.")
    settings: dict[str, Any] = Field(default_factory=dict, description="Values for the theme's own settings, checked against its `theme.toml`.")


class TargetSettings(_Section):
    """One target: a front end's docroot over ssh and rsync, or a folder on this host."""

    name: Name = Field(description="What the target is called in commands and reports.")
    address: str = Field(description="`user@host:/absolute/path`, `host:/absolute/path`, an ssh config alias, or `/absolute/path` on this host.")
    access: Literal["shell", "rrsync", "module"] = Field("shell", description="How the front end's key is confined: `shell` not at all, `rrsync` by a forced rrsync, `module` by a forced rsync daemon whose module is named `docroot`.")
    port: int = Field(22, ge=1, le=65535, description="The ssh port.")
    ssh_options: list[str] = Field(default_factory=list, description="Further `ssh -o` options, such as `ProxyJump=gate`.")
    rsync_options: list[str] = Field(default_factory=list, description="Further rsync options, such as `--bwlimit=2m`.")
    other_path: bool = Field(False, description="Allow a path that differs from the docroot's.")

    @model_validator(mode="after")
    def _address_is_usable(self) -> Self:
        match = _ADDRESS.fullmatch(self.address)
        path = self.address if self.address.startswith("/") else match["path"] if match else None
        if not self.address.startswith("/") and not match:
            raise ValueError(f"address: “{self.address}” is neither user@host:/absolute/path, an ssh config alias nor /absolute/path")
        if path is not None and not path.startswith("/"):
            raise ValueError(f"address: “{self.address}” has a relative path; write it like user@host:/srv/www")
        if path is not None and ".." in path.split("/"):
            raise ValueError(f"address: “{self.address}” contains ..; write the path without it")
        return self

    @property
    def host(self) -> str | None:
        """`user@host` or an alias; None for a folder on this host."""
        match = None if self.address.startswith("/") else _ADDRESS.fullmatch(self.address)
        return match["host"] if match else None

    def path(self, docroot: Path) -> Path:
        """The folder on the target; an alias without a path means the docroot's own."""
        if self.address.startswith("/"):
            return Path(self.address)
        match = _ADDRESS.fullmatch(self.address)
        return Path(match["path"]) if match and match["path"] else docroot


class QueueSettings(_Section):
    """How jobs are claimed and retried."""

    workers: int = Field(2, ge=1, le=256, description="Worker processes on this host.")
    batch: int = Field(50, ge=1, le=1000, description="Jobs a worker claims at once.")
    lease: float = Field(30.0, gt=0, description="Seconds a claim lasts unless renewed; renewed after a third of it.")
    retries: int = Field(5, ge=0, le=100, description="Retries of what may pass by itself before a job counts as failed.")
    ageing: float = Field(60.0, ge=0, description="Seconds of waiting that weigh as much as one step of priority, so that nothing starves.")


class DeliverySettings(_Section):
    """How changes travel to the targets."""

    ssh_key: AbsolutePath | None = Field(None, description="The private key couriers use; ssh's own choice when absent.")
    known_hosts: AbsolutePath | None = Field(None, description="The file with the front ends' pinned host keys; `~/.ssh/known_hosts` when absent.")
    temp_path: AbsolutePath | None = Field(None, description="Where ssh control sockets live; a private folder below the system's temporary folder when absent.")
    rsync: str = Field("rsync", description="The rsync program on this host.")
    rsync_options: list[str] = Field(default_factory=list, description="Further rsync options for every target.")
    connect_timeout: int = Field(10, ge=1, description="Seconds to wait for a front end to answer.")
    timeout: int = Field(60, ge=1, description="Seconds without any data after which a transfer is given up.")
    gather: float = Field(0.005, ge=0, le=1, description="Seconds to gather further changes before a push.")
    tries: int = Field(4, ge=1, description="Pushes a drain attempts to a target that fails before it counts as lagging.")


class Config(_Section):
    """All settings of one installation on one host."""

    docroot: Docroot = Field(description="The folder whose content every front end serves.")
    database: str = Field("appliance.db", description="The SQLite file, relative to the settings file.")
    staging: AbsolutePath | None = Field(None, description="Where files are made before they are renamed into the docroot; must be on its file system. A hidden folder beside the docroot when absent.")
    assets: Path = Field(Path("assets"), description="Where uploaded files are kept, relative to the settings file.")
    host: str = Field("", description="This publishing host's name in the journal; the system's host name when empty.")
    sites: list[SiteSettings] = Field(min_length=1, description="The sites of the installation.")
    targets: list[TargetSettings] = Field(default_factory=list, description="The front ends.")
    queue: QueueSettings = Field(default_factory=QueueSettings, description="How jobs are claimed and retried.")
    delivery: DeliverySettings = Field(default_factory=DeliverySettings, description="How changes travel to the targets.")
    path: Annotated[Path, Field(exclude=True, repr=False)] = Path(FILE_NAME)

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        faults: list[str] = []
        for what, names in (("sites", [s.name for s in self.sites]), ("targets", [t.name for t in self.targets])):
            twice = sorted({name for name in names if names.count(name) > 1})
            faults += [f"{what}: the name “{name}” is used twice; give each its own" for name in twice]
        faults += self._folder_faults()
        for target in self.targets:
            path = target.path(self.docroot)
            if target.host is None and path == self.docroot:
                faults.append(f"targets.{target.name}: “{path}” is the docroot itself; a target is another place")
            elif path != self.docroot and not target.other_path:
                faults.append(
                    f"targets.{target.name}: path “{path}” differs from docroot “{self.docroot}”; use the same path on every host, or set other_path = true"
                )
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _folder_faults(self) -> list[str]:
        faults = []
        folders = {}
        for site in self.sites:
            if site.folder in folders:
                faults.append(f"sites.{site.name}: folder “{site.folder}” is also that of site “{folders[site.folder]}”; give each site its own")
            folders.setdefault(site.folder, site.name)
        return faults

    @property
    def database_file(self) -> Path:
        """Absolute path of the SQLite file."""
        return self.path.parent / self.database

    @property
    def assets_folder(self) -> Path:
        """Absolute path of the folder that keeps uploaded files."""
        return self.path.parent / self.assets

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


def find(folder: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The settings file in force: $APPLIANCE_CONFIG, then `folder` (the working folder), then /etc/appliance.

    Raises:
        ConfigError: there is none.
    """
    if named := environ.get("APPLIANCE_CONFIG"):
        path = Path(named).absolute()
        if not path.is_file():
            raise ConfigError([f"APPLIANCE_CONFIG names {path}, which is not a file; correct or unset it"])
        return path
    for path in ((folder or Path.cwd()) / FILE_NAME, SYSTEM_FILE):
        if path.is_file():
            return path
    raise ConfigError([f"no {FILE_NAME} here and none in {SYSTEM_FILE.parent}; make a site with: invoke site.init DIR"])


def load(path: Path | None = None) -> Config:
    """Read and check a settings file; it alone, or the one `find` names.

    Raises:
        ConfigError: with every fault of the file.
    """
    path = (path or find()).absolute()
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}"], path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"is not TOML: {error}"], path) from error
    return check(raw, path)


def check(raw: Mapping[str, Any], path: Path) -> Config:
    """Make a Config of parsed TOML.

    Raises:
        ConfigError: with every fault found.
    """
    try:
        return Config.model_validate({**raw, "path": path}) if "path" not in raw else _refuse_path(path)
    except ValidationError as error:
        raise ConfigError([line for e in error.errors() for line in fault_lines(e, Config)], path) from error


def _refuse_path(path: Path) -> Config:
    raise ConfigError(["path: unknown key; remove it"], path)


def fault_lines(error: ErrorDetails, model: type[BaseModel]) -> list[str]:
    """One fault of pydantic's as sentences that name the key and the mend."""
    key = ".".join(str(part) for part in error["loc"])
    kind, context = error["type"], error.get("ctx", {})
    if kind == "value_error":
        lines = str(context["error"]).split("\n")
        return [f"{key}: {line}" if key else line for line in lines]
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(error["loc"][-1]), known_keys(model, error["loc"][:-1]), 1)
        return [f"{key}: unknown key; " + (f"did you mean {close[0]}?" if close else "remove it")]
    if kind == "missing":
        return [f"{key}: is missing; add it"]
    given = repr(error["input"])
    return [f"{key}: {given} will not do; {error['msg'][0].lower()}{error['msg'][1:]}"]


def known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand at `location` in `model`."""
    current: Any = model
    for part in location:
        if isinstance(part, int):
            continue
        annotation = current.model_fields[part].annotation
        current = next((a for a in getattr(annotation, "__args__", ()) if hasattr(a, "model_fields")), annotation)
        if not hasattr(current, "model_fields"):
            return []
    return [name for name in current.model_fields if name != "path"]

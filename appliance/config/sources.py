"""The settings of sources: folders and git repositories from which a site imports content."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from appliance import clock
from appliance.config.base import Section
from appliance.config.values import AbsolutePath, Folder, Name

#: The least number of seconds between two pulls of a source.
_SHORTEST = 10

#: No user, host or path may begin with -, since git and ssh would read it as an option.
_OVER_SSH = re.compile(r"ssh://(?:\w[\w.+-]*@)?\w[\w.-]*(?::\d+)?/\S+|(?:\w[\w.+-]*@)?\w[\w.-]*:(?![-/]*/)(?!-)\S+")
_OVER_HTTPS = re.compile(r"https://[\w][\w.-]*(?::\d+)?/\S+")
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock$))[\w][\w./+#@-]*(?<![./])")


def _repository(value: str) -> str:
    if value.startswith("https://") and "@" in value.partition("//")[2].partition("/")[0]:
        raise ValueError("the address holds a password, which reports would show; use ssh and a deploy key")
    is_local = re.fullmatch(r"(?:file://)?/[^\0\n]*", value) and ".." not in value.split("/")
    if not (is_local or _OVER_SSH.fullmatch(value) or _OVER_HTTPS.fullmatch(value)):
        raise ValueError(
            f"“{value}” is not a git repository; write git@host:path.git, ssh://host/path, https://host/path"
            " or /path/on/this/host"
        )
    return value


def _branch(value: str) -> str:
    if value and not _BRANCH.fullmatch(value):
        raise ValueError(f"“{value}” is not a branch; write its name, such as main")
    return value


def _span(value: str) -> str:
    if value and clock.parse_duration(value) < _SHORTEST:
        raise ValueError(f"“{value}” is too often; write {_SHORTEST}s or more")
    return value


class SourceSettings(Section):
    """A source of a site. Content from it is edited only there; see `docs/how-to/edit-in-git.md`."""

    name: Name = Field(
        description="The name of the source in commands and reports. It must not change, since entries refer to it."
    )
    folder: AbsolutePath | None = Field(None, description="A folder on this host. Give either this or `git`.")
    git: Annotated[str, AfterValidator(_repository)] | None = Field(
        None,
        description="A git repository: `git@host:path.git`, `ssh://host/path`, `https://host/path` or `/path`.",
    )
    branch: Annotated[str, AfterValidator(_branch)] = Field(
        "", description="The branch; by default the one that the repository's HEAD names."
    )
    subfolder: Folder = Field(
        "", description="The folder of the repository that holds the content; empty for the whole repository."
    )
    key: AbsolutePath | None = Field(
        None, description="The private key for reading the repository over ssh; by default ssh chooses."
    )
    known_hosts: AbsolutePath | None = Field(
        None, description="The file with the pinned key of the repository's host; by default `~/.ssh/known_hosts`."
    )
    every: Annotated[str, AfterValidator(_span)] = Field(
        "", description="How often the source is pulled, such as `10m`; empty for only on request."
    )
    hook_secret_file: AbsolutePath | None = Field(
        None,
        description="A file with the secret of a webhook of the git host, which then asks for a pull at once; see"
        " `docs/how-to/webhooks.md`. Further lines are further secrets. Only its owner may read it.",
    )
    timeout: float = Field(300.0, gt=0, le=86_400, description="Seconds after which a fetch is aborted.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.folder is None) == (self.git is None):
            raise ValueError("needs either folder or git; give one of them")
        if self.folder is not None and (self.branch or self.subfolder or self.key or self.known_hosts):
            raise ValueError("branch, subfolder, key and known_hosts are for git; remove them, or name a repository")
        if (self.key or self.known_hosts) and not self.is_over_ssh:
            raise ValueError("key and known_hosts are for ssh; remove them, or write the address as git@host:path.git")
        return self

    @property
    def is_over_ssh(self) -> bool:
        """Whether the repository is reached over ssh."""
        return bool(self.git and _OVER_SSH.fullmatch(self.git))

    @property
    def seconds(self) -> int | None:
        """Seconds between two pulls; None if it is pulled only on request."""
        return int(clock.parse_duration(self.every)) if self.every else None

    @property
    def place(self) -> str:
        """The folder, or the repository with branch and subfolder, for people."""
        if self.git is None:
            return str(self.folder)
        return self.git + (f" {self.branch}" if self.branch else "") + (f" {self.subfolder}/" if self.subfolder else "")

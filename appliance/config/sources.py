"""The section about where a site's content comes from: folders and git repositories that are edited elsewhere."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from appliance import clock
from appliance.config.section import Section
from appliance.config.values import AbsolutePath, Folder, Name

#: Seconds between two pulls of a source at the least.
_SHORTEST = 10

#: No user, host or path may begin with -, or git and ssh would take it for an option.
_OVER_SSH = re.compile(r"ssh://(?:\w[\w.+-]*@)?\w[\w.-]*(?::\d+)?/\S+|(?:\w[\w.+-]*@)?\w[\w.-]*:(?![-/]*/)(?!-)\S+")
_OVER_HTTPS = re.compile(r"https://[\w][\w.-]*(?::\d+)?/\S+")
_BRANCH = re.compile(r"(?!.*(?:\.\.|//|@\{|\.lock$))[\w][\w./+#@-]*(?<![./])")


def _repository(value: str) -> str:
    if value.startswith("https://") and "@" in value.partition("//")[2].partition("/")[0]:
        raise ValueError("the address holds a password, which reports would show; use ssh and a deploy key")
    is_local = re.fullmatch(r"(?:file://)?/[^\0\n]*", value) and ".." not in value.split("/")
    if not (is_local or _OVER_SSH.fullmatch(value) or _OVER_HTTPS.fullmatch(value)):
        raise ValueError(
            f"“{value}” is no git repository; write git@host:path.git, ssh://host/path, https://host/path"
            " or /path/on/this/host"
        )
    return value


def _branch(value: str) -> str:
    if value and not _BRANCH.fullmatch(value):
        raise ValueError(f"“{value}” is no branch; write its name, such as main")
    return value


def _span(value: str) -> str:
    if value and clock.span(value) < _SHORTEST:
        raise ValueError(f"“{value}” is too often; write {_SHORTEST}s or more")
    return value


class SourceSettings(Section):
    """One place a site is fed from. What comes from it is edited there; see `docs/how-to/edit-in-git.md`."""

    name: Name = Field(
        description="What the source is called in commands and reports. It never changes: entries know it."
    )
    folder: AbsolutePath | None = Field(None, description="A folder on this host; or name a repository by `git`.")
    git: Annotated[str, AfterValidator(_repository)] | None = Field(
        None,
        description="A git repository: `git@host:path.git`, `ssh://host/path`, `https://host/path` or `/path`.",
    )
    branch: Annotated[str, AfterValidator(_branch)] = Field(
        "", description="The branch; the repository's own first choice when empty."
    )
    subfolder: Folder = Field("", description="The folder in the repository that holds the content; empty for all.")
    key: AbsolutePath | None = Field(
        None, description="The private key that may read the repository over ssh; ssh's own choice when absent."
    )
    known_hosts: AbsolutePath | None = Field(
        None, description="The file with the repository host's pinned key; `~/.ssh/known_hosts` when absent."
    )
    every: Annotated[str, AfterValidator(_span)] = Field(
        "", description="How often it is pulled, such as `10m`; only when asked if empty."
    )
    timeout: float = Field(300.0, gt=0, le=86_400, description="Seconds after which a fetch is given up.")

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.folder is None) == (self.git is None):
            raise ValueError("needs either folder or git; write one of them")
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
        """Seconds between two pulls; None when it is pulled only when asked."""
        return int(clock.span(self.every)) if self.every else None

    @property
    def place(self) -> str:
        """Where it is, for people."""
        if self.git is None:
            return str(self.folder)
        return self.git + (f" {self.branch}" if self.branch else "") + (f" {self.subfolder}/" if self.subfolder else "")

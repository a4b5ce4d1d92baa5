"""The settings of targets, of publishing hosts, and of delivery to them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from appliance.config.base import Section
from appliance.config.values import (
    ADDRESS,
    AbsolutePath,
    Address,
    Listener,
    Name,
    SshOption,
    absolute_path,
)


class TargetSettings(Section):
    """One target: the docroot of a front end, reached with rsync over ssh, or a folder on this host."""

    name: Name = Field(description="The name of the target in commands and reports.")
    address: Address = Field(
        description=(
            "`user@host:/absolute/path`, `host:/absolute/path`, an alias from ssh's configuration, or"
            " `/absolute/path` on this host."
        )
    )
    access: Literal["shell", "rrsync", "module"] = Field(
        "shell",
        description=(
            "How the front end confines the key: `shell` not at all, `rrsync` by a forced rrsync, "
            "`module` by a forced rsync daemon whose module is named `docroot`."
        ),
    )
    port: int = Field(22, ge=1, le=65535, description="The ssh port.")
    ssh_options: list[SshOption] = Field(
        default_factory=list,
        description="Additional `ssh -o` options for the target itself, such as `ProxyJump=gate`. The port,"
        " user and key of"
        " the jump host `gate` come from `Host gate` in `~/.ssh/config`, and its host key is pinned like the target's.",
    )
    rsync_options: list[str] = Field(
        default_factory=list, description="Additional rsync options, such as `--bwlimit=2m`."
    )
    other_path: bool = Field(False, description="Allow a path other than the docroot's.")

    @property
    def host(self) -> str | None:
        """`user@host` or an alias; None for a folder on this host."""
        match = None if self.address.startswith("/") else ADDRESS.fullmatch(self.address)
        return match["host"] if match else None

    def path(self, docroot: Path) -> Path:
        """Return the folder on the target. For an alias without a path it is the path of the docroot."""
        if self.address.startswith("/"):
            return absolute_path(Path(self.address))
        match = ADDRESS.fullmatch(self.address)
        return absolute_path(Path(match["path"])) if match and match["path"] else docroot


class PublishingHost(TargetSettings):
    """One of several publishing hosts. Each holds the whole docroot, so each is a target of the others.

    A list of names is also accepted, such as `publishing_hosts = ["pub1", "pub2"]`. Hosts without an address are not
    sent files that other hosts have built.
    """

    name: str = Field(min_length=1, pattern=r"^[^:\s]+$", description="The name of the host, see `host`.")
    address: Address = Field(
        "", description="The address of its docroot for the other hosts, as for a target. Empty: it is sent nothing."
    )


class DeliverySettings(Section):
    """How changes are sent to the targets."""

    ssh_key: AbsolutePath | None = Field(
        None,
        description="The private key of the couriers, also used for jump hosts; by default ssh chooses.",
    )
    known_hosts: AbsolutePath | None = Field(
        None,
        description="The file with the pinned host keys of front ends and jump hosts; by default `~/.ssh/known_hosts`."
        " If `ssh_key` is set too, `~/.ssh/config` is used only for hosts that it names.",
    )
    temp_path: AbsolutePath | None = Field(
        None,
        description=(
            "The folder for a private folder with ssh's sockets and settings. By default"
            " the `RuntimeDirectory` of the unit, `XDG_RUNTIME_DIR`, or the system's temporary folder."
        ),
    )
    rsync: str = Field("rsync", description="The rsync program on this host.")
    rsync_options: list[str] = Field(default_factory=list, description="Additional rsync options for every target.")
    connect_timeout: int = Field(10, ge=1, description="Seconds to wait for a front end to answer.")
    timeout: int = Field(60, ge=1, description="Seconds without any data after which a transfer is aborted.")
    gather: float = Field(0.005, ge=0, le=1, description="Seconds to wait for further changes before a push.")
    keep: list[str] = Field(
        default_factory=list,
        description=(
            "rsync patterns of other files on targets, which are neither removed nor overwritten, such as `/stats/`"
            " or `*.htpasswd`."
        ),
    )
    metrics: Listener = Field(
        "",
        description="The address on which `/metrics` is served for Prometheus, such as `127.0.0.1:9187`."
        " Empty: not served.",
    )
    tries: int = Field(
        4,
        ge=1,
        description="The number of pushes that `drain` attempts to a failing target before it reports the"
        " target as lagging.",
    )

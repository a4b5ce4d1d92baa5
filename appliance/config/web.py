"""The settings of readers' comments and search: the web process, the intake, and the rules for comments of a site."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from appliance.config.base import Section
from appliance.config.values import AbsolutePath, AnyPath

_PATH: Final = re.compile(r"/[A-Za-z0-9_-]+/")
_TCP: Final = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]|localhost):(\d{1,5})")
_MODE: Final = re.compile(r"0?[0-7]{3}")
_ACCOUNT: Final = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


def _path(value: str) -> str:
    if value and not _PATH.fullmatch(value):
        raise ValueError(f"“{value}” is not a path of the web process; write one folder between slashes, like /-/")
    return value


def _listen(value: str) -> str:
    if value.startswith("unix:"):
        if not value.removeprefix("unix:") or not value.isprintable():
            raise ValueError("the path of the Unix socket is missing; write it like unix:run/web.sock")
        return value
    tcp = _TCP.fullmatch(value)
    if not tcp or not 0 < int(tcp[1]) < 65536:
        raise ValueError(f"“{value}” is not an address to listen on; write 127.0.0.1:8090 or unix:run/web.sock")
    return value


def _mode(value: str) -> str:
    if not _MODE.fullmatch(value):
        raise ValueError(f"“{value}” is not the mode of a file; write it like 0660")
    if int(value, 8) & 0o002:
        raise ValueError(f"mode {value} would let every account connect; write 0660 and name a group")
    return value


def _account(value: str) -> str:
    if value and not _ACCOUNT.fullmatch(value):
        raise ValueError(f"“{value}” is not the name of an account or group; write it like www-data")
    return value


def _networks(value: list[str]) -> list[str]:
    for one in value:
        try:
            ipaddress.ip_network(one)
        except ValueError as error:
            raise ValueError(
                f"“{one}” is no address and no network; write it like 192.0.2.10 or 10.0.0.0/24"
            ) from error
    return value


Listen = Annotated[str, AfterValidator(_listen)]
Networks = Annotated[list[str], AfterValidator(_networks)]
Mode = Annotated[str, AfterValidator(_mode)]
Account = Annotated[str, AfterValidator(_account)]


class WebSettings(Section):
    """The web process, which takes readers' comments and searches. Without a `path` there is none.

    Where the web process has an account of its own, it reads these settings from a file of their own, `web.toml`.
    """

    path: Annotated[str, AfterValidator(_path)] = Field(
        "",
        description="The path on every site that the front ends pass to the web process, such as `/-/`. Empty: pages"
        " have neither a comment form nor a search box.",
    )
    listen: Listen = Field(
        "unix:run/web.sock",
        description="Where the web process listens: an address and a port, or `unix:` and the path of a socket,"
        " relative to the settings file.",
    )
    socket_group: Account = Field(
        "", description="The group of the Unix socket: that of the web server. Empty: the group of the process."
    )
    socket_mode: Mode = Field("0660", description="The mode of the Unix socket.")
    trusted_proxies: Networks = Field(
        default_factory=lambda: ["127.0.0.1", "::1"],
        description="Addresses or networks of the front ends. Only they may say in X-Forwarded-For who a request came"
        " from. A web server on the same Unix socket is trusted as well.",
    )
    with_work: bool = Field(
        True,
        description="Whether `work` runs the web process too. False where `appliance serve` is a service with an"
        " account of its own.",
    )
    workers: int = Field(2, ge=1, le=64, description="The number of web worker processes.")
    threads: int = Field(16, ge=1, le=128, description="The number of requests that each web worker handles at once.")
    requests_per_worker: int = Field(
        10_000,
        ge=0,
        description="The number of requests after which a web worker is replaced, with jitter; 0 for never.",
    )
    worker_hours: float = Field(
        6.0, ge=0, description="Hours after which a web worker is replaced, with jitter; 0 for never."
    )
    timeout: float = Field(10.0, gt=0, le=120, description="Seconds that one request may take.")
    body: int = Field(65_536, ge=1024, le=1_048_576, description="The most bytes that a request may have.")
    intake: AnyPath = Field(
        Path("run/intake.sock"),
        description="The Unix socket of the intake, which checks and saves for the web process; relative to the"
        " settings file.",
    )
    intake_group: Account = Field(
        "", description="The group that may connect to the intake. Empty: only the publishing account."
    )
    intake_user: Account = Field(
        "",
        description="The account of the web process, which may connect to the intake besides the publishing account.",
    )

    @model_validator(mode="after")
    def _account_and_group(self) -> Self:
        if self.intake_user and not self.intake_group:
            raise ValueError("intake_group is missing; name the group through which intake_user may connect")
        return self


class CommentSettings(Section):
    """How a site takes readers' comments."""

    moderation: Literal["none", "first", "all"] = Field(
        "first",
        description="Which comments wait for approval: none, the first by an e-mail address (and those without one), or"
        " all.",
    )
    links: int = Field(2, ge=0, description="A comment with more links than this waits for approval.")
    close_after: int = Field(
        0, ge=0, description="Days after its publication until an entry takes no more comments; 0 for never."
    )
    rate: int = Field(6, ge=1, description="The most comments per minute from one network: an IPv4 /24 or an IPv6 /48.")
    entry_rate: int = Field(120, ge=1, description="The most comments per minute on one entry.")
    waiting: int = Field(
        1000, ge=1, description="The most comments that may wait for approval on a site; then further ones are refused."
    )
    least_seconds: float = Field(
        2.0,
        ge=0,
        description="Seconds that a person needs at least to write a comment; what comes sooner is asked again.",
    )
    delete_minutes: int = Field(
        30, ge=0, description="Minutes in which readers may delete a comment of theirs, by a link; 0 for not at all."
    )
    notices: bool = Field(True, description="Whether readers may ask to be told by mail of replies. Needs [mail].")
    spam_check: Literal["none", "local", "akismet"] = Field(
        "local",
        description="What judges comments: nothing, the rules of this installation, or a service that speaks"
        " Akismet's protocol.",
    )
    akismet_url: str = Field("https://rest.akismet.com/", description="The address of the service.")
    akismet_key_file: AbsolutePath | None = Field(
        None,
        description="A file whose first line is the key of the service. Only its owner may read it.",
    )
    keep_spam: float = Field(
        30.0, ge=0, description="Days that comments marked as spam are kept; 0 for as long as nobody deletes them."
    )
    keep_origins: float = Field(
        30.0, ge=0, description="Days that the network address and the browser of a comment's sender are kept."
    )
    keep_emails: float = Field(
        0.0,
        ge=0,
        description="Days that the e-mail addresses of readers are kept; 0 for as long as the comment. Those of deleted"
        " comments are kept for 30 days at most.",
    )

    @model_validator(mode="after")
    def _key_of_service(self) -> Self:
        if self.spam_check == "akismet" and self.akismet_key_file is None:
            raise ValueError("akismet_key_file is missing; name the file with the key of the service")
        return self

"""The settings of mail, caches and periodic tasks."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from appliance.config.base import Section
from appliance.config.values import AbsolutePath, Name, SiteUrl, Zone

#: How often a periodic task runs.
Interval = Literal["never", "5m", "10m", "30m", "hourly", "2h", "6h", "12h", "daily", "weekly", "monthly"]

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")
_PORTS = {"none": 25, "starttls": 587, "tls": 465}


def is_mail_address(value: str) -> bool:
    """Whether `value` has the form of exactly one mail address."""
    return len(value) <= 254 and value.isprintable() and _ADDRESS.fullmatch(value) is not None


def _mail_address(value: str) -> str:
    if value and not is_mail_address(value):
        raise ValueError(f"“{value}” is not a mail address; write it like blog@example.org")
    return value


def _time(value: str) -> str:
    if not _TIME.fullmatch(value):
        raise ValueError(f"“{value}” is not a time of day; write it like 03:30")
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    for name, text in value.items():
        if not _HEADER.fullmatch(name) or not (text.isprintable() and text.isascii()):
            raise ValueError(f"“{name}” with “{text}” is not a header; write a name and printable ASCII")
    return value


class MailSettings(Section):
    """How mail is sent: about comments, and to users about their accounts. Without a host no mail is sent."""

    host: str = Field("", description="The SMTP server. Empty: no mail is sent.")
    port: int | None = Field(
        None, ge=1, le=65535, description="The port of the server; by default 25, 587 or 465, depending on `security`."
    )
    security: Literal["none", "starttls", "tls"] = Field(
        "starttls",
        description="How the connection is encrypted. With `starttls` and `tls`, mail is only sent encrypted.",
    )
    ca_file: AbsolutePath | None = Field(
        None,
        description="Certificates to trust instead of the system's, for a server with its own certificate authority.",
    )
    user: str = Field("", description="The account to log in with. Empty: no login.")
    password_file: AbsolutePath | None = Field(
        None, description="A file with the password in its first line. Only the publishing account may read it."
    )
    sender: Annotated[str, AfterValidator(_mail_address)] = Field(
        "", description="The address that mail is sent from; required with `host`."
    )
    subject: str = Field("", description="The prefix of subjects; by default the title of the site in brackets.")
    timeout: float = Field(10.0, gt=0, le=300, description="Seconds to wait for each answer of the server.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host and not self.sender:
            raise ValueError("sender is missing; give the address that mail is sent from")
        if self.user and not self.password_file:
            raise ValueError("password_file is missing; name the file with the password of the account")
        if self.user and self.security == "none":
            raise ValueError("a password must not travel unencrypted; use security starttls or tls, or no user")
        return self

    @property
    def server(self) -> tuple[str, int]:
        """The host and the port of the server."""
        return self.host, self.port or _PORTS[self.security]


class CacheSettings(Section):
    """One cache in front of the front ends. It is told to drop an address when every front end has the new version."""

    name: Name = Field(description="The name of the cache on the queue and in reports.")
    url: SiteUrl = Field(description="The URL of the cache, such as `http://cache1.example.org:6081/`.")
    method: Literal["PURGE", "BAN"] = Field("PURGE", description="The HTTP method of a request to drop an address.")
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(
        default_factory=dict, description="Additional headers of each request, such as a token."
    )
    timeout: float = Field(5.0, gt=0, le=300, description="Seconds to wait for an answer.")


class ScheduleSettings(Section):
    """When periodic tasks run. Each task runs once when it is due, regardless of the number of hosts."""

    timezone: Zone = Field("UTC", description="The time zone of the times below.")
    at: Annotated[str, AfterValidator(_time)] = Field(
        "03:30", description="The time of day of daily, weekly (Mondays) and monthly (the 1st) tasks."
    )
    prune: Interval = Field("daily", description="How often rows that are no longer needed are deleted.")
    verify: Interval = Field(
        "hourly",
        description="How often the files of the docroot are compared with the published ones, by size and time.",
    )
    verify_bytes: Interval = Field("weekly", description="How often the content of every file is compared as well.")
    verify_targets: Interval = Field(
        "daily", description="How often every file of every target is compared with the published one, and repaired."
    )
    keep_jobs: float = Field(7.0, ge=0, description="Days that done, superseded and cancelled jobs are kept.")
    keep_changes: float = Field(90.0, ge=0, description="Days that the log of published changes is kept.")

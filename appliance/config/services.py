"""The sections about what is done beside publishing: mail, caches, and the schedule."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from appliance.config.section import Section
from appliance.config.values import AbsolutePath, Name, SiteUrl, Zone

#: How often something is done: the ready-made intervals, and not at all.
Interval = Literal["never", "5m", "10m", "30m", "hourly", "2h", "6h", "12h", "daily", "weekly", "monthly"]

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+")
_PORTS = {"none": 25, "starttls": 587, "tls": 465}


def is_mail_address(value: str) -> bool:
    """Whether mail can be sent to `value`, going by its form: one address and nothing else, on one line."""
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
    """How mail is sent: to the authors of an entry when a comment on it is approved. Without a host none is."""

    host: str = Field("", description="The SMTP server. Empty: no mail is sent.")
    port: int | None = Field(None, ge=1, le=65535, description="Its port; 25, 587 or 465 by `security` when absent.")
    security: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="`starttls` and `tls` refuse to send unless the connection is encrypted."
    )
    ca_file: AbsolutePath | None = Field(
        None, description="Certificates to trust in place of the system's, for a server with one of its own."
    )
    user: str = Field("", description="The account to sign in with. Empty: without signing in.")
    password_file: AbsolutePath | None = Field(
        None, description="The file whose first line is the account's password; readable by this account alone."
    )
    sender: Annotated[str, AfterValidator(_mail_address)] = Field(
        "", description="The address mail comes from; must be given with a host."
    )
    subject: str = Field("", description="What subjects begin with; the site's title in brackets when empty.")
    timeout: float = Field(10.0, gt=0, le=300, description="Seconds to wait for the server at each step.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host and not self.sender:
            raise ValueError("sender is missing; name the address that mail comes from")
        if self.user and not self.password_file:
            raise ValueError("password_file is missing; name the file with the password of the account")
        if self.user and self.security == "none":
            raise ValueError("a password must not travel unencrypted; use security starttls or tls, or no user")
        return self

    @property
    def server(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port or _PORTS[self.security]


class CacheSettings(Section):
    """One cache in front of the front ends, told what to drop once every front end shows something newer."""

    name: Name = Field(description="What the cache is called on the queue and in reports.")
    url: SiteUrl = Field(description="Where it takes requests, such as `http://cache1.example.org:6081/`.")
    method: Literal["PURGE", "BAN"] = Field("PURGE", description="The HTTP method that makes it drop an address.")
    headers: Annotated[dict[str, str], AfterValidator(_headers)] = Field(
        default_factory=dict, description="Further headers of each request, such as a token the cache asks for."
    )
    timeout: float = Field(5.0, gt=0, le=300, description="Seconds to wait for an answer.")


class ScheduleSettings(Section):
    """When periodic tasks run. Each runs once at its time, whatever the number of hosts."""

    timezone: Zone = Field("UTC", description="The zone of the times below.")
    at: Annotated[str, AfterValidator(_time)] = Field(
        "03:30", description="The time of day of what is done daily, weekly (on Mondays) and monthly (on the 1st)."
    )
    prune: Interval = Field("daily", description="How often rows nobody needs any more are removed.")
    verify: Interval = Field(
        "hourly", description="How often the docroot's files are compared with what was published, by size and time."
    )
    verify_bytes: Interval = Field("weekly", description="How often the bytes of every file are compared as well.")
    verify_targets: Interval = Field(
        "daily", description="How often every file of every target is compared with what was published, and repaired."
    )
    keep_jobs: float = Field(
        7.0, ge=0, description="Days that jobs stay visible after they ended well or were superseded or cancelled."
    )
    keep_changes: float = Field(90.0, ge=0, description="Days that the record of published changes is kept.")

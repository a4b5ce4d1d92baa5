"""The settings of the admin application: where it listens, under which names, and the rules of signing in."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from appliance.config.base import Section
from appliance.config.web import Account, Listen, Mode, Networks


def _origin(value: str) -> str:
    if not value:
        return value
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"“{value}” is not an origin; write https:// and a host name, like https://admin.example.org/")
    if parts.username is not None:
        raise ValueError("an origin has no user; write https:// and a host name, like https://admin.example.org/")
    return f"https://{parts.netloc.lower()}/"


Origin = Annotated[str, AfterValidator(_origin)]
RoleName = Literal["viewer", "moderator", "author", "editor", "admin"]


class AdminSettings(Section):
    """The admin application: signing in, the dashboard and the JSON API. Without a `url` there is none."""

    url: Origin = Field(
        "",
        description="The address of the admin application, a host name of its own that no site has, such as"
        " `https://admin.example.org/`. Empty: there is no admin application.",
    )
    preview_url: Origin = Field(
        "",
        description="The address of previews, a further host name of its own, such as `https://preview.example.org/`."
        " Empty: no previews can be shared.",
    )
    listen: Listen = Field(
        "unix:run/admin.sock",
        description="Where the admin application listens: an address and a port, or `unix:` and the path of a socket,"
        " relative to the settings file. The web server in front of it speaks TLS.",
    )
    socket_group: Account = Field(
        "", description="The group of the Unix socket: that of the web server. Empty: the group of the process."
    )
    socket_mode: Mode = Field("0660", description="The mode of the Unix socket.")
    trusted_proxies: Networks = Field(
        default_factory=lambda: ["127.0.0.1", "::1"],
        description="Addresses or networks of web servers that may say in X-Forwarded-For who a request came from. A"
        " web server on the same Unix socket is trusted as well.",
    )
    with_work: bool = Field(
        True,
        description="Whether `work` runs the admin application too. False where `appliance admin` is a service of its"
        " own.",
    )
    workers: int = Field(1, ge=1, le=64, description="The number of worker processes.")
    threads: int = Field(8, ge=1, le=128, description="The number of requests that each worker handles at once.")
    requests_per_worker: int = Field(
        10_000, ge=0, description="The number of requests after which a worker is replaced, with jitter; 0 for never."
    )
    worker_hours: float = Field(
        6.0, ge=0, description="Hours after which a worker is replaced, with jitter; 0 for never."
    )
    timeout: float = Field(30.0, gt=0, le=300, description="Seconds that one request may take.")
    body: int = Field(
        1_048_576, ge=65_536, le=16_777_216, description="The most bytes that a request may have, uploads aside."
    )
    upload: int = Field(33_554_432, ge=65_536, le=1_073_741_824, description="The most bytes of one uploaded file.")
    second_factor: list[RoleName] = Field(
        default=["admin"],
        description="The roles that need a second factor: a passkey, or a code of an authenticator app.",
    )
    idle_minutes: int = Field(60, ge=5, le=10_080, description="Minutes without a request after which a session ends.")
    session_hours: int = Field(12, ge=1, le=720, description="Hours after which a session ends in any case.")
    token_days: int = Field(365, ge=1, le=3650, description="The most days that an API token is valid.")

    @model_validator(mode="after")
    def _origins(self) -> Self:
        if self.preview_url and not self.url:
            raise ValueError("url is missing; give the address of the admin application, which shares previews")
        if self.preview_url and urlsplit(self.preview_url).hostname == urlsplit(self.url).hostname:
            raise ValueError(
                "preview_url has the host name of url; previews hold authors' HTML, so give them a host of their own"
            )
        return self

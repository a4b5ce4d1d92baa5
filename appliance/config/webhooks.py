"""The settings of webhooks: where events are sent, which ones, and how the requests are signed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from appliance.config.base import Section
from appliance.config.values import AbsolutePath, Name
from appliance.config.web import Networks

#: What a webhook can be told of.
Event = Literal["page.published", "comment.waiting", "target.behind", "job.failed"]

_SCHEMES: Final = ("http", "https")


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in _SCHEMES and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        usable = None
    if not usable or not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError(
            f"“{value}” is not the address of a webhook; write it like https://hooks.example.org/appliance"
        )
    if parts.username is not None or parts.fragment:
        raise ValueError("the address of a webhook has neither a user nor a fragment; the signature shows who sends")
    return value


class WebhookSettings(Section):
    """One webhook: another program that is told of events by a signed request; see `docs/how-to/webhooks.md`."""

    name: Name = Field(description="The name of the webhook on the queue and in reports.")
    url: Annotated[str, AfterValidator(_url)] = Field(
        description="The address that events are posted to, such as `https://hooks.example.org/appliance`."
    )
    events: list[Event] = Field(
        min_length=1,
        description="What to tell: `page.published`, `comment.waiting`, `target.behind` (and `target.level` when it has"
        " caught up), `job.failed`.",
    )
    sites: list[Name] = Field(
        default_factory=list, description="Only events of these sites; by default of all. Targets belong to every site."
    )
    secret_file: AbsolutePath = Field(
        description="A file with the secret that requests are signed with, `whsec_` and base64, in its first line."
        " Further lines are older or newer secrets, for as long as receivers change theirs. Only its owner may read it."
    )
    timeout: float = Field(10.0, gt=0, le=60, description="Seconds that one request may take as a whole.")
    allow_private: Networks = Field(
        default_factory=list,
        description="Addresses or networks to send to although they are not public, such as `10.0.8.0/24`.",
    )
    allow_http: bool = Field(
        False, description="Whether `url` may begin with `http://`, which others on the network can read."
    )
    ca_file: AbsolutePath | None = Field(
        None,
        description="Certificates to trust instead of the system's, for a server with its own certificate authority.",
    )
    behind: float = Field(
        60.0, ge=1, le=86_400, description="Seconds of lag from which `target.behind` is told of a target."
    )

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.url.startswith("http://") and not self.allow_http:
            raise ValueError("url must begin with https://; where nobody can listen, allow_http = true permits http://")
        return self

    def wants(self, event: str, site: str = "") -> bool:
        """Whether to tell of an event of a site; an event without a site concerns every site."""
        wanted = event in self.events or (event == "target.level" and "target.behind" in self.events)
        return wanted and (not site or not self.sites or site in self.sites)


def find_webhook_contradictions(webhooks: Sequence[WebhookSettings], sites: Sequence[str]) -> Iterator[str]:
    """Yield one sentence for each contradiction between webhooks, and between them and the names of the sites."""
    names = [webhook.name for webhook in webhooks]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"webhooks: the name “{name}” is used twice; give each its own"
    for webhook in webhooks:
        for site in webhook.sites:
            if site not in sites:
                yield f"webhooks.{webhook.name}.sites: there is no site “{site}”; the sites are {', '.join(sites)}"

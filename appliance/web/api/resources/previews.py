"""Links to previews: made, listed and revoked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from appliance import editorial, previews
from appliance.accounts import ownership
from appliance.web.admin import guard
from appliance.web.api.fields import Id, PageOf, PageQuery, Sent, Shown
from appliance.web.api.operations import Answer, Call, found, operation
from appliance.web.api.problems import NotThere, Problem


class Preview(Shown):
    """A link to a preview of an entry, without its secret. Times are seconds since the epoch."""

    id: int
    site: str
    entry: int
    title: str
    created_by: str
    created_at: float
    expires_at: float
    revoked_at: float | None
    revoked_by: str
    seen_at: float | None
    state: Literal["active", "expired", "revoked"]
    built_at: float | None
    build: Literal["waiting", "ready", "failed"]
    fault: str = Field(description="Why it cannot be built, or what is left out; empty if all is well.")


class SharedPreview(Preview):
    """A link with its address, which is shown this once."""

    url: str


class PreviewQuery(PageQuery):
    """Which links."""

    entry: Id | None = None


class NewPreview(Sent):
    """For how long a preview is shared."""

    days: int = Field(7, ge=1, le=30)


@operation("GET", "/previews", "entry.read", query=PageQuery, answer=PageOf[Preview])
def list_all_previews(call: Call) -> Answer:
    """List the links to previews of all sites whose entries one may read."""
    sites = guard.allowed_sites("entry.read")
    return Answer(previews.list_links(call.config, within=sites, size=call.query.size, after=call.query.after))


@operation("GET", "/sites/{site}/previews/{preview}", "entry.read", answer=Preview)
def read_preview(call: Call) -> Answer:
    """Return a link to a preview."""
    return Answer(_link(call))


@operation("GET", "/sites/{site}/previews", "entry.read", query=PreviewQuery, answer=PageOf[Preview])
def list_previews(call: Call) -> Answer:
    """List the links to previews."""
    asked: PreviewQuery = call.query
    return Answer(previews.list_links(call.config, call.site, asked.entry, size=asked.size, after=asked.after))


@operation(
    "POST", "/sites/{site}/entries/{entry}/previews", "entry.share", body=NewPreview, answer=SharedPreview, status=201,
    has_secret=True,
)  # fmt: skip
def share_preview(call: Call) -> Answer:
    """Make a link that shows an entry as it would be published to whoever has it."""
    entry = found(lambda: editorial.get_entry(call.config, call.site, call.path["entry"]))
    guard.require("entry.share", call.site, owns=ownership.owns(call.principal.user, entry.id))
    if not call.config.admin.preview_url:
        raise Problem(422, "No previews can be shared here: the settings name no address for them.", "refused")
    secret, link = previews.share(call.config, call.site, entry.id, days=call.body.days)
    values = {name: getattr(link, name) for name in Preview.model_fields}
    return Answer({**values, "url": previews.link_url(call.config, secret)})


@operation("DELETE", "/sites/{site}/previews/{preview}", "entry.share")
def revoke_preview(call: Call) -> Answer:
    """Revoke a link to a preview at once."""
    link = _link(call)
    guard.require("entry.share", call.site, owns=ownership.owns(call.principal.user, link.entry))
    found(lambda: previews.revoke(call.config, call.site, call.path["preview"]))
    return Answer()


def _link(call: Call) -> Any:
    number = call.path["preview"]
    link = previews.get_link(call.config, call.site, number)
    if link is None:
        raise NotThere(f"There is no link {number} to a preview on the site {call.site}.")
    return link

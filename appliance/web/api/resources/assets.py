"""Uploaded files: listed, read, uploaded, replaced, moved and deleted."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from appliance import editorial
from appliance.accounts import ownership
from appliance.content.models import Asset as StoredAsset
from appliance.content.sites import find_site
from appliance.editorial import AssetFilter
from appliance.web.admin import guard
from appliance.web.api.fields import Id, PageOf, PageQuery, Rows, Sent, Shown
from appliance.web.api.operations import Answer, Call, found, operation
from appliance.web.api.problems import NotThere, Problem


class Asset(Shown):
    """An uploaded file."""

    id: int
    path: str = Field(description="Below the site.")
    size: int = Field(description="Bytes.")
    media_type: str
    width: int | None = Field(description="Pixels; null where the file is no picture.")
    height: int | None
    entry: int | None = Field(description="The entry that it belongs to.")
    source: str | None
    version: str = Field(description="The ETag, for If-Match.")


class AssetQuery(PageQuery):
    """Which files."""

    path: str = Field("", max_length=1000, description="A part of the path, in upper or lower case.")
    entry: Id | None = None
    media_type: str = Field("", max_length=100, description="The beginning: `image` or `image/png`.")


class UploadQuery(Sent):
    """Where a file goes."""

    path: str = Field(
        "", max_length=1000, description="Below the site: `pictures/cat.jpg`. By default the name in the form."
    )
    entry: Id | None = Field(None, description="The entry that it belongs to.")
    replace: bool = Field(False, description="Replace a file that is there, with the right to replace files.")


class AssetReference(Sent):
    """Which file."""

    reference: str = Field(min_length=1, max_length=1000, description="Its path below the site, or its id.")


class ChosenAssets(Sent):
    """Which files."""

    assets: list[str] = Field(min_length=1, max_length=500, description="Their paths below the site, or their ids.")


class AssetMove(Sent):
    """Where a file is to be."""

    path: str = Field(min_length=1, max_length=1000)


@operation("GET", "/sites/{site}/assets", "asset.read", query=AssetQuery, answer=PageOf[Asset])
def list_assets(call: Call) -> Answer:
    """List uploaded files by path."""
    asked: AssetQuery = call.query
    wanted = AssetFilter(asked.path, asked.entry, asked.media_type)
    page = editorial.list_assets(
        call.config, call.site, wanted, size=asked.size, after=asked.after, with_total=asked.total
    )
    return Answer(page)


@operation(
    "GET", "/sites/{site}/assets/lookup", "asset.read", query=AssetReference, answer=Asset, has_version=True
)  # fmt: skip
def look_up_asset(call: Call) -> Answer:
    """Return the uploaded file with a path or an id, as the commands of the shell take them."""
    row: Any = found(lambda: editorial.get_asset(call.config, call.site, call.query.reference))
    return Answer(row, row.version)


@operation("GET", "/sites/{site}/assets/{asset}", "asset.read", answer=Asset, has_version=True)
def read_asset(call: Call) -> Answer:
    """Return what is known of an uploaded file."""
    row = _asset(call)
    return Answer(row, row.version)


@operation(
    "POST", "/sites/{site}/assets", "asset.upload", query=UploadQuery, answer=Asset, status=201, has_version=True,
    takes_file=True,
)  # fmt: skip
def upload_asset(call: Call) -> Answer:
    """Upload a file under a path that is free, or in place of the file there with `replace`.

    Send the bytes as the body, or a form with the part `file`. The content has to be what the name says. Files that a
    browser would run, such as HTML and SVG, need the right to publish HTML.
    """
    path = call.query.path or (call.received.name if call.received else "")
    if not path:
        raise Problem(422, "Say where the file goes: with the parameter “path”, or a name in the form.", "invalid")
    replaces = call.query.replace and call.may("asset.replace")
    row, changed = _upload(call, path, call.query.entry, must_be_free=not replaces)
    return Answer(row, row.version, f"/sites/{call.site}/assets/{row.id}", changed=changed)


@operation(
    "PUT", "/sites/{site}/assets/{asset}", "asset.replace", answer=Asset, has_version=True, is_conditional=True,
    takes_file=True,
)  # fmt: skip
def replace_asset(call: Call) -> Answer:
    """Replace the bytes of an uploaded file, at the same path."""
    before = _asset(call)
    row, changed = _upload(call, before.path, None, expected=call.expected(before.version))
    return Answer(row, row.version, changed=changed)


@operation(
    "PATCH", "/sites/{site}/assets/{asset}", "asset.replace", body=AssetMove, answer=Asset, has_version=True,
    is_conditional=True,
)  # fmt: skip
def move_asset(call: Call) -> Answer:
    """Move an uploaded file to another path."""
    row = _asset(call)
    result = editorial.move_asset(
        call.config, call.site, row.path, call.body.path, expected_version=call.expected(row.version),
        accepts=_accepted(call), later=True,
    )  # fmt: skip
    row = _asset(call)
    return Answer(row, row.version, changed=result.changed)


@operation("DELETE", "/sites/{site}/assets/{asset}", "asset.delete", is_conditional=True)
def delete_asset(call: Call) -> Answer:
    """Delete an uploaded file."""
    row = _asset(call)
    expected = call.expected(row.version)
    versions = {} if expected is None else {row.id: expected}
    editorial.remove_assets(call.config, call.site, row.path, expected_versions=versions, later=True)
    return Answer()


@operation("POST", "/sites/{site}/assets/delete", "asset.delete", body=ChosenAssets, answer=Rows[Asset])
def delete_assets(call: Call) -> Answer:
    """Delete uploaded files: all of them or none."""
    rows = [editorial.get_asset(call.config, call.site, reference) for reference in dict.fromkeys(call.body.assets)]
    result = editorial.remove_assets(call.config, call.site, *call.body.assets, later=True)
    return Answer({"rows": rows}, changed=result.changed)


def _upload(
    call: Call, path: str, entry: int | None, *, must_be_free: bool = False, expected: str | None = None
) -> tuple[Any, bool]:
    if call.received is None:
        raise Problem(422, "Send a file.", "invalid")
    if entry is not None:
        if editorial.get_entry(call.config, call.site, entry).id != entry:
            raise Problem(422, f"There is no entry {entry} on the site {call.site}.", "refused")
        guard.require("entry.edit", call.site, owns=ownership.owns(call.principal.user, entry))
    result = editorial.upload_asset(
        call.config, call.site, call.received.file, path, entry=entry, expected_version=expected,
        accepts=_accepted(call), must_be_free=must_be_free, later=True,
    )  # fmt: skip
    return editorial.get_asset(call.config, call.site, result.subject.path), result.changed


def _accepted(call: Call) -> Any:
    return "matching" if call.may("entry.html") else "harmless"


def _asset(call: Call) -> Any:
    number = call.path["asset"]
    row = StoredAsset.get_or_none(StoredAsset.id == number, StoredAsset.site == find_site(call.config, call.site))
    if row is None:
        raise NotThere(f"There is no file {number} on the site {call.site}.")
    return editorial.get_asset(call.config, call.site, row.path)

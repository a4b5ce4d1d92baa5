"""Whether a text is published at its source, by the front matter of all supported systems.

Guarantees that a value which is not understood makes a draft and publishes nothing: `draft: yes`, `draft: 1` and
`draft: "maybe"` all make a draft.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from appliance.content.models import EntryStatus

_FALSE: Final = frozenset({"", "false", "no", "n", "off", "0", "none", "null", "never", "~"})
_UNPUBLISHED: Final = frozenset(
    {
        "draft", "hidden", "private", "pending", "skip", "trash", "unpublished", "auto-draft", "inherit", "embargo",
        "embargoed", "review", "in review", "in-review", "wip", "archived", "deleted",
    }
)  # fmt: skip


class PublicationStatus(NamedTuple):
    """The status of an entry, and why it is a draft; the reason is empty when it is not."""

    status: EntryStatus
    reason: str = ""


def publication_status(
    meta: Mapping[str, Any], path: str, publish_at: int, unpublish_at: int | None, now: float, *, is_listed: bool = True
) -> PublicationStatus:
    """The status of a text.

    Args:
        meta: its front matter and what it inherits, with keys in lower case.
        path: its path in the folder.
        publish_at: when it is to be published, in seconds since the epoch.
        unpublish_at: when it is to be withdrawn; None for never.
        now: the present.
        is_listed: whether lists and feeds show it here, as they do entries.
    """
    reason = _draft_reason(meta, path) or (_unlisted_reason(meta) if is_listed else "")
    if not reason and unpublish_at is not None and unpublish_at <= now:
        reason = "its expiry date is past"
    if reason:
        return PublicationStatus("draft", reason)
    return PublicationStatus("scheduled" if publish_at > now else "published")


def not_rendered(meta: Mapping[str, Any], system: str) -> str:
    """Why a text is not a page at its source, nor the draft of one; empty when it is."""
    build = meta.get("build", meta.get("_build"))
    render = (
        {str(key).lower(): value for key, value in build.items()}.get("render") if isinstance(build, dict) else None
    )
    if render is not None and (is_false(render) or str(render).lower() in ("never", "link")):
        return f"has build: render: {render}, so it is not a page of its own"
    if _is_set(meta, "headless"):
        return "is headless, so it is not a page of its own"
    if system == "zola" and meta.get("render") is False:
        return "has render = false, so it is not a page of its own"
    return ""


def _draft_reason(meta: Mapping[str, Any], path: str) -> str:
    status = str(meta.get("status") or "").strip().lower()
    if _is_set(meta, "draft"):
        return "its front matter says draft"
    if "published" in meta and is_false(meta["published"]):
        return "its front matter says published: false"
    if status in _UNPUBLISHED:
        return f"its status is {status}"
    if _is_set(meta, "private") or str(meta.get("visibility") or "").strip().lower() in ("private", "hidden", "none"):
        return "its front matter says private"
    if _is_set(meta, "password"):
        return "it has a password, and a published file cannot ask for one"
    if "permalink" in meta and meta["permalink"] is not None and is_false(meta["permalink"]):
        return "its front matter says permalink: false"
    if "_drafts" in PurePosixPath(path).parts:
        return "it is in _drafts/"
    return ""


def _unlisted_reason(meta: Mapping[str, Any]) -> str:
    build = meta.get("build", meta.get("_build"))
    listed = str(build.get("list", "always")).lower() if isinstance(build, dict) else "always"
    if listed not in ("always", "true", "local") or _is_set(meta, "eleventyexcludefromcollections"):
        return "no list of its source shows it"
    return ""


def _is_set(meta: Mapping[str, Any], key: str) -> bool:
    """Whether a key has a value that is not clearly false."""
    return meta.get(key) is not None and not is_false(meta[key])


def is_false(value: Any) -> bool:
    """Whether a value means no, however it is written."""
    if isinstance(value, str):
        return value.strip().lower() in _FALSE
    return not value

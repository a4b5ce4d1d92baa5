"""The guard before removals: what would take away a large part of a site at once is refused unless told to.

A source that vanished, a theme with a slip in a path or a wrong selection then costs a sentence instead of a site.
"""

from __future__ import annotations

from appliance.config import DeletionSettings
from appliance.errors import ContentError


def is_too_much(gone: int, total: int, limits: DeletionSettings) -> bool:
    """Whether to remove `gone` of `total` at once needs leave."""
    return limits.are_exceeded(gone, total)


def refuse(what: str, gone: int, total: int, limits: DeletionSettings, leave: str = "--allow-removals") -> None:
    """Refuse to remove too much at once.

    Args:
        what: what is removed and from where, in the plural: `entries and files of the source “docs”`.
        gone: how many.
        total: of how many.
        limits: how many may go without leave.
        leave: how a person gives leave.

    Raises:
        ContentError: they are more than `limits` allow.
    """
    if is_too_much(gone, total, limits):
        raise ContentError(
            f"{gone:,} of {total:,} {what} would be removed at once, which is more than {limits.share:.0%},"
            f" so nothing was done; if that is meant, say so with {leave}"
        )

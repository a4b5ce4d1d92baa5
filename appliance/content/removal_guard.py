"""The guard against accidental mass removals.

Removing a large part of a site at once needs explicit permission. A source that vanished or a theme with a typing error
in a path then costs an error message instead of the site.
"""

from __future__ import annotations

from appliance.config import DeletionSettings
from appliance.errors import ContentError


def check_removal(
    what: str, removed: int, total: int, limits: DeletionSettings, override: str = "--allow-removals"
) -> None:
    """Refuse to remove too much at once.

    Args:
        what: the things removed and where from, in the plural: `entries and files of the source “docs”`.
        removed: how many would be removed.
        total: how many there are.
        limits: how many may be removed without permission.
        override: the option that gives permission.

    Raises:
        ContentError: more than `limits` allow would be removed.
    """
    if limits.are_exceeded(removed, total):
        raise ContentError(
            f"{removed:,} of {total:,} {what} would be removed at once, which is more than {limits.share:.0%},"
            f" so nothing was done; if that is meant, say so with {override}"
        )

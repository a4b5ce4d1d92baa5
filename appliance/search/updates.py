"""Has what a transaction changes indexed before the transaction is committed.

Only an installation with a web process is searched, so others are spared the work. If there is one later, `index`
catches up.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from appliance import db
from appliance.content import changes

_KEY: Final = "search"


@cache
def follow_changes() -> None:
    """Have every transaction of this process from now on index what it changes."""
    changes.subscribe(_changed)


def _changed(_site: int, _event: str, _actor: str) -> None:
    """Read the entries that the transaction changes, just before it commits."""
    config = db.opened_config()
    if config is not None and config.web.path:
        db.before_commit(_KEY, _index)


def _index() -> None:
    from appliance.search import index  # loads the stemmers, which most commands do not need

    index.index_changed()

"""Reading within a limit of time, for queries that strangers ask for.

Guarantees that the database itself ends a statement that takes too long, so that it takes no processor from others,
and that the connection can be used on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from appliance import db

T = TypeVar("T")


class TimeLimitExceeded(Exception):  # noqa: N818 - the limit is meant to be reached
    """A statement took longer than it may."""


def read_within(seconds: float, read: Callable[[], T]) -> T:
    """Call `read` in a read transaction, in which no statement takes longer than `seconds`, and return its result.

    Raises:
        TimeLimitExceeded: one was ended.
    """
    backend = db.backend()
    try:
        with db.snapshot(), backend.limit_statements(seconds):
            return read()
    except Exception as error:
        if not backend.is_over_time(error):
            raise
    raise TimeLimitExceeded  # outside the handler, since an error with that context would count as an outage

"""The header Prefer: whether a caller waits until its change can be read by everybody (RFC 7240)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from werkzeug.http import parse_dict_header

#: The most seconds that a request waits, fewer than it may take.
LONGEST_WAIT: Final = 20


@dataclass(frozen=True, slots=True)
class Preference:
    """What a caller prefers."""

    #: Seconds to wait until every front end shows the change; None if the caller does not ask for it.
    wait: int | None = None
    #: Whether to be told at once where to see how far it is.
    responds_async: bool = False


def read_preference(header: str | None) -> Preference:
    """Read the header. Preferences that are unknown, or make no sense, are ignored, as the standard asks."""
    if not header:
        return Preference()
    given = {name.strip().lower(): value for name, value in parse_dict_header(header.replace(";", ",")).items()}
    seconds = given.get("wait") or ""
    wait = min(int(seconds), LONGEST_WAIT) if seconds.isascii() and seconds.isdigit() and len(seconds) < 9 else None
    return Preference(wait, "respond-async" in given)

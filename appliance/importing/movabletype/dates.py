"""The dates of Movable Type's format, as seconds since the epoch."""

from __future__ import annotations

import re
from datetime import tzinfo

from appliance.errors import ContentError
from appliance.importing import dates

#: Two-digit years from this one on belong to the last century.
_PIVOT = 70

_MONTH_FIRST = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})"
    r"(?:[\s,]+(\d{1,2}):(\d{1,2})(?::(\d{1,2}))?(?:\s*([AaPp])\.?[Mm]\.?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)


def timestamp(text: str, zone: tzinfo) -> int:
    """Read `MM/DD/YYYY hh:mm:ss AM`, its shorter forms, or a date with the year first.

    Without AM or PM the clock has 24 hours. Seconds, or the whole time, may be missing. A date without a time zone is
    read by the clock of `zone`.

    Raises:
        ContentError: `text` is not such a date.
    """
    try:
        found = dates.timestamp(_year_first(text.strip()), zone)
    except ContentError:
        found = None
    if found is None:
        raise ContentError(f"has the date “{text[:60]}”, which cannot be read; write it like 01/31/2002 03:31:05 PM")
    return found


def _year_first(text: str) -> str:
    match = _MONTH_FIRST.fullmatch(text)
    if match is None:
        return text
    month, day, year, hour, minute, second, half, offset = match.groups()
    hours = int(hour or 0)
    if half in ("P", "p") and hours < 12:
        hours += 12
    elif half in ("A", "a") and hours == 12:
        hours = 0
    century = 0 if len(year) == 4 else 1900 if int(year) >= _PIVOT else 2000
    return (
        f"{int(year) + century:04}-{month}-{day} "
        f"{hours:02}:{int(minute or 0):02}:{int(second or 0):02}{' ' + offset if offset else ''}"
    )

"""Dates as people write them in front matter, file names and addresses."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any

from appliance import clock
from appliance.errors import ContentError

_ISO = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})"
    r"(?:(?:[Tt]|\s+)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([AaPp][Mm])?)?"
    r"\s*(Z|z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)?"
)
_WORDS = (
    "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y", "%B %d, %Y %H:%M", "%b %d, %Y %H:%M", "%d %B %Y %H:%M",
)  # fmt: skip
_FILE_NAME = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[-_. ]+(.+))?$")
_IN_ADDRESS = re.compile(r"(?:^|/)(\d{4})/(\d{1,2})/(\d{1,2})(?:/|$)")
#: A week inside the years 1 to 9999, so that every time zone and the first day of the week can be computed.
_EARLIEST, _LATEST = -62_134_991_999, 253_401_695_999
#: Values with which Eleventy takes the date from the file system or from git.
_NO_DATE = ("last modified", "created", "git last modified", "git created", "")


def timestamp(value: Any, zone: tzinfo) -> int | None:
    """Seconds since the epoch of a date of front matter; None when `value` is empty.

    A date without a time zone is read by the clock of `zone`.

    Raises:
        ContentError: `value` is not a date.
    """
    if value is None or isinstance(value, bool):
        return None
    try:
        found = _datetime(value, zone)
        seconds = None if found is None else _within_reach(clock.to_timestamp(found, zone))
    except (ValueError, OverflowError, OSError, TypeError, IndexError) as error:
        raise ContentError(
            f"“{str(value)[:60]}” is not a date; write it like 2024-05-01 or 2024-05-01T10:30:00Z"
        ) from error
    return seconds


def split_file_name(stem: str) -> tuple[date | None, str]:
    """The date with which a file name begins, and the rest: `2024-05-01-hello` gives 2024-05-01 and `hello`."""
    match = _FILE_NAME.match(stem)
    found = _date(match[1], match[2], match[3]) if match else None
    return (found, match[4] or stem) if match and found else (None, stem)


def date_in_address(address: str) -> date | None:
    """The date in an address such as `2025/06/26/title`; None when there is none."""
    match = _IN_ADDRESS.search(address)
    return _date(match[1], match[2], match[3]) if match else None


def midnight(day: date, zone: tzinfo) -> int:
    """When a day begins in `zone`, in seconds since the epoch."""
    return clock.to_timestamp(datetime(day.year, day.month, day.day, tzinfo=zone), zone)


def _within_reach(seconds: int) -> int:
    if not _EARLIEST < seconds < _LATEST:
        raise OverflowError("beyond the calendar of some time zone")
    return seconds


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _datetime(value: Any, zone: tzinfo) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=zone)
    if isinstance(value, (int, float)):
        return datetime.fromtimestamp(value / 1000 if abs(value) > 1e11 else value, UTC)
    text = str(value).strip()
    if text.lower() in _NO_DATE:
        return None
    match = _ISO.fullmatch(text)
    return _of_iso(match) if match else _of_words(text)


def _of_iso(match: re.Match[str]) -> datetime:
    year, month, day, hour, minute, second, half, offset = match.groups()
    hours = int(hour or 0)
    if half:
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    return datetime(int(year), int(month), int(day), hours, int(minute or 0), int(second or 0), tzinfo=_zone(offset))


def _zone(offset: str | None) -> tzinfo | None:
    if not offset:
        return None
    if offset[0] not in "+-":
        return UTC
    digits = offset[1:].replace(":", "")
    hours, minutes = (digits[:-2], digits[-2:]) if len(digits) > 2 else (digits, "0")
    span = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-span if offset[0] == "-" else span)


def _of_words(text: str) -> datetime:
    for format in _WORDS:
        try:
            return datetime.strptime(text, format)
        except ValueError:
            continue
    return parsedate_to_datetime(text)

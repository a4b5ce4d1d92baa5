"""Pages of a list and numbers of rows: the values that queries return.

Lists are paged by keyset. A cursor holds the sort values of the last row of a page, and the next page begins right
after them. A row that stands while somebody walks through all pages is therefore seen exactly once, whatever is added
and removed meanwhile, and the last page costs as much as the first.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

from appliance.errors import CursorError

Row = TypeVar("Row")

#: Rows of a page unless a query is told otherwise.
PAGE_SIZE: Final = 50

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows. When counting stopped early, there are at least so many."""

    number: int
    is_capped: bool = False

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.is_capped else ''}"

    def __add__(self, other: Count) -> Count:
        return Count(self.number + other.number, self.is_capped or other.is_capped)


NONE: Final = Count(0)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list, in its order.

    A page may hold fewer rows than were asked for, or none, although more follow: where a filter matches few rows, a
    query stops after it has looked at a bounded number of them. Only `next` tells whether the list is at its end.
    """

    rows: tuple[Row, ...]
    #: The cursor that the next page begins after; None on the last page.
    next: str | None
    #: The rows of all pages; None when the query was told not to count them.
    total: Count | None = None


class Group(NamedTuple):
    """What rows are counted by. For entries, a kind is `entry` or `page`, and a state is a status."""

    site: str
    kind: str
    state: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of rows by site, kind and state. Groups without rows are absent."""

    groups: Mapping[Group, Count]

    @property
    def total(self) -> Count:
        """The number of all rows."""
        return sum(self.groups.values(), NONE)

    def by_site(self) -> dict[str, Count]:
        """Number of rows of each site."""
        return self._by(lambda group: group.site)

    def by_kind(self) -> dict[str, Count]:
        """Number of rows of each kind."""
        return self._by(lambda group: group.kind)

    def by_state(self) -> dict[str, Count]:
        """Number of rows in each state."""
        return self._by(lambda group: group.state)

    def _by(self, key: Callable[[Group], str]) -> dict[str, Count]:
        found: dict[str, Count] = {}
        for group, count in self.groups.items():
            found[key(group)] = found.get(key(group), NONE) + count
        return found


def all_rows(read: Callable[[str | None], Page[Row]]) -> Iterator[Row]:
    """Every row of a list, page after page. `read` returns the page after a cursor."""
    after: str | None = None
    while True:
        page = read(after)
        yield from page.rows
        if page.next is None:
            return
        after = page.next


def encode_cursor(order: str, values: Sequence[object]) -> str:
    """The cursor after the row with these sort values, as text that fits into an address."""
    return base64.urlsafe_b64encode(json.dumps([order, *values]).encode()).decode().rstrip("=")


def decode_cursor(order: str, cursor: str, types: Sequence[type]) -> tuple[object, ...]:
    """The sort values that a cursor holds.

    Raises:
        CursorError: the text is no cursor, or a cursor of a list in another order.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = json.loads(base64.b64decode(padded, b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise CursorError(order) from error
    if not isinstance(found, list) or len(found) != len(types) + 1 or found[0] != order:
        raise CursorError(order)
    return tuple(_checked(order, value, kind) for value, kind in zip(found[1:], types, strict=True))


def _checked(order: str, value: object, kind: type) -> object:
    """A value from outside, which every database accepts for a column of this type."""
    if kind is str:
        sound = isinstance(value, str) and "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
    elif isinstance(value, int) and not isinstance(value, bool):
        sound = _SMALLEST <= value <= _LARGEST
    else:
        sound = kind is float and isinstance(value, float) and math.isfinite(value)
    if not sound:
        raise CursorError(order)
    return value

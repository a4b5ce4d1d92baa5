"""Pages and counts of tables that may hold millions of rows, in a time that does not grow with them.

A list is the union of groups of rows. An index holds each group in the order of the list, so that a page reads only as
many index entries as it has rows. A filter that no index serves is tested row by row, on at most `reach` rows of each
group: a page then holds what was found among them, and its cursor leads on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from appliance import db
from appliance.paging import Count, Page, decode_cursor, encode_cursor

Row = TypeVar("Row")
K = TypeVar("K", bound=Hashable)

#: Rows of a group on which one page or one count tests a filter that no index serves.
REACH: Final = 10_000
#: Rows of a group that are counted one by one. Of more, a count says that there are at least so many.
CAP: Final = 10_000

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A part of a WHERE clause, with ? for the values bound in it."""

    sql: str = ""
    values: Values = ()

    def __and__(self, other: Condition) -> Condition:
        if not self.sql or not other.sql:
            return self if self.sql else other
        return Condition(f"{self.sql} AND {other.sql}", (*self.values, *other.values))

    def __bool__(self) -> bool:
        """Whether it excludes any row."""
        return bool(self.sql)

    @property
    def where(self) -> str:
        """The condition as a WHERE clause."""
        return self.sql or "true"


ALL: Final = Condition()


def among(column: str, values: Sequence[object]) -> Condition:
    """The condition that a column has one of these values; none of no values."""
    if len(values) == 1:
        return Condition(f"{column} = ?", tuple(values))
    return Condition(f"{column} IN ({db.placeholders(len(values))})" if values else "false", tuple(values))


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: by columns that together differ in every row, all ascending or all descending."""

    columns: tuple[str, ...]
    #: The types of their values.
    types: tuple[type, ...]
    descending: bool = False

    def after(self, values: Values | None) -> Condition:
        """The condition that a row comes after the one with these values."""
        return self._beside("<" if self.descending else ">", values)

    def up_to(self, values: Values | None) -> Condition:
        """The condition that a row is the one with these values or comes before it."""
        return self._beside(">=" if self.descending else "<=", values)

    def _beside(self, sign: str, values: Values | None) -> Condition:
        if values is None:
            return ALL
        if len(values) == 1:
            return Condition(f"{self.columns[0]} {sign} ?", values)
        beside = Condition(f"({', '.join(self.columns)}) {sign} ({db.placeholders(len(values))})", values)
        if "(" in self.columns[0]:  # SQLite finds a place by an expression only when it stands alone
            return Condition(f"{self.columns[0]} {sign.rstrip('=')}= ?", values[:1]) & beside
        return beside

    def by(self, columns: Sequence[str] = ()) -> str:
        """The order as an ORDER BY clause, of these columns in the place of its own."""
        return ", ".join(f"{column} {'DESC' if self.descending else 'ASC'}" for column in columns or self.columns)


@dataclass(frozen=True, slots=True)
class Listing:
    """Which rows a list has, and in which order."""

    #: What stands after FROM.
    table: str
    order: Order
    #: Conditions of which at most one holds for a row. An index has the rows of each in the order of the list.
    groups: tuple[Condition, ...] = (ALL,)
    #: What else must hold.
    filter: Condition = ALL
    #: Rows of a group that the filter is tested on at once; None for all, where no index has the order either.
    reach: int | None = REACH
    #: True of every row, and a bound of the order's first column: with it SQLite reads the index that has the order,
    #: although its statistics may say that it had better read another and sort. It uses one bound, so this is left out
    #: where a page has one of its own.
    bound: Condition = ALL

    def until(self, values: Values | None) -> Condition:
        """The condition that a row comes up to the one with these values; None for no end."""
        return self.bound if values is None else self.order.up_to(values)


def page(
    listing: Listing, name: str, columns: str, make: Callable[[list[Values]], Sequence[Row]], *,
    size: int, after: str | None, with_total: bool = True,
) -> Page[Row]:  # fmt: skip
    """Read the page of a list that begins after a cursor.

    Args:
        listing: which rows, and in which order.
        name: of the order; a cursor of one order is refused in another.
        columns: what is read of a row.
        make: makes the rows of the page of what was read.
        size: rows of the page.
        after: a cursor; None for the first page.
        with_total: whether to count the rows of all pages.

    Raises:
        CursorError: the cursor is of another list.
    """
    values = None if after is None else decode_cursor(name, after, listing.order.types)
    with db.snapshot():
        rows, position = read(listing, columns, size, values)
        return Page(
            rows=tuple(make(rows)),
            next=None if position is None else encode_cursor(name, position),
            total=count(listing) if with_total else None,
        )


def read(listing: Listing, columns: str, size: int, after: Values | None = None) -> tuple[list[Values], Values | None]:
    """Read one page.

    Returns:
        At most `size` rows, each without its sort values, and the sort values after which the next page begins; None
        on the last page.
    """
    if not listing.groups:
        return [], None
    order, width = listing.order, len(listing.order.columns)
    groups = [group & order.after(after) for group in listing.groups]
    end = _reached(listing, groups)
    sorts = [f"sort_{number}" for number in range(width)]
    wanted = ", ".join([*(f"{column} AS {name}" for column, name in zip(order.columns, sorts, strict=True)), columns])
    parts = [
        _part(listing, wanted, group & listing.until(end) & listing.filter, "LIMIT ?", (size + 1,)) for group in groups
    ]
    rows = _merged(order, parts, sorts, size + 1)
    more = len(rows) > size
    position = rows[size - 1][:width] if more else end
    return [row[width:] for row in rows[:size]], position


def count(listing: Listing, cap: int | None = CAP) -> Count:
    """Count the rows of a list, up to `cap` of each group; None counts them all."""
    return sum((_count(listing, group, cap) for group in listing.groups), Count(0))


def count_groups(table: str, groups: Mapping[K, Condition], cap: int = CAP) -> dict[K, Count]:
    """Count several groups of rows at once, each up to `cap`; groups without rows are left out."""
    keys, found = list(groups), {}
    for some in db.chunks(range(len(keys)), 100):
        union = " UNION ALL ".join(
            f"SELECT {n} AS n, (SELECT COUNT(*) FROM (SELECT 1 FROM {table} WHERE {groups[keys[n]].where}"
            f" LIMIT {cap + 1}) AS counted_{n}) AS number"
            for n in some
        )
        values = [value for n in some for value in groups[keys[n]].values]
        for n, number in db.execute(union, values).fetchall():
            if number:
                found[keys[n]] = Count(min(number, cap), number > cap)
    return found


#: More than any time in seconds since the epoch.
_NEVER: Final = 1e300


def find_groups(table: str, where: Condition, columns: Sequence[str], then: str, most: int) -> list[Values]:
    """Return the values that columns have together, at most so many, by one step through an index for each.

    Args:
        table: the table, which has a column `id`.
        where: the condition of the index.
        columns: the first columns of the index, none of them null.
        then: the column after them, which holds seconds. SQLite would otherwise look at all rows of a group.
        most: groups that are looked for.
    """
    named, order = ", ".join(columns), ", ".join((*columns, then))
    # SQLite compares with more than the first column of an index only what has no type of its own.
    before = ", ".join(f"COALESCE(step.{column}, NULL)" for column in columns)
    first = f"SELECT id FROM {table} WHERE {where.where} ORDER BY {order} LIMIT 1"
    further = f"SELECT id FROM {table} WHERE {where.where} AND ({order}) > ({before}, ?) ORDER BY {order} LIMIT 1"
    picked = ", ".join(f"found.{column}" for column in columns)
    return list(
        db.execute(
            f"""WITH RECURSIVE step (number, {named}) AS (
                    SELECT 1, {picked} FROM {table} AS found WHERE found.id = ({first})
                    UNION ALL SELECT step.number + 1, {picked} FROM step JOIN {table} AS found ON found.id = ({further})
                    WHERE step.number < ?)
                SELECT {named} FROM step""",
            [*where.values, *where.values, _NEVER, most],
        ).fetchall()
    )


def count_by(listing: Listing, columns: Sequence[str]) -> tuple[list[Values], bool]:
    """Count the first rows of a list of one group by columns, as many as the filter is tested on.

    Returns:
        The values of the columns with the number of rows that have them, and whether more rows follow.
    """
    (group,) = listing.groups
    end = _last(listing, [group], listing.reach or REACH)
    chosen, named = group & listing.until(end) & listing.filter, ", ".join(columns)
    # Read in the order of the list: grouped at once, an index might be preferred that has the groups, and all rows.
    first = _part(listing, named, chosen, "LIMIT ?", (listing.reach or REACH,))
    rows = db.execute(
        f"SELECT {named}, COUNT(*) FROM ({first.sql}) AS first_rows GROUP BY {named}", first.values
    ).fetchall()
    after = group & listing.order.after(end)
    more = f"SELECT 1 FROM {listing.table} WHERE {after.where} LIMIT 1"
    return rows, end is not None and db.execute(more, after.values).fetchone() is not None


def _count(listing: Listing, group: Condition, cap: int | None) -> Count:
    end = _reached(listing, [group]) if cap is not None else None
    chosen = group & listing.until(end) & listing.filter
    limit = "" if cap is None else f"LIMIT {cap + 1}"
    counting = f"SELECT COUNT(*) FROM (SELECT 1 FROM {listing.table} WHERE {chosen.where} {limit}) AS counted"
    number = int(db.execute(counting, chosen.values).fetchone()[0])
    if cap is not None and number > cap:
        return Count(cap, is_capped=True)
    return Count(number, is_capped=end is not None)


def _reached(listing: Listing, groups: Sequence[Condition]) -> Values | None:
    """The sort values of the last row that the filter is tested on; None when it is tested on all that are left."""
    return _last(listing, groups, listing.reach) if listing.filter and listing.reach else None


def _last(listing: Listing, groups: Sequence[Condition], reach: int) -> Values | None:
    """The sort values of the row of a group that so many rows end with, the earliest of all groups."""
    order = listing.order
    names = [f"sort_{number}" for number in range(len(order.columns))]
    wanted = ", ".join(f"{column} AS {name}" for column, name in zip(order.columns, names, strict=True))
    # The offset is the same for every page: it bounds the work, and never grows with the place in the list.
    parts = [_part(listing, wanted, group & listing.bound, "LIMIT 1 OFFSET ?", (reach - 1,)) for group in groups]
    found = _merged(order, parts, names, 1)
    return found[0] if found else None


def _part(listing: Listing, wanted: str, chosen: Condition, limit: str, bound: Values) -> Condition:
    sql = f"SELECT {wanted} FROM {listing.table} WHERE {chosen.where} ORDER BY {listing.order.by()} {limit}"
    return Condition(sql, (*chosen.values, *bound))


def _merged(order: Order, parts: Sequence[Condition], names: Sequence[str], limit: int) -> list[Any]:
    """The first rows of all parts together."""
    if len(parts) == 1:
        return list(db.execute(parts[0].sql, parts[0].values).fetchall())
    union = " UNION ALL ".join(f"SELECT * FROM ({part.sql}) AS part_{n}" for n, part in enumerate(parts))
    values = [value for part in parts for value in part.values]
    return list(
        db.execute(f"SELECT * FROM ({union}) AS merged ORDER BY {order.by(names)} LIMIT ?", [*values, limit]).fetchall()
    )

"""Cursors and counts as values: what comes from outside is refused unless a database accepts it."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import CursorError
from appliance.paging import Count, Counts, Group, Page, all_rows, decode_cursor, encode_cursor


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.integers(-(2**63), 2**63 - 1),
)
def test_a_cursor_comes_back_as_it_was(number: float, text: str, key: int) -> None:
    cursor = encode_cursor("title", (number, text, key))
    assert cursor.isascii() and not set(cursor) & set("+/=&?#")
    assert decode_cursor("title", cursor, (float, str, int)) == (number, text, key)


def made(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(["date", *values]).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    ["", "!", "é", "bnVsbA", "[]", "AAAA", made(1), made(1, 2, 3), made("1", 2), made(1.5, 2), made(True, 2),
     made(None, 2), made(2**63, 2), made(1, [2]), encode_cursor("title", (1, 2)), "W" * 100_000],
)  # fmt: skip
def test_what_is_no_cursor_of_this_list_is_refused(cursor: str) -> None:
    with pytest.raises(CursorError, match="no cursor of a list in the order “date”; begin at the first page"):
        decode_cursor("date", cursor, (int, int))


@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800"])
def test_text_that_no_database_takes_is_refused(value: str) -> None:
    with pytest.raises(CursorError):
        decode_cursor("date", made(value), (str,))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(value: str) -> None:
    cursor = base64.urlsafe_b64encode(f'["date", {value}]'.encode()).decode()
    with pytest.raises(CursorError):
        decode_cursor("date", cursor, (float,))


def test_counts_add_up() -> None:
    counts = Counts(
        {Group("a", "entry", "draft"): Count(1200), Group("a", "page", "draft"): Count(10_000, is_capped=True),
         Group("b", "entry", "published"): Count(3)}
    )  # fmt: skip
    assert str(counts.total) == "11,203+"
    assert counts.by_site() == {"a": Count(11_200, is_capped=True), "b": Count(3)}
    assert counts.by_kind() == {"entry": Count(1203), "page": Count(10_000, is_capped=True)}
    assert counts.by_state() == {"draft": Count(11_200, is_capped=True), "published": Count(3)}


def test_pages_without_rows_are_passed_over() -> None:
    pages: dict[str | None, Page[int]] = {None: Page((1, 2), "b"), "b": Page((), "c"), "c": Page((3,), None)}
    assert list(all_rows(pages.__getitem__)) == [1, 2, 3]

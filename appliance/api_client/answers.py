"""What an API answers, as the values that queries return on a publishing host."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from appliance.errors import ApiError
from appliance.paging import Count, Page

Row = TypeVar("Row")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def decode(kind: type[Row], value: Any) -> Row:
    """Return an answer as a value of a data class.

    Raises:
        ApiError: it does not fit, as the other side has another release.
    """
    try:
        decoded: Row = _adapter(kind).validate_python(value)  # type: ignore[arg-type]
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise ApiError(
            f"The answer of the API is not as this release knows it ({place}: {fault['msg']}); install the release that"
            " runs there."
        ) from error
    return decoded


def decode_rows(kind: type[Row], value: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a list."""
    return [decode(kind, row) for row in value["rows"]]


def decode_page(kind: type[Row], value: Mapping[str, Any]) -> Page[Row]:
    """Return a page of a list."""
    total = value.get("total")
    return Page(tuple(decode_rows(kind, value)), value["next"], total and Count(total["number"], total["is_capped"]))

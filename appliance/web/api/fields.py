"""What models of the API have in common: strict fields, ids, pages of lists."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from appliance.row_ids import LARGEST

Row = TypeVar("Row")

Id = Annotated[int, Field(ge=1, le=LARGEST)]
MOST_ROWS = 500


class Sent(BaseModel):
    """What a caller sends. Unknown fields are refused, or else a mistyped name would change nothing, silently."""

    model_config = ConfigDict(extra="forbid")


class Shown(BaseModel):
    """What a caller is shown."""

    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class PageQuery(Sent):
    """Which page of a list."""

    after: str | None = Field(None, max_length=2000, description="The cursor `next` of the page before.")
    size: int = Field(50, ge=1, le=MOST_ROWS, description="Rows of the page. It may have fewer although more follow.")
    total: bool = Field(False, description="Whether to count the rows of all pages.")


class CountOfRows(Shown):
    """A number of rows."""

    number: int
    is_capped: bool = Field(description="Whether counting stopped early: there are at least so many.")


class PageOf(Shown, Generic[Row]):
    """A page of a list. Follow `next` until it is null."""

    rows: list[Row]
    next: str | None = Field(description="The cursor of the next page, for `after`; null on the last page.")
    total: CountOfRows | None = Field(description="The rows of all pages, if they were asked for.")


class Rows(Shown, Generic[Row]):
    """A whole list, which is short."""

    rows: list[Row]


#: A moment as people write it; without an offset it is by the clock of the site.
Moment = Annotated[
    str, Field(max_length=40, description="Such as `2026-11-29T08:30:00+01:00`; without an offset by the site's clock.")
]


#: A name, a slug or an address.
Name = Annotated[str, Field(max_length=1000)]


def left_out() -> Any:
    """The value of a field that is left out. It may not be given as null, and the documents name no default."""
    return None

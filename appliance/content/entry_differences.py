"""How an entry that is saved differs from what is stored of it, and what readers could see of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance import clock
from appliance.content.aspects import EVERYTHING, Aspect, aspects_of_columns

#: The source digest of an entry that is only reserved; see `entries.reserve`.
RESERVED: Final = ""
#: Columns that name the origin of an entry. A difference in them is not recorded as a change.
SOURCE_COLUMNS: Final = frozenset({"source", "source_path", "source_digest"})
_NONE: Final = Aspect(0)


@dataclass(frozen=True, slots=True)
class Difference:
    """How an entry differs from what is stored of it."""

    #: The columns that differ, with their new values.
    values: dict[str, Any]
    #: What happened to the entry, in a word; empty if readers see no difference.
    event: str = ""
    aspects: Aspect = _NONE

    @classmethod
    def between(
        cls, stored: Mapping[str, Any], columns: Mapping[str, Any], modified_at: int | None, relations: Aspect
    ) -> Difference:
        """Compare stored columns with new ones.

        `modified_at` is as in `EntryData`; `relations` are the aspects that changed with the terms and aliases.
        """
        is_reserved = stored["source_digest"] == RESERVED
        values = {column: value for column, value in columns.items() if stored[column] != value}
        is_visible = bool(values.keys() - SOURCE_COLUMNS) or bool(relations) or is_reserved
        modified = stored["modified_at"]
        if modified_at is not None:
            modified = modified_at
        elif is_reserved:
            modified = columns["published_at"]
        elif is_visible:
            modified = int(clock.now())
        if modified != stored["modified_at"]:
            values["modified_at"] = modified
            is_visible = True
        if not is_visible:
            return cls(values)
        if is_reserved:
            return cls(values, "added", EVERYTHING)
        changed, before = aspects_of_columns(values) | relations, stored["status"]
        if columns["status"] != before and "published" in (before, columns["status"]):
            return cls(values, "published" if columns["status"] == "published" else "unpublished", changed)
        return cls(values, "edited", changed)

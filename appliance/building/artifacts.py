"""Artifacts as building reads them: what makes each, and what was last published of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from appliance import db


class Made(NamedTuple):
    """An artifact as it stands in the table: what makes it, and what was last published of it."""

    id: int
    site: int
    path: str
    type: str
    template: str
    subject: int | None
    period: str
    page: int
    per_page: int
    wanted: bool
    digest: str | None
    size: int | None
    version: int
    #: Number of the planning that asked for it last, and of the one whose content it has.
    marked: int
    built: int
    #: Digest of what its last build read; None before the first.
    reads: str | None

    @property
    def is_stale(self) -> bool:
        """Whether something it shows changed since it was built."""
        return self.marked > self.built

    @property
    def own_entry(self) -> int | None:
        """The entry or page whose page it is."""
        return self.subject if self.type in ("entry", "page") else None


def find(paths: Sequence[str]) -> dict[str, Made]:
    """The artifacts at `paths`, by path."""
    rows = db.execute(
        f"""SELECT id, site_id, path, type, template, subject, period, page, per_page, wanted, digest, size, version,
                   marked, built, reads
            FROM artifact WHERE path IN ({db.marks(len(paths))})""",
        list(paths),
    ).fetchall()
    return {row[2]: Made(*row) for row in rows}

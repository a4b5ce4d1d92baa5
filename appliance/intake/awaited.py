"""A comment that its writer waits for, and whether the reader's front end shows it.

Guarantees that “visible” is true: the change of the comment was planned, the page of its entry was built for a plan at
least as late, and the front end has confirmed the latest publication of the page. A publication that another has
superseded does not count: a courier passes over it, so its number may be confirmed before the other is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from appliance import db
from appliance.delivery import cursors
from appliance.intake.served_docroots import ServedDocroot

T = TypeVar("T")

_UNPLANNED: Final = """
SELECT subject_id FROM change WHERE site_id = ? AND NOT planned AND subject = 'comment' AND subject_id = ? LIMIT 1
"""
_PAGE: Final = """
SELECT a.path, a.marked, a.built FROM artifact a JOIN entry e ON e.id = ? AND a.type = e.kind AND a.subject = e.id
WHERE a.is_permalink AND a.wanted
"""
_LATEST: Final = "SELECT origin, id FROM publication WHERE path = ? AND latest"


@dataclass
class Look:
    """One look at the journal and the cursors, inside a snapshot. What several comments share is read once."""

    _known: dict[tuple[object, ...], Any] = field(default_factory=dict)

    def page(self, entry: int) -> tuple[str, int, int] | None:
        """The path of an entry's page, the plan it is to be built for, and the one it was built for."""
        found: tuple[str, int, int] | None = self._once(("page", entry), lambda: db.execute(_PAGE, [entry]).fetchone())
        return found

    def latest(self, path: str) -> tuple[str, int] | None:
        """The host and the number of the latest publication of a path."""
        found: tuple[str, int] | None = self._once(("latest", path), lambda: db.execute(_LATEST, [path]).fetchone())
        return found

    def is_shown(self, docroot: ServedDocroot, origin: str, publication: int) -> bool:
        """Whether a docroot shows a publication of a host."""
        target = docroot.target
        if docroot.host == origin:
            return True
        if target is None:
            return False
        return self._once(("cursor", target.name, origin), lambda: cursors.position(target, origin)).has(publication)

    def _once(self, key: tuple[object, ...], read: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = read()
        return self._known[key]  # type: ignore[no-any-return]


@dataclass(eq=False)
class AwaitedComment:
    """A comment that was approved, and the docroots that are to show it."""

    site: int
    entry: int
    comment: int
    docroots: Sequence[ServedDocroot]
    #: The plan for which the page must have been built, once the change is planned.
    _plan: int | None = None

    def is_visible(self, look: Look) -> bool:
        """Whether all docroots show the comment now."""
        page = look.page(self.entry)
        if page is None or not self._is_built(*page[1:]):
            return False
        latest = look.latest(page[0])
        if latest is None:
            return True  # nothing of it was ever published, such as a page that is built by hand
        origin, number = latest
        return all(look.is_shown(docroot, origin, number) for docroot in self.docroots)

    def _is_built(self, marked: int, built: int) -> bool:
        if self._plan is None:
            if db.execute(_UNPLANNED, [self.site, self.comment]).fetchone():
                return False
            self._plan = marked
        return built >= self._plan

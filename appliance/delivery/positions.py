"""Positions: which publications of one host a reader of the journal has had, when it reads the newest before the rest.

A target that is far behind has two cursors. One moves through the backlog in order; the other is ahead of it and takes
what is published now. So a position is one stretch from the beginning of the journal, and at most one stretch after a
gap. The gap is the backlog. Once it is closed the two stretches are one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Position:
    """What a reader of the journal has had of one host: everything up to a number, and a stretch ahead of that."""

    #: The newest publication that it has had together with all before it; 0 for none.
    through: int = 0
    #: It has also had the publications after `ahead_after` up to `ahead`. Both are 0 if there is no backlog before.
    ahead_after: int = 0
    ahead: int = 0

    @property
    def has_backlog(self) -> bool:
        """Whether it reads ahead of a backlog."""
        return self.ahead_after > 0

    @property
    def front(self) -> int:
        """The number after which comes what is published now."""
        return self.ahead if self.has_backlog else self.through

    def has(self, number: int) -> bool:
        """Whether it has had the publication of this number."""
        return number <= self.through or self.ahead_after < number <= self.ahead

    def moved(self, through: int) -> Position:
        """Return the position once it has had the backlog up to a number too. It never moves back."""
        through = max(self.through, through)
        if self.has_backlog and through < self.ahead_after:
            return replace(self, through=through)
        return Position(max(through, self.ahead))

    def having(self, after: int, through: int) -> Position:
        """Return the position once it has had the publications after one number up to another as well.

        If there is a gap before them, a stretch ahead that does not reach them counts as backlog again.
        """
        if after <= self.through:
            return self.moved(through)
        if self.has_backlog and self.ahead_after <= after <= self.ahead:
            return replace(self, ahead=max(through, self.ahead))
        return Position(self.through, after, through)


def unread(reader: Position, source: Position) -> tuple[int, int] | None:
    """Return what `reader` lacks of what `source` has had: a number, and another up to which; None for nothing.

    What is ahead comes first.
    """
    if source.has_backlog:
        begin = max(source.ahead_after, reader.front)
        if begin < source.ahead:
            return begin, source.ahead
    end = min(source.through, reader.ahead_after) if reader.has_backlog else source.through
    return (reader.through, end) if reader.through < end else None


def common(positions: Iterable[Position]) -> Position:
    """Return what all readers have had. Without readers, nothing is known."""
    chosen = list(positions)
    through = min((one.through for one in chosen), default=0)
    after = max((one.ahead_after for one in chosen), default=0)
    ahead = min((one.front for one in chosen), default=0)
    return Position(through, after, ahead) if through < after < ahead else Position(through)

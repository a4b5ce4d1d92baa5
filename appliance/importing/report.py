"""The report of an import: what became of every file of a folder, or of every entry of a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

#: What became of a file or an item that was imported.
Outcome = Literal["added", "changed", "unchanged", "renamed"]
OUTCOMES: tuple[Outcome, ...] = ("added", "changed", "unchanged", "renamed")

#: Files with the same reason that are listed by name.
_LISTED = 10


@dataclass(slots=True)
class Report:
    """Counts by outcome, and reasons for everything that was not imported as it is."""

    source: str = ""
    #: The unit of `files`: "files" of a folder, "items" of WordPress or "entries" of Movable Type.
    unit: str = "files"
    #: How many files, items or entries the source has.
    files: int = 0
    #: Entries, pages and section files by outcome.
    texts: Counter[Outcome] = field(default_factory=Counter)
    #: All other files by outcome.
    assets: Counter[Outcome] = field(default_factory=Counter)
    #: Texts, and assets, of earlier imports that were deleted.
    removed: int = 0
    assets_removed: int = 0
    #: Comments by outcome: "added", "unchanged", "not imported" and the like.
    comments: Counter[str] = field(default_factory=Counter)
    #: TrackBacks and pingbacks by outcome.
    pings: Counter[str] = field(default_factory=Counter)
    #: Items by type and status in the other system, and outcome: ("page", "draft", "added").
    kinds: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    #: (file, reason) of everything that was not imported.
    skipped: list[tuple[str, str]] = field(default_factory=list)
    #: (file, reason) of every text that became a draft.
    drafts: list[tuple[str, str]] = field(default_factory=list)
    #: Further sentences for the person who started the import.
    notes: list[str] = field(default_factory=list)
    #: Reasons why comments lost an e-mail or web address.
    dropped_addresses: list[str] = field(default_factory=list)

    @property
    def added(self) -> int:
        """Texts that are new."""
        return self.texts["added"]

    @property
    def changed(self) -> int:
        """Texts that changed since the last import."""
        return self.texts["changed"]

    @property
    def unchanged(self) -> int:
        """Texts that are as they were at the last import."""
        return self.texts["unchanged"]

    @property
    def renamed(self) -> int:
        """Texts with another file name and the same bytes, which keep their entry and its comments."""
        return self.texts["renamed"]

    @property
    def accounted_for(self) -> int:
        """Files, items or entries with an outcome or a reason: always as many as `files`."""
        return self.texts.total() + self.assets.total() + len(self.skipped)

    @property
    def changed_nothing(self) -> bool:
        """Whether the import changed nothing."""
        files = sum(counts[o] for counts in (self.texts, self.assets) for o in OUTCOMES if o != "unchanged")
        comments = sum(counts[word] for counts in (self.comments, self.pings) for word in ("added", "changed"))
        return not (files or comments or self.removed or self.assets_removed)

    def counts(self) -> dict[str, object]:
        """The numbers of a report by their names, without those that are none, for the audit."""
        found: dict[str, object] = {
            "texts": dict(self.texts), "files": dict(self.assets), "comments": dict(self.comments),
            "pings": dict(self.pings), "removed": self.removed, "files_removed": self.assets_removed,
            "skipped": len(self.skipped), "drafts": len(self.drafts),
        }  # fmt: skip
        return {name: value for name, value in found.items() if value}

    def lines(self) -> list[str]:
        """The report as lines of text."""
        lines = [f"{self.files} {self.unit} in {self.source}"]
        for name, counts, removed in (
            ("texts", self.texts, self.removed),
            ("other files", self.assets, self.assets_removed),
        ):
            parts = [f"{counts[o]} {o}" for o in OUTCOMES if counts[o]] + ([f"{removed} removed"] if removed else [])
            lines.append(f"  {name}: {', '.join(parts) or 'none'}")
        for name, words in (("comments", self.comments), ("pings", self.pings)):
            if words:
                lines.append(f"  {name}: " + ", ".join(f"{n} {word}" for word, n in sorted(words.items()) if n))
        lines += self._kind_lines()
        drafted = "became a draft" if len(self.drafts) == 1 else "became drafts"
        for heading, listed in ((drafted, self.drafts), ("not imported", self.skipped)):
            if listed:
                lines.append(f"  {len(listed)} {heading}:")
                lines += [f"    {line}" for line in _by_reason(listed)]
        lines += [f"  note: {note}" for note in self.notes]
        if dropped := self.dropped_addresses:
            lines.append(f"  note: {len(dropped)} comments lost an address: {dropped[0]}")
        return lines

    def _kind_lines(self) -> list[str]:
        by_kind: dict[tuple[str, str], list[str]] = {}
        for (kind, status, outcome), count in sorted(self.kinds.items()):
            by_kind.setdefault((kind, status), []).append(f"{count} {outcome}")
        return [f"  {kind}, {status}: {', '.join(counts)}" for (kind, status), counts in by_kind.items()]


def _by_reason(listed: list[tuple[str, str]]) -> list[str]:
    """A line for each file, and one for the many that have the same reason."""
    by_reason: dict[str, list[str]] = {}
    for file, reason in listed:
        by_reason.setdefault(reason, []).append(file)
    lines = []
    for reason, files in by_reason.items():
        lines += [f"{file}: {reason}" for file in files[:_LISTED]]
        if len(files) > _LISTED:
            lines.append(f"and {len(files) - _LISTED} more: {reason}")
    return lines

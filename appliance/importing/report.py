"""What an import did, for the person who started it: every file of a folder, or every entry of a file, once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

#: What became of a file. Texts are Markdown files: entries, pages and sections; assets are all others.
Outcome = Literal["added", "changed", "unchanged", "renamed"]
OUTCOMES: tuple[Outcome, ...] = ("added", "changed", "unchanged", "renamed")

#: Files with one and the same reason that are listed by name.
_LISTED = 10


@dataclass(slots=True)
class Report:
    """Counts of files by outcome; `skipped` are (file, reason), `notes` what else a person should know.

    Where one file holds many texts, its items are counted instead of files.
    """

    source: str = ""
    #: What `files` counts: "files" or "items".
    unit: str = "files"
    files: int = 0
    texts: Counter[Outcome] = field(default_factory=Counter)
    assets: Counter[Outcome] = field(default_factory=Counter)
    removed: int = 0
    assets_removed: int = 0
    #: What became of comments, in words such as "added", "unchanged" or "pings not taken".
    comments: Counter[str] = field(default_factory=Counter)
    #: The same of TrackBack pings.
    pings: Counter[str] = field(default_factory=Counter)
    #: Items by what the other system says of them and what became of them: ("page", "draft", "added" or "skipped").
    kinds: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def added(self) -> int:
        """Texts that are new."""
        return self.texts["added"]

    @property
    def changed(self) -> int:
        """Texts that differ from before."""
        return self.texts["changed"]

    @property
    def unchanged(self) -> int:
        """Texts that are as before."""
        return self.texts["unchanged"]

    @property
    def renamed(self) -> int:
        """Texts that have another file name, the same bytes and still their comments."""
        return self.texts["renamed"]

    @property
    def accounted(self) -> int:
        """Files (or items) with an outcome or a reason; equal to `files`."""
        return self.texts.total() + self.assets.total() + len(self.skipped)

    @property
    def is_idle(self) -> bool:
        """Whether the import changed nothing."""
        touched = sum(counts[o] for counts in (self.texts, self.assets) for o in OUTCOMES if o != "unchanged")
        said = sum(counts[word] for counts in (self.comments, self.pings) for word in ("added", "changed"))
        return not (touched or said or self.removed or self.assets_removed)

    def lines(self) -> list[str]:
        """The report as lines of text."""
        lines = [f"{self.files} {self.unit} in {self.source}"]
        for name, counts, removed in (
            ("texts", self.texts, self.removed),
            ("other files", self.assets, self.assets_removed),
        ):
            said = [f"{counts[o]} {o}" for o in OUTCOMES if counts[o]] + ([f"{removed} removed"] if removed else [])
            lines.append(f"  {name}: {', '.join(said) or 'none'}")
        for name, words in (("comments", self.comments), ("pings", self.pings)):
            if words:
                lines.append(f"  {name}: " + ", ".join(f"{n} {word}" for word, n in sorted(words.items()) if n))
        lines += self._kind_lines()
        if self.skipped:
            lines.append(f"  {len(self.skipped)} not taken:")
            lines += [f"    {line}" for line in self._skipped_lines()]
        return lines + [f"  note: {note}" for note in self.notes]

    def _kind_lines(self) -> list[str]:
        by_kind: dict[tuple[str, str], list[str]] = {}
        for (kind, status, outcome), count in sorted(self.kinds.items()):
            by_kind.setdefault((kind, status), []).append(f"{count} {outcome}")
        return [f"  {kind}, {status}: {', '.join(said)}" for (kind, status), said in by_kind.items()]

    def _skipped_lines(self) -> list[str]:
        by_reason: dict[str, list[str]] = {}
        for file, reason in self.skipped:
            by_reason.setdefault(reason, []).append(file)
        lines = []
        for reason, files in by_reason.items():
            lines += [f"{file}: {reason}" for file in files[:_LISTED]]
            if len(files) > _LISTED:
                lines.append(f"and {len(files) - _LISTED} more: {reason}")
        return lines
